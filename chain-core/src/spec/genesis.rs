//! The genesis block: the state that a spec allocates, and the header that commits to it.

use super::ChainSpec;
use crate::{block::Block, hash::BlockHash, state::BlockEffects};

impl ChainSpec {
    /// The genesis block and what it does to the empty state. Takes as long as building the tries of the allocations.
    pub fn genesis_block(&self) -> (Block, BlockEffects) {
        todo!()
    }

    /// Hash of the genesis block. Not cached: callers keep it.
    pub fn genesis_hash(&self) -> BlockHash {
        self.genesis_block().0.hash()
    }
}
