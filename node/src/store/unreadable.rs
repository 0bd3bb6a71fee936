//! Bodies that the disk does not give back, although they are stored: noted by the reader, fetched again by the engine.
//!
//! A block that cannot be read says nothing about the state, which was made from it long ago. The node goes on without it.

use parking_lot::Mutex;
use std::collections::BTreeSet;

use super::{BlockRef, Store, prune::is_pruned};
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
}

impl Store {
    /// The encoding of a stored block for somebody else; `None` if there is none, or it cannot be read, which is noted.
    pub fn body_for_others(&self, at: BlockRef) -> Option<Vec<u8>> {
        let reason = match self.body_bytes(at) {
            Ok(None) if is_pruned(at, self.pruned) => return None,
            Ok(None) => "it is missing".to_owned(),
            Ok(Some(bytes)) => return Some(bytes),
            Err(error) => error.cause(),
        };
        self.unreadable.note(at, &reason);
        None
    }

    /// Notes that what is stored of a block is not that block.
    pub fn note_unreadable(&self, at: BlockRef, reason: &str) {
        self.unreadable.note(at, reason);
    }

    /// Blocks that could not be read when somebody asked for them, and were not stored again since.
    pub fn unreadable(&self) -> Vec<BlockRef> {
        let blocks = &mut self.unreadable.0.lock().blocks;
        blocks.retain(|at| !is_pruned(*at, self.pruned));
        blocks.iter().copied().collect()
    }

    /// Whether a block is among [`Store::unreadable`].
    pub fn is_unreadable(&self, at: BlockRef) -> bool {
        self.unreadable.0.lock().blocks.contains(&at)
    }

    /// A block was stored again.
    pub fn forget_unreadable(&self, at: BlockRef) {
        let mut unreadable = self.unreadable.0.lock();
        unreadable.blocks.remove(&at);
        unreadable.is_full &= unreadable.blocks.len() >= MOST;
    }
}
