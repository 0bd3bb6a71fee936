//! Blocks that cannot be judged yet: their parent is unknown, or their time is ahead of ours. Bounded both ways.

use alloy_primitives::map::HashMap;
use chain_core::{block::Block, hash::BlockHash};
use std::collections::{BTreeMap, VecDeque};

/// Most blocks of each kind.
const MOST: usize = 64;

/// Most bytes of each kind.
const MOST_BYTES: usize = 64 << 20;

/// A block that is held.
#[derive(Clone, Debug)]
struct HeldBlock {
    block: Block,
    bytes: usize,
}

/// Orphans, and blocks of the future.
#[derive(Debug, Default)]
pub(super) struct Held {
    orphans: HashMap<BlockHash, HeldBlock>,
    by_parent: HashMap<BlockHash, Vec<BlockHash>>,
    /// Orphans by arrival; may name some that are gone.
    arrivals: VecDeque<BlockHash>,
    orphan_bytes: usize,
    /// Blocks of the future by time.
    future: BTreeMap<(u32, BlockHash), HeldBlock>,
    future_bytes: usize,
}

impl Held {
    /// Whether a block is held.
    pub(super) fn contains(&self, hash: &BlockHash, time: u32) -> bool {
        self.orphans.contains_key(hash) || self.future.contains_key(&(time, *hash))
    }

    /// Holds a block whose parent is unknown; the oldest are evicted. Returns whether it is held.
    pub(super) fn hold_orphan(&mut self, hash: BlockHash, block: Block, bytes: usize) -> bool {
        if bytes > MOST_BYTES {
            return false;
        }
        self.by_parent.entry(block.header.prev).or_default().push(hash);
        self.arrivals.push_back(hash);
        self.orphan_bytes += bytes;
        self.orphans.insert(hash, HeldBlock { block, bytes });
        while self.orphans.len() > MOST || self.orphan_bytes > MOST_BYTES {
            let Some(oldest) = self.arrivals.pop_front() else { break };
            self.forget_orphan(&oldest);
        }
        true
    }

    fn forget_orphan(&mut self, hash: &BlockHash) -> Option<HeldBlock> {
        let held = self.orphans.remove(hash)?;
        self.orphan_bytes -= held.bytes;
        let parent = held.block.header.prev;
        if let Some(siblings) = self.by_parent.get_mut(&parent) {
            siblings.retain(|sibling| sibling != hash);
            if siblings.is_empty() {
                self.by_parent.remove(&parent);
            }
        }
        Some(held)
    }

    /// Takes out the blocks that waited for this parent.
    pub(super) fn children_of(&mut self, parent: &BlockHash) -> Vec<Block> {
        let hashes = self.by_parent.get(parent).cloned().unwrap_or_default();
        let children = hashes.iter().filter_map(|hash| self.forget_orphan(hash)).map(|held| held.block).collect();
        self.arrivals.retain(|hash| self.orphans.contains_key(hash));
        children
    }

    /// Holds a block whose time is ahead of ours; those furthest ahead are evicted. Returns whether it is held.
    pub(super) fn hold_future(&mut self, hash: BlockHash, block: Block, bytes: usize) -> bool {
        let key = (block.header.time, hash);
        self.future_bytes += bytes;
        self.future.insert(key, HeldBlock { block, bytes });
        while self.future.len() > MOST || self.future_bytes > MOST_BYTES {
            let Some((_, furthest)) = self.future.pop_last() else { break };
            self.future_bytes -= furthest.bytes;
        }
        self.future.contains_key(&key)
    }

    /// Takes out the blocks whose time is at most this.
    pub(super) fn due(&mut self, time: u32) -> Vec<Block> {
        let mut due = Vec::new();
        while let Some(entry) = self.future.first_entry().filter(|entry| entry.key().0 <= time) {
            let held = entry.remove();
            self.future_bytes -= held.bytes;
            due.push(held.block);
        }
        due
    }
}

#[cfg(test)]
impl Held {
    pub(super) fn orphans(&self) -> usize {
        self.orphans.len()
    }

    pub(super) fn future(&self) -> usize {
        self.future.len()
    }
}
