//! Bodies that the disk does not give back, although they are stored: noted by the reader, fetched again by the engine.
//!
//! A block that cannot be read says nothing about the state, which was made from it long ago. The node goes on without it.

use chain_core::units::Height;
use parking_lot::Mutex;
use std::collections::BTreeSet;

use super::BlockRef;
use crate::program;

/// Blocks that are remembered. More of them are found again when somebody asks for them.
const MOST: usize = 256;

/// The blocks, for the store and its readers.
#[derive(Default)]
pub(super) struct Unreadable(Mutex<BTreeSet<BlockRef>>);

impl Unreadable {
    /// Notes a block; the log hears of it once.
    pub fn note(&self, at: BlockRef, reason: &str) {
        let mut blocks = self.0.lock();
        if blocks.len() >= MOST || !blocks.insert(at) {
            return;
        }
        drop(blocks);
        tracing::warn!(
            height = at.height,
            hash = %at.hash,
            "a stored block cannot be read from the disk: {reason}. The state is not touched by it, and the node fetches the \
             block again from its peers. If no line says soon that it is stored again, stop the node, check the disk and run \
             `{}`",
            program::on_this_data("reindex --force")
        );
    }

    /// Those that were not pruned since.
    pub fn above(&self, pruned: Height) -> Vec<BlockRef> {
        let mut blocks = self.0.lock();
        blocks.retain(|at| !at.is_pruned(pruned));
        blocks.iter().copied().collect()
    }

    /// Whether a block was noted.
    pub fn contains(&self, at: BlockRef) -> bool {
        self.0.lock().contains(&at)
    }

    /// A block was stored again.
    pub fn forget(&self, at: BlockRef) {
        self.0.lock().remove(&at);
    }
}
