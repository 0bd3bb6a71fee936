//! What was said of blocks on demand: the clock of the chain, the next block, snapshots.

use cairn_client::unix;
use chain_core::hash::BlockHash;
use std::{collections::BTreeMap, time::Duration};

/// Snapshots that are remembered: the oldest is forgotten, so that a loop of tests fills no memory.
pub(super) const SNAPSHOTS: usize = 10_000;

/// What was said of blocks on demand.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// Each transaction that comes in is mined at once.
    pub(super) automine: bool,
    /// Between blocks that are mined by the clock.
    pub(super) interval: Option<Duration>,
    /// Seconds by which the chain's clock is ahead of this machine's.
    pub(super) offset: i64,
    pub(super) next_time: Option<u32>,
    /// Seconds from one block to the next, whatever the clock shows.
    pub(super) step: Option<u32>,
    pub(super) next_base_fee: Option<u64>,
    /// In the `extra` of each block, so that no two are alike: one that was reverted must not come again.
    pub(super) count: u64,
    pub(super) snapshots: BTreeMap<u64, BlockHash>,
    pub(super) last_snapshot: u64,
    /// Names this chain of this process until it is reset.
    pub(super) instance: Option<[u8; 32]>,
}

/// How blocks on demand are made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemandStatus {
    /// Whether each transaction is mined at once.
    pub automine: bool,
    /// Between blocks that are mined by the clock.
    pub interval: Option<Duration>,
    /// Seconds by which the chain's clock is ahead of this machine's.
    pub offset: i64,
}

impl Demand {
    /// What the clock of the chain shows.
    pub(super) fn time(&self) -> u32 {
        u32::try_from(wall().saturating_add(self.offset).max(0)).unwrap_or(u32::MAX)
    }

    pub(super) fn set_time(&mut self, time: u32) {
        self.offset = i64::from(time) - wall();
    }
}

fn wall() -> i64 {
    i64::try_from(unix()).unwrap_or(i64::MAX)
}
