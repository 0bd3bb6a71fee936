//! Templates that were given out, so that a solution need not carry the block back.

use chain_core::block::Block;
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc};

/// Templates that are remembered, and their encoded bytes in all.
const KEPT: usize = 64;
const KEPT_BYTES: usize = 64 << 20;

/// Newest last.
#[derive(Default)]
pub struct Templates(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    last_id: u64,
    blocks: VecDeque<(u64, Arc<Block>, usize)>,
}

impl Templates {
    /// A number for the next one.
    pub fn next_id(&self) -> u64 {
        let mut kept = self.0.lock();
        kept.last_id += 1;
        kept.last_id
    }

    /// Remembers a block of so many bytes; the oldest ones go.
    pub fn keep(&self, id: u64, block: Arc<Block>, size: usize) {
        let mut kept = self.0.lock();
        kept.blocks.push_back((id, block, size));
        while kept.blocks.len() > KEPT || kept.blocks.len() > 1 && kept.bytes() > KEPT_BYTES {
            kept.blocks.pop_front();
        }
    }

    /// The block that was given out under a number.
    pub fn get(&self, id: u64) -> Option<Arc<Block>> {
        self.0.lock().blocks.iter().find(|(kept, ..)| *kept == id).map(|(_, block, _)| block.clone())
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        self.blocks.iter().map(|(.., size)| size).sum()
    }
}
