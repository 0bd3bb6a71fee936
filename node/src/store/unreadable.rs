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
pub(super) struct Unreadable(Mutex<Noted>);

#[derive(Default)]
struct Noted {
    blocks: BTreeSet<BlockRef>,
    /// Whether the log was told that there are more of them than are remembered.
    is_full: bool,
}

impl Unreadable {
    /// Notes a block; the log hears of it once.
    pub fn note(&self, at: BlockRef, reason: &str) {
        let mut unreadable = self.0.lock();
        if unreadable.blocks.contains(&at) {
            return;
        }
        if unreadable.blocks.len() >= MOST {
            if !std::mem::replace(&mut unreadable.is_full, true) {
                drop(unreadable);
                tracing::warn!(
                    "{MOST} stored blocks cannot be read from the disk; more are not noted until some of these have come from peers. \
                     Stop the node, check the disk and run `{}`",
                    program::on_this_data("reindex --force")
                );
            }
            return;
        }
        unreadable.blocks.insert(at);
        drop(unreadable);
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
        let blocks = &mut self.0.lock().blocks;
        blocks.retain(|at| !at.is_pruned(pruned));
        blocks.iter().copied().collect()
    }

    /// Whether a block was noted.
    pub fn contains(&self, at: BlockRef) -> bool {
        self.0.lock().blocks.contains(&at)
    }

    /// A block was stored again.
    pub fn forget(&self, at: BlockRef) {
        let mut unreadable = self.0.lock();
        unreadable.blocks.remove(&at);
        unreadable.is_full &= unreadable.blocks.len() >= MOST;
    }
}
