//! An engine that is connected with nobody: where attackers mine in secret.

use cairn_node::{
    engine::{Action, Engine, Event, Time},
    store::BlockRef,
};
use chain_core::{U256, block::Block, hash::BlockHash, transaction::Transaction, units::Height};

use crate::world::Context;

/// A secret engine.
pub struct Lab {
    /// The engine.
    pub engine: Engine,
    /// Blocks that were mined here and nobody knows of, lowest first.
    pub secret: Vec<Block>,
}

impl Lab {
    /// A lab that knows the chain of the attacker's node.
    pub fn new(context: &mut Context<'_>) -> Option<Self> {
        let engine = context.new_engine()?;
        let mut lab = Self { engine, secret: Vec::new() };
        lab.follow(context);
        Some(lab)
    }

    /// Learns all of the node's chain.
    pub fn follow(&mut self, context: &mut Context<'_>) {
        let now = context.clock();
        let Some(public) = context.engine() else { return };
        let tip = public.store().tip();
        let known = |engine: &Engine, at: BlockRef| {
            engine.chain().tree().get(&at.hash).is_some_and(|header| header.executed.is_some())
        };
        let mut missing = Vec::new();
        for height in (1..=tip.height).rev() {
            let Some(at) = public.store().at_height(height).ok().flatten() else { return };
            if known(&self.engine, at) {
                break;
            }
            missing.extend(public.store().body(at).ok().flatten());
        }
        missing.into_iter().rev().for_each(|block| self.take(block, now));
    }

    /// Takes a block in.
    pub fn take(&mut self, block: Block, now: Time) {
        self.handle(Event::Block(0, block), now);
    }

    /// Takes a transaction in.
    pub fn pay(&mut self, transaction: Transaction, now: Time) {
        self.handle(Event::Transactions(vec![(0, transaction)]), now);
    }

    fn handle(&mut self, event: Event, now: Time) {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let actions = self.engine.handle(event, now);
            next = actions.iter().any(|action| matches!(action, Action::Continue)).then_some(Event::Continue);
        }
    }

    /// Takes a block that was mined here, and keeps it to itself.
    pub fn keep(&mut self, block: Block, now: Time) {
        self.take(block.clone(), now);
        self.secret.push(block);
    }

    /// Its tip.
    pub fn tip(&self) -> BlockHash {
        self.engine.store().tip().hash
    }

    /// Height of its tip.
    pub fn height(&self) -> Height {
        self.engine.store().tip().height
    }

    /// Whether its chain goes through a block.
    pub fn stands_on(&self, height: Height, hash: &BlockHash) -> bool {
        self.engine.store().at_height(height).ok().flatten().is_some_and(|at| at.hash == *hash)
    }

    /// Work of its chain.
    pub fn work(&self) -> U256 {
        self.engine.chain_info().work
    }
}
