//! Stratum: shares by what became of them, and blocks.

use metrics::Counter;

use super::Recorder;

/// What becomes of a share. Refusals have the names that `miner_getStats` has.
pub const OUTCOMES: [&str; 8] =
    ["accepted", "jobNotFound", "stale", "duplicate", "lowDifficulty", "versionMask", "ntime", "extranonce2"];

/// Handles of stratum.
pub struct Stratum {
    shares: [Counter; OUTCOMES.len()],
    blocks: Counter,
}

impl Stratum {
    pub(super) fn new(recorder: &Recorder) -> Self {
        let share = |outcome| recorder.counter("cairn_stratum_shares_total", &[("outcome", outcome)]);
        Self { shares: OUTCOMES.map(share), blocks: recorder.counter("cairn_stratum_blocks_total", &[]) }
    }

    /// A share was judged, with one of [`OUTCOMES`].
    pub fn share(&self, outcome: &str) {
        let found = OUTCOMES.iter().position(|known| *known == outcome);
        debug_assert!(found.is_some(), "{outcome} is not an outcome");
        found.into_iter().for_each(|index| self.shares[index].increment(1));
    }

    /// A miner found a block that is now the tip.
    pub fn block(&self) {
        self.blocks.increment(1);
    }
}
