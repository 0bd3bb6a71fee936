//! Blocks that were found here and became the tip, by those that stratum does not count: how many, and the last of them.

use chain_core::{block::Block, hash::BlockHash, transaction::coin::Lock, units::Height};
use std::collections::VecDeque;

/// Blocks that are remembered.
const LAST: usize = 20;

/// Who found a block with a template of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finder {
    /// The miner of this process.
    Own,
    /// A miner that calls `miner_getTemplate`, as `cairn-miner --rpc`.
    Rpc,
    /// A miner that calls `getblocktemplate`.
    GetBlockTemplate,
}

impl Finder {
    /// All, with their names in JSON.
    pub const ALL: [(Self, &str); 3] =
        [(Self::Own, "own"), (Self::Rpc, "rpc"), (Self::GetBlockTemplate, "getblocktemplate")];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// A block that was found here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// By whom.
    pub finder: Finder,
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: BlockHash,
    /// Whom it pays first.
    pub payout: Option<Lock>,
    /// When it was found, in Unix time.
    pub time: u64,
}

impl Found {
    /// What is remembered of a block.
    pub fn of(block: &Block, finder: Finder, time: u64) -> Self {
        let coinbase = block.coinbase();
        let payout = coinbase.and_then(|coinbase| coinbase.outputs.first()).map(|output| output.lock);
        Self { finder, height: coinbase.map_or(0, |coinbase| coinbase.height), hash: block.hash(), payout, time }
    }
}

/// All of them since the start of the node.
#[derive(Clone, Debug, Default)]
pub struct FoundBlocks {
    counts: [u64; Finder::ALL.len()],
    last: VecDeque<Found>,
}

impl FoundBlocks {
    /// One more, which is the tip now.
    pub fn add(&mut self, found: Found) {
        self.counts[found.finder as usize] += 1;
        self.last.push_front(found);
        self.last.truncate(LAST);
    }

    /// How many a finder found.
    pub fn count(&self, finder: Finder) -> u64 {
        self.counts[finder as usize]
    }

    /// The last ones, newest first.
    pub fn last(&self) -> impl Iterator<Item = &Found> {
        self.last.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_blocks_are_counted_by_finder_and_the_last_are_remembered() {
        let found = |finder, height| Found { finder, height, hash: BlockHash([7; 32]), payout: None, time: 1 };
        let mut all = FoundBlocks::default();
        (0..30).for_each(|height| all.add(found(Finder::Own, height)));
        all.add(found(Finder::GetBlockTemplate, 30));
        assert_eq!(Finder::ALL.map(|(finder, _)| all.count(finder)), [30, 0, 1]);
        assert!(all.last().map(|found| found.height).eq((11..=30).rev()));
        assert_eq!(all.last().next().unwrap().finder.name(), "getblocktemplate");
    }
}
