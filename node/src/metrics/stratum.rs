//! Stratum: shares by what became of them, and blocks.

use metrics::Counter;

use super::{Recorder, family::Family};
use crate::stratum::Reject;

/// What a share that counts is called.
pub const ACCEPTED: &str = "accepted";

/// What becomes of a share. Refusals have the names that `miner_getStats` has.
pub fn outcomes() -> impl Iterator<Item = &'static str> {
    [ACCEPTED].into_iter().chain(Reject::COUNTED.map(|(_, name)| name))
}

/// Handles of stratum.
pub struct Stratum {
    shares: Family<Counter>,
    blocks: Counter,
}

impl Stratum {
    pub(super) fn new(recorder: &Recorder) -> Self {
        let share = |outcome| recorder.counter("cairn_stratum_shares_total", &[("outcome", outcome)]);
        Self { shares: Family::new(outcomes(), share), blocks: recorder.counter("cairn_stratum_blocks_total", &[]) }
    }

    /// A share counts.
    pub fn accepted(&self) {
        self.shares.add(ACCEPTED, 1);
    }

    /// A share was refused, for a reason of this name.
    pub fn rejected(&self, reason: &str) {
        self.shares.add(reason, 1);
    }

    /// A miner found a block that is now the tip.
    pub fn block(&self) {
        self.blocks.increment(1);
    }
}
