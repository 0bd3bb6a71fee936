//! Pruning: bodies, undo data and receipts of blocks far below the tip are deleted. Headers, the state and the indexes
//! stay, so that the chain goes on and balances and histories are known; only what those blocks held is gone.

use chain_core::{hash::BlockHash, units::Height};

use super::{BlockRef, Column, KeyRange, Store, StoreError, schema};

/// What is deleted of a block.
const PRUNED: [Column; 3] = [Column::Bodies, Column::Undo, Column::Receipts];

/// Blocks that are pruned together at least: each time the database rewrites its lists of what is left.
const AT_ONCE: Height = 64;

impl Store {
    /// The highest block that was pruned; 0 if none was. All above it are stored.
    pub fn pruned(&self) -> Height {
        self.pruned
    }

    /// Up to where blocks are pruned by the next flush, if that is worth it.
    pub(super) fn prunable(&self) -> Option<Height> {
        let height = self.tip.at.height.checked_sub(self.config.prune?)?;
        (height >= self.pruned.saturating_add(AT_ONCE)).then_some(height)
    }

    /// Deletes what is beyond a height, which the disk says already: after a crash, the next pruning deletes the rest.
    pub(super) fn prune(&mut self, height: Height) -> Result<(), StoreError> {
        self.pruned = height;
        let result = self.kv.delete_range(&PRUNED, &up_to(height));
        self.stopped = result.is_err();
        result
    }

    /// The failure of a block that should be stored.
    pub fn missing_body(&self, at: BlockRef) -> StoreError {
        StoreError::no_body(at, self.pruned)
    }
}

/// Keys of all blocks up to a height but the genesis block's, on any branch.
fn up_to(height: Height) -> KeyRange {
    let first = |height| schema::block_key(BlockRef { height, hash: BlockHash::default() }).to_vec();
    KeyRange { from: first(1), to: height.checked_add(1).map(first) }
}
