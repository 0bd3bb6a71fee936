//! What is shown: the last snapshot, what happened, and whether the node answers.

use serde_json::Value;
use std::collections::VecDeque;

use super::{
    event::{Event, Kind},
    snapshot::{Answer, Snapshot},
    texts::shown,
};
use crate::error::CommandError;

/// Events that are kept: more than any terminal has lines.
const KEPT: usize = 500;

/// Snapshots over which the rate of a sync is measured.
const RATE: usize = 30;

/// All that a frame shows.
pub struct View {
    /// Where the node is.
    pub url: String,
    /// The last that the node said.
    pub snapshot: Option<Snapshot>,
    /// Why there is nothing newer.
    pub failure: Option<CommandError>,
    /// Seconds until it is asked again; `None` while it is asked.
    pub retry: Option<u64>,
    /// Whether it is left alone.
    pub paused: bool,
    /// Oldest first.
    pub events: VecDeque<Event>,
    /// The node's log as far as it was seen; empty for those who may not read it.
    pub log: VecDeque<Event>,
    /// Seconds since 1970.
    pub now: u64,
    /// Times and heights of the last snapshots of a sync.
    synced: VecDeque<(u64, u64)>,
}

impl View {
    /// Nothing is known yet.
    pub fn new(url: String) -> Self {
        Self {
            url,
            snapshot: None,
            failure: None,
            retry: None,
            paused: false,
            events: VecDeque::new(),
            log: VecDeque::new(),
            now: 0,
            synced: VecDeque::new(),
        }
    }

    /// Takes what the node said, or that it said nothing.
    pub fn take(&mut self, answer: Answer, now: u64) {
        self.now = now;
        match answer {
            Ok(mut snapshot) => {
                if self.failure.take().is_some() {
                    self.note(Event::new(now, Kind::Warning, "the node answers again"));
                }
                std::mem::take(&mut snapshot.events).into_iter().for_each(|event| keep(&mut self.events, event));
                match snapshot.log.take() {
                    Some(lines) => lines.into_iter().for_each(|line| keep(&mut self.log, line)),
                    // The cookie is gone: what was read is old by now.
                    None => self.log.clear(),
                }
                self.measure(&snapshot);
                self.snapshot = Some(snapshot);
            }
            Err(failure) => {
                if self.failure.is_none() && self.snapshot.is_some() {
                    self.note(Event::new(now, Kind::Warning, said(&failure)));
                }
                self.failure = Some(failure);
            }
        }
    }

    /// Notes what only this side knows.
    fn note(&mut self, event: Event) {
        if !self.log.is_empty() {
            keep(&mut self.log, event.clone());
        }
        keep(&mut self.events, event);
    }

    fn measure(&mut self, snapshot: &Snapshot) {
        if snapshot.chain["syncing"] != true {
            return self.synced.clear();
        }
        self.synced.push_back((snapshot.at, progress(&snapshot.chain).0));
        if self.synced.len() > RATE {
            self.synced.pop_front();
        }
    }

    /// Seconds until a sync is done, at its rate of the last half minute.
    pub fn seconds_left(&self) -> Option<u64> {
        let (begin, end) = (self.synced.front()?, self.synced.back()?);
        let (seconds, blocks) = (end.0.saturating_sub(begin.0), end.1.saturating_sub(begin.1));
        let (current, highest) = progress(&self.snapshot.as_ref()?.chain);
        let left = highest.saturating_sub(current);
        // One second says little.
        (seconds > 1 && blocks > 0).then(|| (u128::from(left) * u128::from(seconds) / u128::from(blocks)) as u64)
    }

    /// Why there is nothing newer, and when it is tried again.
    pub fn trouble(&self) -> Option<String> {
        let failure = said(self.failure.as_ref()?);
        Some(match self.retry {
            _ if self.paused => failure,
            Some(seconds @ 1..) => format!("{failure}, trying again in {seconds} s"),
            _ => format!("{failure}, trying again"),
        })
    }
}

/// Adds an event, and forgets the first of too many.
fn keep(events: &mut VecDeque<Event>, event: Event) {
    events.push_back(event);
    if events.len() > KEPT {
        events.pop_front();
    }
}

/// How far a sync is: blocks connected, and the height of the best header.
pub fn progress(chain: &Value) -> (u64, u64) {
    let sync = &chain["sync"];
    let current = sync["current"].as_u64().or(chain["height"].as_u64()).unwrap_or_default();
    let highest = sync["highest"].as_u64().or(chain["headers"].as_u64()).unwrap_or_default();
    (current, highest.max(current))
}

/// A failure in a line that goes on.
fn said(failure: &CommandError) -> String {
    match failure {
        CommandError::NoAnswer { url, reason } => format!("no answer from {url} ({})", shown(reason)),
        CommandError::Busy { url, seconds } => format!("no answer from {url} within {seconds} s"),
        other => shown(&other.to_string()),
    }
}
