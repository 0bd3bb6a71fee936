//! What a devnet shows: a table that stays in place on a terminal, plain lines elsewhere, JSON for programs.

use serde_json::{Value, json};
use std::{
    fmt::Display,
    io::{Write, stdout},
};

use super::fleet::{Row, shorten};
use crate::output;

/// Where things are shown.
pub struct Screen {
    terminal: bool,
    json: bool,
    /// The last line of a plain summary, not to be repeated.
    last: String,
}

impl Screen {
    /// The standard output, for people or for programs.
    pub fn new(json: bool) -> Self {
        Self { terminal: !json && output::moves(&stdout()), json, last: String::new() }
    }

    /// Makes room for a table of so many nodes.
    pub fn clear(&self, nodes: usize) {
        if self.terminal {
            // Clears the screen, keeps what scrolls below the table, and goes there.
            let top = nodes + 4;
            self.write(format_args!("\x1b[2J\x1b[{top};r\x1b[{top};1H"));
        }
    }

    /// Gives the whole terminal back.
    pub fn release(&self) {
        if self.terminal {
            self.write("\x1b[r\x1b[999;1H\n");
        }
    }

    /// Shows how all are: in place on a terminal, else in a line if something changed.
    pub fn update(&mut self, rows: &[Row], urls: &[String]) {
        if self.terminal {
            let mut text = String::from("\x1b7\x1b[1;1H");
            for line in table(rows, urls) {
                text.push_str(&format!("{line}\x1b[K\r\n"));
            }
            self.write(format_args!("{text}\x1b8"));
            return;
        }
        let line = match self.json {
            true => event("status", json!({ "nodes": nodes(rows, urls) })),
            false => summary(rows),
        };
        if line != self.last {
            self.write(format_args!("{line}\n"));
            self.last = line;
        }
    }

    /// Writes the whole table among the other lines.
    pub fn print(&self, rows: &[Row], urls: &[String]) {
        if self.json {
            return self.event("status", json!({ "nodes": nodes(rows, urls) }));
        }
        table(rows, urls).into_iter().for_each(|line| self.say(line));
    }

    /// Writes a line.
    pub fn say(&self, line: impl Display) {
        match self.json {
            true => self.event("note", json!({ "text": line.to_string() })),
            false => self.write(format_args!("{line}\n")),
        }
    }

    /// Says what became of a command.
    pub fn result(&self, command: &str, result: Result<(), String>) {
        match (self.json, result) {
            (true, Ok(())) => self.event("done", json!({ "command": command })),
            (true, Err(message)) => self.event("error", json!({ "command": command, "message": message })),
            (false, Ok(())) => self.say("done"),
            (false, Err(message)) => self.say(message),
        }
    }

    fn event(&self, name: &str, fields: Value) {
        self.write(format_args!("{}\n", event(name, fields)));
    }

    /// Shows that something may be typed.
    pub fn prompt(&self) {
        if self.terminal {
            self.write("> ");
        }
    }

    fn write(&self, text: impl Display) {
        let mut out = stdout().lock();
        // Nobody may be reading it any more.
        let _ = write!(out, "{text}").and_then(|()| out.flush());
    }
}

/// One thing that happened, for programs.
fn event(name: &str, mut fields: Value) -> String {
    fields["event"] = name.into();
    fields.to_string()
}

/// All nodes, for programs.
pub fn nodes(rows: &[Row], urls: &[String]) -> Vec<Value> {
    let node = |(index, (row, url)): (usize, (&Row, &String))| {
        json!({
            "node": index,
            "rpc": url,
            "up": row.up,
            "mining": row.mining,
            "side": row.side,
            "height": row.up.then_some(row.height),
            "tip": row.up.then_some(&row.tip),
            "peers": row.up.then_some(row.peers),
            "mempool": row.up.then_some(row.mempool),
        })
    };
    rows.iter().zip(urls).enumerate().map(node).collect()
}

fn table(rows: &[Row], urls: &[String]) -> Vec<String> {
    let mut lines = vec!["node  side  height  tip       peers  mempool  state   RPC".to_owned()];
    for (index, (row, url)) in rows.iter().zip(urls).enumerate() {
        let state = match (row.up, row.mining) {
            (false, _) => "down",
            (true, true) => "mines",
            (true, false) => "up",
        };
        lines.push(format!(
            "{index:>4}  {:>4}  {:>6}  {:8}  {:>5}  {:>7}  {state:6}  {url}",
            row.side,
            row.height,
            shorten(&row.tip),
            row.peers,
            row.mempool
        ));
    }
    lines
}

/// All nodes in one line: heights, how many different tips, peers, mempools.
fn summary(rows: &[Row]) -> String {
    let each = |value: fn(&Row) -> u64| {
        let shown = rows.iter().map(|row| if row.up { value(row).to_string() } else { "-".to_owned() });
        shown.collect::<Vec<_>>().join(" ")
    };
    let mut tips: Vec<&str> = rows.iter().filter(|row| row.up).map(|row| row.tip.as_str()).collect();
    tips.sort_unstable();
    tips.dedup();
    format!(
        "heights {}  tips {}  peers {}  mempool {}",
        each(|row| row.height),
        tips.len(),
        each(|row| row.peers),
        each(|row| row.mempool)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_all_are() {
        let row = |height, tip: &str| Row { up: true, height, tip: tip.into(), peers: 2, ..Row::default() };
        let rows = [row(5, "00aa"), row(5, "00aa"), row(4, "00bb"), Row::default()];
        assert_eq!(summary(&rows), "heights 5 5 4 -  tips 2  peers 2 2 2 -  mempool 0 0 0 -");
    }

    #[test]
    fn a_program_reads_the_same_as_json() {
        let rows = [
            Row { up: true, mining: true, height: 12, tip: "00ab".into(), peers: 1, ..Row::default() },
            Row::default(),
        ];
        let line = event("status", json!({ "nodes": nodes(&rows, &["http://a".to_owned(), "http://b".to_owned()]) }));
        let read: Value = serde_json::from_str(&line).unwrap();
        let up = json!({
            "node": 0, "rpc": "http://a", "up": true, "mining": true, "side": 0, "height": 12, "tip": "00ab", "peers": 1,
            "mempool": 0,
        });
        let down = json!({
            "node": 1, "rpc": "http://b", "up": false, "mining": false, "side": 0, "height": null, "tip": null, "peers": null,
            "mempool": null,
        });
        assert_eq!(read, json!({ "event": "status", "nodes": [up, down] }));
    }

    #[test]
    fn the_table_has_a_row_for_each_node() {
        let rows =
            [Row { up: true, mining: true, height: 12, tip: "0000deadbeef".into(), ..Row::default() }, Row::default()];
        let lines = table(&rows, &["http://a".to_owned(), "http://b".to_owned()]);
        assert_eq!(lines[1], "   0     0      12  deadbeef      0        0  mines   http://a");
        assert_eq!(lines[2], "   1     0       0                0        0  down    http://b");
    }
}
