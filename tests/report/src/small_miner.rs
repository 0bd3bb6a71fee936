//! Miners too small to matter one by one.
//!
//! A node that mines prefers its own block to one of the same height, so a network of few nodes never has gamma 1: the finder of an
//! honest block would have to leave it. Here a node stands for many small miners that hear the same. The block that one of them finds
//! is published at another node, which does not mine, and reaches the others as blocks of strangers do.

use cairn_sim::{Context, Strategy};
use chain_core::block::Block;

/// Has blocks published elsewhere.
pub struct SmallMiners {
    /// Where.
    pub outlet: usize,
}

impl Strategy for SmallMiners {
    fn found(&mut self, context: &mut Context<'_>, block: Block) -> Option<Block> {
        context.submit_at(self.outlet, block);
        None
    }
}
