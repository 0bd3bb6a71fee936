//! What happened between two snapshots: blocks, reorgs, peers that came and went.

use alloy_primitives::U256;
use cairn_client::counted;
use serde_json::{Value, json};
use std::collections::BTreeSet;

use super::{
    super::{
        call::Question,
        words::{bytes, duration, grouped},
    },
    event::{Event, Kind},
    snapshot::{Pace, Snapshot},
    texts::{address, short, text},
};
use crate::error::CommandError;

/// Most blocks that are told one by one; if more came, as in a sync, they are counted.
const TOLD: u64 = 4;

/// Blocks over which the pace is measured.
const PACE: u64 = 50;

/// What was seen last.
#[derive(Default)]
pub struct History {
    genesis: String,
    tip: Option<Place>,
    pace: Option<Pace>,
    peers: Option<BTreeSet<String>>,
    /// Ends of connections, newest first, by peer and time.
    ended: Vec<(String, u64)>,
    uptime: u64,
}

#[derive(Clone, PartialEq, Eq)]
struct Place {
    height: u64,
    hash: String,
}

/// Asks the node, all at once.
type Ask<'a> = &'a dyn Fn(&[Question]) -> Result<Vec<Result<Value, CommandError>>, CommandError>;

impl History {
    /// How fast blocks come, if there are enough of them.
    pub fn pace(&self) -> Option<Pace> {
        self.pace
    }

    /// Compares with the last snapshot.
    ///
    /// # Errors
    /// [`CommandError`] if the node does not answer any more.
    pub fn follow(&mut self, seen: &Snapshot, now: u64, ask: Ask) -> Result<Vec<Event>, CommandError> {
        let mut events = Vec::new();
        let genesis = text(&seen.chain["genesis"]);
        if self.genesis != genesis {
            *self = Self { genesis, ..Self::default() };
        }
        events.extend(self.node(&seen.node, now));
        events.extend(self.chain(seen, now, ask)?);
        if let Ok(peers) = &seen.peers {
            events.extend(self.joined(peers, now));
        }
        events.sort_by_key(|event| event.at);
        Ok(events)
    }

    /// Restarts, and peers that left.
    fn node(&mut self, node: &Value, now: u64) -> Vec<Event> {
        let mut events = Vec::new();
        let uptime = node["uptime"].as_u64().unwrap_or(self.uptime);
        if uptime < self.uptime {
            let since = duration(uptime);
            events.push(Event::new(now, Kind::Warning, format!("the node was started again, {since} ago")));
        }
        self.uptime = uptime;
        let ended = node["disconnected"].as_array().map(Vec::as_slice).unwrap_or_default();
        let key = |end: &Value| (text(&end["id"]), end["at"].as_u64().unwrap_or_default());
        let new = ended.iter().filter(|end| !self.ended.contains(&key(end)));
        events.extend(new.map(|end| {
            let connected = duration(end["connected"].as_u64().unwrap_or_default());
            let (peer, reason) = (address(&end["address"]), text(&end["reason"]));
            let at = end["at"].as_u64().map_or(now, |at| at.min(now));
            Event::new(at, Kind::Peer, format!("peer {peer} left after {connected}: {reason}"))
        }));
        self.ended = ended.iter().map(key).collect();
        events
    }

    /// Peers that came.
    fn joined(&mut self, peers: &Value, now: u64) -> Vec<Event> {
        let peers = peers.as_array().map(Vec::as_slice).unwrap_or_default();
        let before = self.peers.replace(peers.iter().map(|peer| text(&peer["id"])).collect());
        // Those of the first snapshot are in the table.
        let Some(before) = before else { return Vec::new() };
        let new = peers.iter().filter(|peer| !before.contains(&text(&peer["id"])));
        let joined = |peer: &Value| {
            let (place, direction, agent) = (address(&peer["address"]), text(&peer["direction"]), text(&peer["agent"]));
            Event::new(now, Kind::Peer, format!("peer {place} connected, {direction}: {agent}"))
        };
        new.map(joined).collect()
    }

    /// Blocks that joined the chain or left it.
    fn chain(&mut self, seen: &Snapshot, now: u64, ask: Ask) -> Result<Vec<Event>, CommandError> {
        let height = seen.chain["height"].as_u64().unwrap_or_default();
        let tip = Place { height, hash: text(&seen.chain["bestHash"]) };
        if self.tip.as_ref() == Some(&tip) {
            return Ok(Vec::new());
        }
        let mut events = Vec::new();
        let fork = self.tip.as_ref().map(|old| fork(old, ask)).transpose()?.flatten().map(|fork| fork.min(height));
        match (&self.tip, fork) {
            (Some(old), Some(fork)) if fork < old.height => {
                let dropped = counted(old.height - fork, "block");
                let what = format!("reorg: {dropped} dropped, back to height {}", grouped(fork));
                events.push(Event::new(now, Kind::Warning, what));
            }
            (Some(old), None) => {
                let what = format!("the node does not know block {} any more", grouped(old.height));
                events.push(Event::new(now, Kind::Warning, what));
            }
            _ => {}
        }
        // At first, the newest blocks with their own times.
        let first = fork.unwrap_or_else(|| height.saturating_sub(TOLD));
        let (is_first, came) = (fork.is_none(), height - first);
        let mut questions = vec![("chain_getHeader", json!([tip.hash]))];
        // The first block after genesis may be years later: the pace begins with it.
        questions.push(("chain_getHeader", json!([height.saturating_sub(PACE).max(1).min(height)])));
        let told = (first + 1..=height).filter(|_| came <= TOLD);
        questions.extend(told.map(|height| ("chain_getBlock", json!([height, 1]))));
        let mut answers = ask(&questions)?.into_iter().map(Result::unwrap_or_default);
        let [newest, oldest] = [(); 2].map(|()| answers.next().unwrap_or_default());
        self.pace = pace(&newest, &oldest);
        if came > TOLD {
            let (from, blocks) = (grouped(first + 1), counted(grouped(came), "block"));
            let what = format!("{blocks}, {from} to {}  {}", grouped(height), short(&tip.hash));
            events.push(Event::new(now, Kind::Block, what));
        }
        // One may have been reorganised away meanwhile.
        for block in answers.filter(|block| block["height"].is_u64()) {
            let at = if is_first { block["time"].as_u64().unwrap_or(now).min(now) } else { now };
            events.push(told_block(&block, at, &seen.stratum));
        }
        self.tip = Some(tip);
        Ok(events)
    }
}

/// Where the chain forks off below a block that was the tip: its own height if it is still on the chain, or if the node does not
/// say; `None` if the node does not know it.
fn fork(old: &Place, ask: Ask) -> Result<Option<u64>, CommandError> {
    let status = ask(&[("chain_getBlockStatus", json!([old.hash]))])?.into_iter().next();
    let status = status.and_then(Result::ok).unwrap_or_default();
    Ok((status["status"] != "unknown").then(|| status["forkPoint"]["height"].as_u64().unwrap_or(old.height)))
}

/// A block in a line.
fn told_block(block: &Value, at: u64, stratum: &Value) -> Event {
    let hash = text(&block["hash"]);
    // Without the coinbase.
    let transactions = block["transactions"].as_array().map_or(0, Vec::len).saturating_sub(1);
    let mut what = format!(
        "block {}  {}  {}, {}",
        grouped(block["height"].as_u64().unwrap_or_default()),
        short(&hash),
        counted(transactions, "transaction"),
        bytes(block["size"].as_u64().unwrap_or_default()),
    );
    let found = stratum["lastBlocks"].as_array().into_iter().flatten().find(|found| found["hash"] == hash.as_str());
    let Some(found) = found else { return Event::new(at, Kind::Block, what) };
    what += &format!(", found by {}", text(&found["worker"]));
    Event::new(at, Kind::Found, what)
}

/// From two headers.
fn pace(newest: &Value, oldest: &Value) -> Option<Pace> {
    let of = |field| Some((newest[field].as_u64()?, oldest[field].as_u64()?));
    let work = |header: &Value| U256::from_str_radix(header["chainWork"].as_str()?, 16).ok();
    let ((high, low), (late, early)) = (of("height")?, of("time")?);
    let blocks = high.checked_sub(low).filter(|blocks| *blocks > 0)?;
    let seconds = late.saturating_sub(early);
    let hashes = f64::from(work(newest)?.saturating_sub(work(oldest)?));
    let hash_rate = (seconds > 0).then(|| hashes / seconds as f64);
    Some(Pace { blocks, interval: seconds as f64 / blocks as f64, hash_rate })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn hash(height: u64, branch: &str) -> String {
        format!("{:0>64}", format!("{branch}{height:04}"))
    }

    fn snapshot(height: u64, branch: &str) -> Snapshot {
        Snapshot {
            at: 0,
            chain: json!({ "genesis": "00", "height": height, "bestHash": hash(height, branch) }),
            finality: Value::Null,
            next: Value::Null,
            miner: Value::Null,
            stratum: json!({ "lastBlocks": [{ "hash": hash(13, "b"), "worker": "garage" }] }),
            workers: Value::Null,
            node: json!({ "uptime": 100 + height }),
            peers: Ok(json!([])),
            peer_count: None,
            version: Value::Null,
            pace: None,
            events: Vec::new(),
            log: None,
        }
    }

    /// A node whose chain is `branch` above height 11.
    fn answer(branch: &'static str, (method, params): &Question) -> Value {
        let header = |height: u64| {
            json!({
                "height": height, "time": 1_000 + 5 * height, "hash": hash(height, branch), "size": 345, "transactions": ["a", "b"],
                "chainWork": format!("{:064x}", 1_000 * height),
            })
        };
        match *method {
            "chain_getBlockStatus" if params[0] == hash(12, "a") && branch == "b" => {
                json!({ "forkPoint": { "height": 11 } })
            }
            "chain_getBlockStatus" => {
                let height = params[0].as_str().unwrap()[60..].parse::<u64>().unwrap();
                json!({ "forkPoint": { "height": height } })
            }
            _ => header(params[0].as_u64().unwrap_or_else(|| params[0].as_str().unwrap()[60..].parse().unwrap())),
        }
    }

    fn follow(history: &mut History, seen: &Snapshot, branch: &'static str) -> (Vec<String>, usize) {
        let asked = RefCell::new(0);
        let ask = |questions: &[Question]| {
            *asked.borrow_mut() += questions.len();
            Ok(questions.iter().map(|question| Ok(answer(branch, question))).collect())
        };
        let events = history.follow(seen, 2_000, &ask).unwrap();
        (events.into_iter().map(|event| format!("{} {}", event.at, event.text)).collect(), asked.into_inner())
    }

    #[test]
    fn blocks_are_told_as_they_come_and_a_reorg_with_what_it_dropped() {
        let mut history = History::default();
        let (events, _) = follow(&mut history, &snapshot(10, "a"), "a");
        let block =
            |at, height, branch| format!("{at} block {height}  00000000…000{branch}{height:04}  1 transaction, 345 B");
        assert_eq!(events, [block(1_035, 7, "a"), block(1_040, 8, "a"), block(1_045, 9, "a"), block(1_050, 10, "a")]);
        let pace = Pace { blocks: 9, interval: 5.0, hash_rate: Some(200.0) };
        assert_eq!(history.pace(), Some(pace));
        // Nothing new: nothing is asked.
        assert_eq!(follow(&mut history, &snapshot(10, "a"), "a"), (vec![], 0));
        let (events, _) = follow(&mut history, &snapshot(12, "a"), "a");
        assert_eq!(events, [block(2_000, 11, "a"), block(2_000, 12, "a")]);
        let (events, _) = follow(&mut history, &snapshot(13, "b"), "b");
        let found = block(2_000, 13, "b") + ", found by garage";
        assert_eq!(events, ["2000 reorg: 1 block dropped, back to height 11".into(), block(2_000, 12, "b"), found]);
        let (events, asked) = follow(&mut history, &snapshot(9_000, "b"), "b");
        assert_eq!(events, ["2000 8,987 blocks, 14 to 9,000  00000000…000b9000"]);
        assert_eq!(asked, 3, "a sync asks for no block");
    }

    #[test]
    fn a_chain_that_begins_anew_is_no_reorg() {
        let mut history = History::default();
        follow(&mut history, &snapshot(12, "a"), "a");
        // A development chain in memory, after a restart: the genesis is the same, and the block unknown.
        let ask = |questions: &[Question]| {
            let unknown = |(method, _): &&Question| *method == "chain_getBlockStatus";
            let known =
                |question| if unknown(&question) { json!({ "status": "unknown" }) } else { answer("c", question) };
            Ok(questions.iter().map(|question| Ok(known(question))).collect())
        };
        let events = history.follow(&snapshot(2, "c"), 2_000, &ask).unwrap();
        let texts: Vec<_> = events.iter().map(|event| event.text.as_str()).collect();
        assert_eq!(texts.iter().filter(|text| text.starts_with("block ")).count(), 2, "{texts:?}");
        assert!(texts.contains(&"the node does not know block 12 any more"), "{texts:?}");
        assert!(texts.iter().all(|text| !text.contains("reorg")), "{texts:?}");
    }

    #[test]
    fn another_chain_starts_from_nothing() {
        let mut history = History::default();
        follow(&mut history, &snapshot(10, "a"), "a");
        let mut other = snapshot(2, "c");
        other.chain["genesis"] = "ff".into();
        let (events, _) = follow(&mut history, &other, "c");
        assert_eq!(events.len(), 2, "{events:?}");
        let mut empty = snapshot(0, "d");
        empty.chain["genesis"] = "fe".into();
        assert_eq!(follow(&mut history, &empty, "d").0, Vec::<String>::new());
        assert_eq!(history.pace(), None);
    }

    #[test]
    fn peers_come_and_go_and_a_restart_is_seen() {
        let mut history = History::default();
        let mut seen = snapshot(0, "a");
        let peer = |id: &str| json!({ "id": id, "address": "/ip4/10.0.0.1/tcp/30303/p2p/x", "direction": "inbound", "agent": "cairn" });
        seen.peers = Ok(json!([peer("one")]));
        assert_eq!(follow(&mut history, &seen, "a").0, Vec::<String>::new());
        seen.peers = Ok(json!([peer("one"), peer("two")]));
        assert_eq!(follow(&mut history, &seen, "a").0, ["2000 peer 10.0.0.1:30303 connected, inbound: cairn"]);
        seen.peers = Ok(json!([peer("one")]));
        seen.node = json!({ "uptime": 99, "disconnected": [
            { "id": "two", "address": "/ip4/10.0.0.1/tcp/30303", "at": 1_990, "connected": 31, "reason": "does not answer pings" },
        ] });
        let expected = [
            "1990 peer 10.0.0.1:30303 left after 31 s: does not answer pings",
            "2000 the node was started again, 99 s ago",
        ];
        let (events, _) = follow(&mut history, &seen, "a");
        assert_eq!(events[0], expected[0]);
        assert!(events[1].starts_with("2000 the node was started again"), "{events:?}");
        assert_eq!(follow(&mut history, &seen, "a").0, Vec::<String>::new(), "it is told once");
    }
}
