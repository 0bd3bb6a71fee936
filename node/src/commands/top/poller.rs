//! What the node is asked.

use cairn_client::unix;
use serde_json::{Value, json};

use super::{
    super::call::{self, Question},
    event::{Event, Kind},
    history::History,
    snapshot::{Answer, Snapshot},
    texts::text,
};
use crate::cli::Reach;

/// Entries of a list that are looked at.
const MOST: usize = 1_000;

/// Asks a node again and again.
pub struct Poller {
    node: Reach,
    history: History,
    /// Number of the last line of the node's log that was seen.
    logged: u64,
}

impl Poller {
    /// A poller that knows nothing yet.
    pub fn new(node: Reach) -> Self {
        Self { node, history: History::default(), logged: 0 }
    }

    /// Where the node is.
    pub fn url(&self) -> &str {
        &self.node.rpc
    }

    /// Asks for all in one request; if the tip moved, for what changed in two more.
    ///
    /// # Errors
    /// [`CommandError`] if the node does not answer, or is none.
    pub fn ask(&mut self) -> Answer {
        let node = &self.node;
        let ask = |questions: &[Question]| call::batch(&node.rpc, node.cookie.as_deref(), questions);
        let now = unix();
        let mut answers = ask(&questions(self.logged))?.into_iter();
        // There is an answer to each question, in this order. The first is what every node tells everybody.
        let chain = answers.next().unwrap_or(Ok(Value::Null))?;
        let mut told = || answers.next().unwrap_or(Ok(Value::Null)).map_err(|error| error.to_string());
        let mut snapshot = Snapshot {
            at: now,
            chain,
            finality: told().unwrap_or_default(),
            next: told().unwrap_or_default(),
            miner: told().unwrap_or_default(),
            stratum: told().unwrap_or_default(),
            workers: told().unwrap_or_default(),
            node: told().unwrap_or_default(),
            peers: told(),
            peer_count: told().ok().and_then(|count| quantity(&count)),
            version: told().unwrap_or_default(),
            pace: None,
            events: Vec::new(),
            log: told().ok().map(|log| {
                let (last, lines) = read_log(log);
                self.logged = last;
                lines
            }),
        };
        let ended = snapshot.node.get_mut("disconnected");
        let lists = ended.into_iter().chain(snapshot.peers.as_mut()).chain([&mut snapshot.workers]);
        lists.for_each(shorten);
        snapshot.events = self.history.follow(&snapshot, now, &ask)?;
        snapshot.pace = self.history.pace();
        Ok(snapshot)
    }
}

fn questions(logged: u64) -> Vec<Question> {
    let simple = [
        "chain_getInfo",
        "chain_getFinality",
        "chain_getNextBlocks",
        "miner_status",
        "miner_getStats",
        "miner_getWorkers",
        "admin_nodeInfo",
        "admin_peers",
        "net_peerCount",
        "web3_clientVersion",
    ]
    .map(|method| (method, json!([])));
    simple.into_iter().chain([("admin_log", json!([logged]))]).collect()
}

/// The number of the last line, and the lines; a node may answer anything.
fn read_log(mut log: Value) -> (u64, Vec<Event>) {
    let last = log["last"].as_u64().unwrap_or_default();
    let mut lines = log.get_mut("lines").map(Value::take).unwrap_or_default();
    shorten(&mut lines);
    (last, lines.as_array().into_iter().flatten().map(line).collect())
}

/// A line of the log.
fn line(line: &Value) -> Event {
    let (level, said) = (text(&line["level"]), text(&line["text"]));
    let kind = match level.as_str() {
        "ERROR" | "WARN" => Kind::Warning,
        _ if said.starts_with("mined block") => Kind::Found,
        _ if said.starts_with("connected ") || said.starts_with("disconnected ") => Kind::Peer,
        _ => Kind::Block,
    };
    Event::new(line["time"].as_u64().unwrap_or_default(), kind, said)
}

/// Keeps the first entries of a list, more than any screen shows: a node may send as many as it likes.
fn shorten(list: &mut Value) {
    if let Value::Array(entries) = list {
        entries.truncate(MOST);
    }
}

/// A number as Ethereum writes it.
fn quantity(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_none_has_no_lines() {
        for odd in [json!([]), json!("lines"), json!(7), json!(true), json!(null), json!({ "last": -1, "lines": {} })] {
            assert_eq!(read_log(odd), (0, Vec::new()));
        }
        let (last, lines) =
            read_log(json!({ "last": 9, "lines": [3, { "level": "WARN", "text": "late", "time": 5 }] }));
        assert_eq!((last, lines.len(), &lines[1]), (9, 2, &Event::new(5, Kind::Warning, "late")));
    }
}
