//! Miners. Finding a block takes an exponential time, whose mean is the hash rate's; it begins anew with each tip, which
//! changes nothing, for such times have no memory.

use cairn_node::engine::{Event, TemplateError};
use chain_core::{block::Block, transaction::coin::OutPoint};

use super::{Happening, Phase, World, driver::MINED, links::name};
use crate::{
    chain::PAYING,
    node::Mining,
    oracle::{Find, Invariant},
    plan::Fault,
};

impl World {
    /// Plans the next find if the tip that a node mines on has changed.
    pub(super) fn mine_on(&mut self, node: usize) {
        if !self.mines(node) {
            return;
        }
        let Some(tip) = self.mining_engine(node, |engine| engine.store().tip().hash) else { return };
        if self.nodes[node].mining.parent != tip {
            self.plan_find(node);
        }
    }

    fn mines(&self, node: usize) -> bool {
        let may = match self.phase {
            Phase::Rough => true,
            Phase::Good => self.nodes[node].is_honest(),
            Phase::Quiet => false,
        };
        may && self.plan.shares[node] > 0.0 && self.nodes[node].engine.is_some()
    }

    /// Plans a node's next find, in place of whichever was planned.
    pub(super) fn plan_find(&mut self, node: usize) {
        let found = self.mining_engine(node, |engine| {
            let info = engine.chain_info();
            (info.hash, info.next_bits)
        });
        let Some((parent, bits)) = found else { return };
        let generation = self.nodes[node].mining.generation + 1;
        self.nodes[node].mining = Mining { parent, generation };
        let mean = self.chain.mean_interval(bits) / (self.plan.shares[node] * self.hash_rate);
        let wait = self.chances.mining.exponential(mean).min(1e9) as u64;
        self.queue.plan(self.now + 1 + wait, Happening::Find { node, generation });
    }

    /// From now on, all miners together are so many times as fast as at first.
    pub fn set_hash_rate(&mut self, times: f64) {
        self.hash_rate = times;
        for node in 0..self.nodes.len() {
            if self.mines(node) {
                self.plan_find(node);
            }
        }
    }

    /// A miner finds a block, if it still mines.
    pub(super) fn find(&mut self, node: usize, generation: u64) {
        if self.nodes[node].mining.generation == generation && self.mines(node) {
            // A slow processor has no time to make one.
            if !self.is_busy(node) {
                self.mine_at_once(node);
            }
            self.plan_find(node);
        }
    }

    /// A node has a block now.
    pub(super) fn mine_at_once(&mut self, node: usize) {
        let request = self.nodes[node].request(&self.chain);
        let now = self.clock(node);
        let template = self.mining_engine(node, |engine| {
            engine.set_time(now);
            engine.template(&request)
        });
        match template {
            Some(Ok(template)) => {
                let mut block = template.block;
                self.chain.solve(&mut block);
                self.found(node, block);
            }
            // A clock that was set back may be further behind the newest block than one may be: the miner waits.
            Some(Err(TemplateError::ClockBehind { .. })) if self.clock_was_set(node) => {}
            Some(Err(error)) if !self.nodes[node].failing => {
                self.fail(Invariant::Template, format!("{} has no template: {error}", name(node)));
            }
            _ => {}
        }
    }

    fn clock_was_set(&self, node: usize) -> bool {
        let sets = |fault: &Fault| matches!(fault, Fault::Clock { node: other, .. } if *other == node);
        self.plan.faults.iter().any(|(_, fault)| sets(fault))
    }

    fn found(&mut self, node: usize, block: Block) {
        self.note_find(node, &block);
        let block = self.filter(node, block, |strategy, context, block| strategy.found(context, block));
        if let Some(block) = block {
            self.handle(node, Event::Block(MINED, block));
        }
    }

    /// Remembers who found a block.
    pub(crate) fn note_find(&mut self, node: usize, block: &Block) {
        let hash = block.hash();
        self.log.mix_bytes(&hash.0);
        self.log.line(self.now, name(node), || format!("finds {hash} with {} transactions", block.transactions.len()));
        self.stats.found += 1;
        if let Some(height) = self.oracle.facts(&block.header.prev).map(|parent| parent.height + 1) {
            self.forks.found(node, hash, height, self.now);
        }
        self.oracle.found(hash, Find { miner: node, at: self.now, parent: block.header.prev });
        if let Some(coinbase) = block.transactions.first() {
            self.traffic.note(OutPoint { txid: coinbase.txid(), index: 1 }, node % PAYING);
        }
    }

    /// Asks the engine that a node mines with: its own, or one that its strategy keeps to itself.
    fn mining_engine<T>(&mut self, node: usize, ask: impl FnOnce(&mut cairn_node::engine::Engine) -> T) -> Option<T> {
        let state = &mut self.nodes[node];
        let private = state.strategy.as_mut().and_then(|strategy| strategy.workshop());
        private.or(state.engine.as_mut()).map(ask)
    }
}
