//! Dates its blocks as late or as early as the rules allow, to move difficulty and to have nodes with slow clocks hold them.

use chain_core::block::Block;

use super::Strategy;
use crate::world::Context;

/// A miner of wrong times.
pub(super) struct Timekeeper;

impl Strategy for Timekeeper {
    fn found(&mut self, context: &mut Context<'_>, mut block: Block) -> Option<Block> {
        let chain = context.chain();
        let now = u32::try_from(context.clock().seconds()).unwrap_or(u32::MAX);
        let latest = now.saturating_add(chain.spec.max_future).max(block.header.time);
        let parent = context.engine().and_then(|engine| engine.chain().tree().get(&block.header.prev));
        let earliest = parent.map_or(block.header.time, |parent| parent.header.time);
        block.header.time = if context.random().chance(0.5) { latest } else { earliest };
        chain.solve(&mut block);
        // The world was shown it with another time.
        context.note_find(&block);
        Some(block)
    }
}
