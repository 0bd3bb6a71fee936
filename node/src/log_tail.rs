//! The newest lines of the log in memory, for the node's own user: `admin_log`, and through it `cairn-node top`. Peers can have
//! lines logged, so that their number and their length are bounded.

use cairn_client::unix;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    io::{self, Write},
};

/// Lines that are kept, and most bytes of one.
const LINES: usize = 200;
const MOST_BYTES: usize = 600;

/// Of this process.
static TAIL: Mutex<Tail> = Mutex::new(Tail { lines: VecDeque::new(), last: 0 });

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number: the first one since the start has 1.
    pub number: u64,
    /// When, in Unix time.
    pub time: u64,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: String,
    /// What was said.
    pub text: String,
}

struct Tail {
    lines: VecDeque<Line>,
    last: u64,
}

/// Lines after that of a number, oldest first, and the number of the last. A number that has not come yet is of another run: all
/// lines are after it.
pub fn after(number: u64) -> (u64, Vec<Line>) {
    TAIL.lock().after(number)
}

impl Tail {
    /// Takes a line as it is written for people: time, level and text.
    fn add(&mut self, line: &str, time: u64) {
        let Some((_, rest)) = line.trim_end().split_once(' ') else { return };
        let (level, text) = rest.trim_start().split_once(' ').unwrap_or((rest, ""));
        let most = text.floor_char_boundary(MOST_BYTES);
        self.last += 1;
        let text = text[..most].to_owned();
        self.lines.push_back(Line { number: self.last, time, level: level.to_owned(), text });
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }

    fn after(&self, number: u64) -> (u64, Vec<Line>) {
        let number = if number > self.last { 0 } else { number };
        (self.last, self.lines.iter().filter(|line| line.number > number).cloned().collect())
    }
}

/// Takes what a layer of the log writes: each line whole.
pub struct TailWriter;

impl Write for TailWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        TAIL.lock().add(&String::from_utf8_lossy(line), unix());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_and_long_ones_are_cut() {
        let mut tail = Tail { lines: VecDeque::new(), last: 0 };
        (1..=1_000).for_each(|number| tail.add(&format!("2026-11-28T04:23:22Z  INFO line {number}\n"), 7));
        tail.add(&format!("2026-11-28T04:23:22Z ERROR {}\n", "ä".repeat(1_000)), 8);
        let (last, lines) = tail.after(0);
        assert_eq!((last, lines.len(), lines[0].number), (1_001, LINES, 802));
        let expected = Line { number: 1_000, time: 7, level: "INFO".into(), text: "line 1000".into() };
        assert_eq!(tail.after(999).1[0], expected);
        assert_eq!((lines[LINES - 1].level.as_str(), lines[LINES - 1].text.len()), ("ERROR", MOST_BYTES));
        assert_eq!(tail.after(1_001), (1_001, Vec::new()));
        assert_eq!(tail.after(5_000).1.len(), LINES, "that was another run");
    }
}
