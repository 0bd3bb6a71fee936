//! The output of a stratum client, as text or JSON.

use std::{io, time::Duration};

use cairn_client::counted;
use serde_json::{Value, json};

use super::{Options, Server, Share, message::Refusal};
use crate::{Status, Work, output::Output, work::difficulty};

/// Totals so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Hashes.
    pub hashes: u64,
    /// Accepted shares.
    pub accepted: u64,
    /// Of these, blocks.
    pub blocks: u64,
    /// Shares that came too late.
    pub stale: u64,
    /// Shares that were rejected for another reason.
    pub rejected: u64,
}

impl Totals {
    pub(super) fn count(&mut self, share: &Share, outcome: &Result<(), Refusal>) {
        match outcome {
            Ok(()) => {
                self.accepted += 1;
                self.blocks += u64::from(share.is_block);
            }
            Err(refusal) if refusal.is_stale() => self.stale += 1,
            Err(_) => self.rejected += 1,
        }
    }

    fn to_json(self) -> Value {
        json!({
            "hashes": self.hashes, "accepted": self.accepted, "blocks": self.blocks, "stale": self.stale,
            "rejected": self.rejected,
        })
    }

    fn text(&self) -> String {
        let shares = counted(self.accepted, "share");
        format!("{shares}, {}, {} stale, {} rejected", counted(self.blocks, "block"), self.stale, self.rejected)
    }
}

/// One event to report.
#[derive(Clone, Copy, Debug)]
pub enum Note<'a> {
    /// Mining begins.
    Started {
        /// For whom.
        options: &'a Options,
        /// Name of the hash kernel.
        kernel: &'a str,
    },
    /// A server answers.
    Connected(&'a Server),
    /// There is new work.
    Work(&'a Work),
    /// A share was accepted or rejected.
    Share(&'a Share, &'a Result<(), Refusal>),
    /// All of the newest job was searched.
    Exhausted,
    /// The server has a text for its miners.
    Show(&'a str),
    /// A session ended, or did not begin.
    Waiting {
        /// With whom.
        server: &'a Server,
        /// Why.
        reason: &'a str,
        /// Delay before the next connection.
        delay: Duration,
    },
    /// A second has passed.
    Status {
        /// The state of the search.
        status: &'a Status,
        /// Totals so far.
        totals: &'a Totals,
    },
    /// Mining has ended.
    Ended(&'a Totals),
}

/// Writes events, as text or JSON.
pub struct Reporter {
    json: bool,
    output: Output,
}

impl Reporter {
    /// Writes to standard output, the status line to standard error.
    pub fn new(json: bool) -> Self {
        Self { json, output: Output::new(json) }
    }

    /// Why output could not be written, if so.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.output.failure()
    }

    pub(super) fn note(&mut self, note: &Note<'_>) {
        if let Note::Status { status, .. } = note
            && !self.output.status(status.elapsed, text(note).as_deref())
        {
            return;
        }
        let line = if self.json { Some(json(note).to_string()) } else { text(note) };
        if let Some(line) = line {
            self.output.line(&line);
        }
    }
}

/// The line of text for an event, if it has one.
fn text(note: &Note<'_>) -> Option<String> {
    Some(match note {
        Note::Started { options, kernel } => {
            let servers: Vec<_> = options.servers.iter().map(Server::to_string).collect();
            let (servers, threads) = (servers.join(", "), counted(options.threads as u64, "thread"));
            format!("Mining for {servers} as {} on {threads} ({kernel}). Ctrl-C ends it.", options.worker.user)
        }
        Note::Connected(server) => format!("Connected to {server}."),
        Note::Work(_) => return None,
        Note::Share(share, Ok(())) if share.is_block => format!("Block {} found: {}", share.height, share.hash),
        Note::Share(share, Ok(())) => format!("Share accepted: {}", share.hash),
        Note::Share(share, Err(refusal)) => format!("Share rejected ({}): {}", refusal.text, share.hash),
        Note::Exhausted => "The job is searched through; waiting for the next.".into(),
        Note::Show(text) => format!("The server says: {text}"),
        Note::Waiting { server, reason, delay } => {
            format!("{server}: {reason}. The next connection is in {:.1} s.", delay.as_secs_f64())
        }
        Note::Status { status, totals } => status.line(&totals.text()),
        Note::Ended(totals) => format!("Ended: {}.", totals.text()),
    })
}

fn json(note: &Note<'_>) -> Value {
    let with = |mut value: Value, event: &str| {
        value["event"] = event.into();
        value
    };
    match note {
        Note::Started { options, kernel } => {
            let servers: Vec<_> = options.servers.iter().map(Server::to_string).collect();
            let (user, threads) = (&options.worker.user, options.threads);
            json!({ "event": "started", "stratum": servers, "user": user, "threads": threads, "kernel": kernel })
        }
        Note::Connected(server) => json!({ "event": "connected", "stratum": server.to_string() }),
        Note::Work(work) => {
            json!({ "event": "work", "height": work.height, "difficulty": difficulty(work.target) })
        }
        Note::Share(share, outcome) => {
            let reason = outcome.as_ref().err().map(|refusal| refusal.text.as_str());
            json!({
                "event": "share", "hash": share.hash.to_string(), "height": share.height, "block": share.is_block,
                "accepted": outcome.is_ok(), "reason": reason,
            })
        }
        Note::Exhausted => json!({ "event": "exhausted" }),
        Note::Show(text) => json!({ "event": "message", "text": text }),
        Note::Waiting { server, reason, delay } => {
            let seconds = delay.as_secs_f64();
            json!({ "event": "waiting", "stratum": server.to_string(), "reason": reason, "retrySeconds": seconds })
        }
        Note::Status { status, totals } => status.json(totals.to_json()),
        Note::Ended(totals) => with(totals.to_json(), "ended"),
    }
}
