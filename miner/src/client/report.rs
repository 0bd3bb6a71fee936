//! The miner's output, as text or JSON.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use chain_core::{hash::BlockHash, units::Height};
use serde_json::{Value, json};

use super::{NodeError, Submitted};

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
        /// Hashes per second.
        hash_rate: f64,
        /// Height of the block that is searched.
        height: Height,
        /// Totals so far.
        totals: &'a Totals,
        /// Since the start.
        elapsed: Duration,
    },
    /// Mining has ended.
    Ended {
        /// All of them.
        totals: &'a Totals,
        /// Whether by an error, which is reported elsewhere.
        failed: bool,
    },
}

/// Writes events: lines of text with a status line that stays in place, or one JSON object per line.
pub struct Reporter {
    json: bool,
    lines: Box<dyn Write>,
    /// Whether standard error is a terminal, so that the status line can be overwritten.
    live: bool,
    /// The first error of a write.
    failure: Option<io::Error>,
    last_status: Option<Duration>,
    waiting: bool,
}

/// Interval between two status lines if they cannot be overwritten.
const STATUS_INTERVAL: Duration = Duration::from_secs(30);

impl Reporter {
    /// Writes to standard output, the status line to standard error.
    pub fn new(json: bool) -> Self {
        Self { live: !json && io::stderr().is_terminal(), ..Self::to(Box::new(io::stdout()), json) }
    }

    /// Writes somewhere else, without a status line that stays in place.
    pub fn to(lines: Box<dyn Write>, json: bool) -> Self {
        Self { json, lines, live: false, failure: None, last_status: None, waiting: false }
    }

    /// Why output could not be written, if so. A reader that closes its end, as `head` does, is not an error.
    pub fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Reports one event.
    pub fn note(&mut self, note: &Note<'_>) {
        if let Note::Status { elapsed, .. } = note {
            if self.live && !self.waiting {
                let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
                // A line that wraps cannot be overwritten.
                let line: String = text(note).unwrap_or_default().chars().take(width.saturating_sub(1)).collect();
                let _ = write!(io::stderr(), "\r\x1b[2K{line}");
            }
            if self.live || self.last_status.is_some_and(|last| *elapsed < last + STATUS_INTERVAL) {
                return;
            }
            self.last_status = Some(*elapsed);
        }
        let was_waiting = std::mem::replace(&mut self.waiting, matches!(note, Note::Waiting { .. }));
        let line = if self.json { Some(json(note).to_string()) } else { text(note) };
        // A node that stays offline is reported once, not every ten seconds.
        let repeated = was_waiting && self.waiting && !self.json;
        if let Some(line) = line.filter(|_| !repeated) {
            if self.live {
                let _ = write!(io::stderr(), "\r\x1b[2K");
            }
            match writeln!(self.lines, "{line}").and_then(|()| self.lines.flush()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => self.failure = Some(error),
                _ => {}
            }
        }
    }
}

/// The line of text for an event, if it has one.
fn text(note: &Note<'_>) -> Option<String> {
    Some(match note {
        Note::Started { url, threads } => {
            format!("Mining for {url} on {}. Ctrl-C ends it.", counted(*threads as u64, "thread"))
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
        Note::Status { hash_rate, height, totals, elapsed } => format!(
            "{}  height {height}  {}, {} stale, {} lost  {}",
            rate(*hash_rate),
            counted(totals.accepted, "block"),
            totals.stale,
            totals.lost,
            clock(*elapsed)
        ),
        // Then the error says all.
        Note::Ended { totals, failed: true } if totals.found == 0 => return None,
        Note::Ended { totals, .. } => {
            format!("Ended: {}, {} stale, {} lost.", counted(totals.accepted, "block"), totals.stale, totals.lost)
        }
    })
}

fn json(note: &Note<'_>) -> Value {
    match note {
        Note::Started { url, threads } => json!({ "event": "started", "rpc": url, "threads": threads }),
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
        Note::Status { hash_rate, height, totals, elapsed } => {
            let mut value = totals.to_json();
            value["event"] = "status".into();
            value["hashrate"] = json!(hash_rate);
            value["height"] = json!(height);
            value["seconds"] = json!(elapsed.as_secs());
            value
        }
        Note::Ended { totals, .. } => {
            let mut value = totals.to_json();
            value["event"] = "ended".into();
            value
        }
    }
}

/// As in `1 block` and `2 blocks`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// As in `12.34 MH/s`.
fn rate(hash_rate: f64) -> String {
    let units = [(1e12, "TH/s"), (1e9, "GH/s"), (1e6, "MH/s"), (1e3, "kH/s"), (1.0, "H/s")];
    let (unit, name) = units.into_iter().find(|(unit, _)| hash_rate >= *unit).unwrap_or((1.0, "H/s"));
    format!("{:.2} {name}", hash_rate / unit)
}

/// As in `1:02:03`.
fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submitted(status: &str) -> Result<Submitted, NodeError> {
        Ok(Submitted { hash: "00".into(), status: status.into() })
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
    fn shows_rates_and_times() {
        assert_eq!(rate(0.0), "0.00 H/s");
        assert_eq!(rate(999.0), "999.00 H/s");
        assert_eq!(rate(12_345_678.0), "12.35 MH/s");
        assert_eq!(rate(2.5e14), "250.00 TH/s");
        assert_eq!(clock(Duration::from_secs(3_723)), "1:02:03");
    }

    #[test]
    fn writes_notes_for_people_and_programs() {
        let totals = Totals { hashes: 5, found: 3, accepted: 2, stale: 1, lost: 0 };
        let elapsed = Duration::from_secs(61);
        let status = Note::Status { hash_rate: 1e6, height: 9, totals: &totals, elapsed };
        assert_eq!(text(&status).unwrap(), "1.00 MH/s  height 9  2 blocks, 1 stale, 0 lost  0:01:01");
        assert_eq!(json(&status)["hashrate"], 1e6);
        let (hash, outcome) = (BlockHash::default(), refused("stale"));
        assert_eq!(text(&Note::Started { url: "u", threads: 1 }).unwrap(), "Mining for u on 1 thread. Ctrl-C ends it.");
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
