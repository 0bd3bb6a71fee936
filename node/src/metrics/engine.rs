//! Chain, engine and mempool: what happens there as it happens.

use metrics::{Counter, Gauge, Histogram};
use std::time::Duration;

use super::{Recorder, family::Family};
use crate::mempool::{RemovalReason, SubmitError};

/// What takes the engine's time. The engine decides nothing by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Rules of a block that need no state.
    Check,
    /// Reading the coins that a block spends.
    Fetch,
    /// Recovering senders of account transactions.
    Recover,
    /// Executing.
    Execute,
    /// Verifying signatures.
    Verify,
    /// Applying effects to the store, in memory.
    Apply,
    /// Writing to the disk.
    Flush,
    /// Disconnecting a block.
    Disconnect,
    /// Building a block template.
    Template,
}

impl Stage {
    /// All, with their names.
    pub const ALL: [(Self, &str); 9] = [
        (Self::Check, "check"),
        (Self::Fetch, "fetch"),
        (Self::Recover, "recover"),
        (Self::Execute, "execute"),
        (Self::Verify, "verify"),
        (Self::Apply, "apply"),
        (Self::Flush, "flush"),
        (Self::Disconnect, "disconnect"),
        (Self::Template, "template"),
    ];
}

/// Handles of chain, engine and mempool.
pub struct Engine {
    stages: [Histogram; Stage::ALL.len()],
    events: Family<Histogram>,
    waiting: Gauge,
    connected: Counter,
    disconnected: Counter,
    reorgs: Histogram,
    templates: Counter,
    added: Counter,
    removed: Family<Counter>,
    rejected: Family<Counter>,
}

/// What the engine handles.
pub const EVENTS: [&str; 6] = ["transactions", "block", "peer", "tick", "continue", "request"];

impl Engine {
    pub(super) fn new(recorder: &Recorder) -> Self {
        let stage = |(_, name)| recorder.histogram("cairn_engine_stage_seconds", &[("stage", name)]);
        let event = |name| recorder.histogram("cairn_engine_event_seconds", &[("event", name)]);
        let removed = |reason| recorder.counter("cairn_mempool_removed_total", &[("reason", reason)]);
        let rejected = |reason| recorder.counter("cairn_mempool_rejected_total", &[("reason", reason)]);
        Self {
            stages: Stage::ALL.map(stage),
            events: Family::new(EVENTS, event),
            waiting: recorder.gauge("cairn_engine_queue_messages", &[("queue", "peers")]),
            connected: recorder.counter("cairn_chain_blocks_connected_total", &[]),
            disconnected: recorder.counter("cairn_chain_blocks_disconnected_total", &[]),
            reorgs: recorder.histogram("cairn_chain_reorg_depth_blocks", &[]),
            templates: recorder.counter("cairn_mining_templates_total", &[]),
            added: recorder.counter("cairn_mempool_added_total", &[]),
            removed: Family::new(RemovalReason::NAMES.iter().copied(), removed),
            rejected: Family::new(SubmitError::names(), rejected),
        }
    }

    /// A stage took so long.
    pub fn stage(&self, stage: Stage, took: Duration) {
        self.stages[stage as usize].record(took);
    }

    /// An event was handled, one of [`EVENTS`].
    pub fn handled(&self, event: &str, took: Duration) {
        if let Some(histogram) = self.events.of(event) {
            histogram.record(took);
        }
    }

    /// So many messages of peers wait.
    pub fn waiting(&self, messages: usize) {
        self.waiting.set(messages as f64);
    }

    /// The active chain has a new tip.
    pub fn new_tip(&self, connected: usize, disconnected: usize) {
        self.connected.increment(connected as u64);
        self.disconnected.increment(disconnected as u64);
        if disconnected > 0 {
            self.reorgs.record(disconnected as f64);
        }
    }

    /// A template was given out.
    pub fn template(&self) {
        self.templates.increment(1);
    }

    /// The pool took a transaction.
    pub fn added(&self) {
        self.added.increment(1);
    }

    /// A transaction left the pool, for one of the reasons that have names.
    pub fn removed(&self, reason: &str) {
        self.removed.add(reason, 1);
    }

    /// A transaction was refused, by an error of this name.
    pub fn rejected(&self, error: &str) {
        self.rejected.add(error, 1);
    }
}
