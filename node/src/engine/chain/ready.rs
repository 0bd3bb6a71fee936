//! Blocks that are checked and wait to be connected, so that they need not be read and checked again. Bounded: what has no
//! room is read from the store.

use chain_core::{block::CheckedBlock, hash::BlockHash, units::Height};
use std::collections::HashMap;

/// Most encoded bytes of all blocks here. Decoded they take up to eight times as much if an attacker made them for that
/// (`chain-core/tests/decoded_memory.rs`), else about twice.
const MOST_BYTES: usize = 48 << 20;

/// Checked blocks by hash.
#[derive(Debug, Default)]
pub(super) struct Ready {
    blocks: HashMap<BlockHash, (Height, CheckedBlock)>,
    bytes: usize,
}

impl Ready {
    /// Keeps a block if there is room.
    pub(super) fn insert(&mut self, height: Height, block: CheckedBlock) {
        if self.bytes + block.size() <= MOST_BYTES {
            self.bytes += block.size();
            if let Some((_, before)) = self.blocks.insert(block.hash(), (height, block)) {
                self.bytes -= before.size();
            }
        }
    }

    /// Takes a block out.
    pub(super) fn take(&mut self, hash: &BlockHash) -> Option<CheckedBlock> {
        let (_, block) = self.blocks.remove(hash)?;
        self.bytes -= block.size();
        Some(block)
    }

    /// A block.
    pub(super) fn get(&self, hash: &BlockHash) -> Option<&CheckedBlock> {
        self.blocks.get(hash).map(|(_, block)| block)
    }

    /// Forgets blocks of this height and below, which the chain has passed by.
    pub(super) fn forget_up_to(&mut self, height: Height) {
        self.blocks.retain(|_, (at, _)| *at > height);
        self.bytes = self.blocks.values().map(|(_, block)| block.size()).sum();
    }
}
