//! The miner's output, as text or JSON.

use std::{
    io::{self, Write},
    time::Duration,
};

use cairn_client::counted;
use chain_core::{hash::BlockHash, units::Height};
use serde_json::{Value, json};

use super::{NodeError, Submitted};
use crate::{output::Output, status::Status};

/// Totals so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Hashes.
    pub hashes: u64,
    /// Blocks found.
    pub found: u64,
    /// Of these, those that became the tip.
    pub accepted: u64,
    /// Stale blocks.
    pub stale: u64,
    /// Blocks that the node rejected or never received.
    pub lost: u64,
}

impl Totals {
    pub(super) fn count(&mut self, outcome: &Result<Submitted, NodeError>) {
        match outcome {
            Ok(submitted) if submitted.is_connected() => self.accepted += 1,
            Ok(_) => self.stale += 1,
            Err(error) if error.is_stale() => self.stale += 1,
            Err(_) => self.lost += 1,
        }
    }

    fn to_json(self) -> Value {
        json!({ "hashes": self.hashes, "found": self.found, "accepted": self.accepted, "stale": self.stale, "lost": self.lost })
    }
}

/// One event to report.
#[derive(Clone, Copy, Debug)]
pub enum Note<'a> {
    /// Mining begins.
    Started {
        /// The node.
        url: &'a str,
        /// Threads that search.
        threads: usize,
        /// Name of the hash kernel.
        kernel: &'a str,
    },
    /// There is new work.
    Work {
        /// Height of the block to find.
        height: Height,
        /// The node's id of the template.
        id: &'a str,
    },
    /// The node does not answer.
    Waiting {
        /// Why.
        error: &'a NodeError,
        /// Delay before the next retry.
        delay: Duration,
    },
    /// A template was searched completely without a hit.
    Exhausted(&'a str),
    /// A block was found and submitted.
    Block {
        /// Its hash.
        hash: BlockHash,
        /// Its height.
        height: Height,
        /// The node's response.
        outcome: &'a Result<Submitted, NodeError>,
    },
    /// A second has passed.
    Status {
        /// The state of the search.
        status: &'a Status,
        /// Totals so far.
        totals: &'a Totals,
    },
    /// Mining has ended.
    Ended {
        /// All of them.
        totals: &'a Totals,
        /// Whether by an error, which is reported elsewhere.
        failed: bool,
    },
}

/// Writes events, as text or JSON.
pub struct Reporter {
    json: bool,
    output: Output,
    waiting: bool,
}

impl Reporter {
    /// Writes to standard output, the status line to standard error.
    pub fn new(json: bool) -> Self {
        Self { json, output: Output::new(json), waiting: false }
    }

    /// Writes somewhere else, without a status line that stays in place.
    pub fn to(lines: Box<dyn Write>, json: bool) -> Self {
        Self { json, output: Output::to(lines), waiting: false }
    }

    /// Why output could not be written, if so.
    pub fn failure(&mut self) -> Option<io::Error> {
        self.output.failure()
    }

    /// Reports one event.
    pub fn note(&mut self, note: &Note<'_>) {
        if let Note::Status { status, .. } = note {
            // While the node does not answer, the reason stays.
            let shown = if self.waiting { None } else { text(note) };
            if !self.output.status(status.elapsed, shown.as_deref()) {
                return;
            }
        }
        let was_waiting = std::mem::replace(&mut self.waiting, matches!(note, Note::Waiting { .. }));
        let line = if self.json { Some(json(note).to_string()) } else { text(note) };
        // A node that stays offline is reported once, not every ten seconds.
        let repeated = was_waiting && self.waiting && !self.json;
        if let Some(line) = line.filter(|_| !repeated) {
            self.output.line(&line);
        }
    }
}

/// The line of text for an event, if it has one.
fn text(note: &Note<'_>) -> Option<String> {
    Some(match note {
        Note::Started { url, threads, kernel } => {
            format!("Mining for {url} on {} ({kernel}). Ctrl-C ends it.", counted(*threads as u64, "thread"))
        }
        Note::Work { .. } => return None,
        Note::Waiting { error, .. } if error.may_pass() => format!("Waiting: {error}."),
        Note::Waiting { error, .. } => error.to_string(),
        Note::Exhausted(id) => format!("Template {id} is searched through; waiting for the next."),
        Note::Block { hash, height, outcome } => match outcome {
            Ok(submitted) if submitted.is_connected() => format!("Block {height} found: {hash}"),
            Ok(submitted) => format!("Block {height} found, but it is not the tip ({}): {hash}", submitted.status),
            Err(error) if error.is_stale() => format!("Block {height} found too late: {hash}"),
            Err(error) => format!("Block {height} found and lost: {hash}: {error}"),
        },
        Note::Status { status, totals } => {
            let blocks = counted(totals.accepted, "block");
            status.line(&format!("{blocks}, {} stale, {} lost", totals.stale, totals.lost))
        }
        // Then the error says all.
        Note::Ended { totals, failed: true } if totals.found == 0 => return None,
        Note::Ended { totals, .. } => {
            format!("Ended: {}, {} stale, {} lost.", counted(totals.accepted, "block"), totals.stale, totals.lost)
        }
    })
}

fn json(note: &Note<'_>) -> Value {
    match note {
        Note::Started { url, threads, kernel } => {
            json!({ "event": "started", "rpc": url, "threads": threads, "kernel": kernel })
        }
        Note::Work { height, id } => json!({ "event": "work", "height": height, "id": id }),
        Note::Waiting { error, delay } => {
            json!({ "event": "waiting", "reason": error.to_string(), "retrySeconds": delay.as_secs_f64() })
        }
        Note::Exhausted(id) => json!({ "event": "exhausted", "id": id }),
        Note::Block { hash, height, outcome } => {
            let status = match outcome {
                Ok(submitted) => submitted.status.as_str(),
                Err(error) if error.is_stale() => "stale",
                Err(_) => "lost",
            };
            let error = outcome.as_ref().err().map(ToString::to_string);
            json!({ "event": "block", "hash": hash.to_string(), "height": height, "status": status, "error": error })
        }
        Note::Status { status, totals } => status.json(totals.to_json()),
        Note::Ended { totals, .. } => {
            let mut value = totals.to_json();
            value["event"] = "ended".into();
            value
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_core::U256;

    fn submitted(status: &str) -> Result<Submitted, NodeError> {
        Ok(Submitted { status: status.into() })
    }

    fn refused(reason: &str) -> Result<Submitted, NodeError> {
        Err(NodeError::Refused { code: -32003, message: "no".into(), reason: Some(reason.into()) })
    }

    #[test]
    fn counts_what_became_of_blocks() {
        let mut totals = Totals::default();
        for outcome in [submitted("connected"), submitted("stored"), refused("stale"), refused("invalid")] {
            totals.count(&outcome);
        }
        assert_eq!((totals.accepted, totals.stale, totals.lost), (1, 2, 1));
    }

    #[test]
    fn writes_notes_for_people_and_programs() {
        let totals = Totals { hashes: 5, found: 3, accepted: 2, stale: 1, lost: 0 };
        let status = Status {
            hash_rates: vec![4e5, 6e5],
            height: 9,
            target: U256::MAX >> 32,
            best: Some(U256::from(0xffff_u32) << 210),
            celsius: Some(61.5),
            elapsed: Duration::from_secs(61),
        };
        let note = Note::Status { status: &status, totals: &totals };
        let rates = "1.00 MH/s (500.00 kH/s a thread)  height 9";
        let rest = "2 blocks, 1 stale, 0 lost  62 °C  0:01:01";
        assert_eq!(text(&note).unwrap(), format!("{rates}  a block in 72 min  best 0.2500  {rest}"));
        let value = json(&note);
        assert_eq!((&value["hashrate"], &value["bestDifficulty"]), (&json!(1e6), &json!(0.25)));
        assert_eq!((&value["threadHashrates"], &value["celsius"]), (&json!([4e5, 6e5]), &json!(61.5)));
        assert_eq!(value["blockSeconds"].as_f64().map(f64::round), Some(4_295.0));
        let idle = Status { hash_rates: vec![0.0], ..Status::default() };
        let note = Note::Status { status: &idle, totals: &totals };
        assert_eq!(text(&note).unwrap(), "0.00 H/s  height 0  2 blocks, 1 stale, 0 lost  0:00:00");
        assert_eq!(json(&note)["blockSeconds"], Value::Null);
        let (hash, outcome) = (BlockHash::default(), refused("stale"));
        let started = Note::Started { url: "u", threads: 1, kernel: "k" };
        assert_eq!(text(&started).unwrap(), "Mining for u on 1 thread (k). Ctrl-C ends it.");
        let one = Totals { accepted: 1, ..totals };
        for failed in [false, true] {
            let ended = Note::Ended { totals: &one, failed };
            assert_eq!(text(&ended).unwrap(), "Ended: 1 block, 1 stale, 0 lost.");
        }
        assert_eq!(text(&Note::Ended { totals: &Totals::default(), failed: true }), None);
        let block = Note::Block { hash, height: 9, outcome: &outcome };
        assert_eq!(text(&block).unwrap(), format!("Block 9 found too late: {hash}"));
        assert_eq!(json(&block)["status"], "stale");
        assert_eq!(json(&Note::Ended { totals: &totals, failed: false })["accepted"], 2);
    }
}
