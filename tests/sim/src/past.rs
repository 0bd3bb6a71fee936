//! A chain that is long before a history begins: more headers than one response holds, and more blocks than a node fetches at
//! one time.

use cairn_lab::random::Random;
use cairn_node::{
    engine::{Engine, Event, Time},
    store::memory::MemoryKv,
};
use chain_core::block::Block;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    chain::{Chain, Rules},
    node::{Node, open},
    plan::Plan,
};

/// Blocks of it: more than a response and a window of blocks hold together with another.
pub const LONG: u32 = 2_400;

/// Blocks that the branch of a stale node is behind: more than the margin of headers that are stored as they come, so that a
/// response of 2,000 headers of the chain is worth less than this branch.
const BEHIND: u32 = 100;

/// A node that starts when the chain is long already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// Which node.
    pub node: usize,
    /// Milliseconds until it starts.
    pub at: u64,
    /// Whether it has a branch of its own from the first block on, or nothing.
    pub stale: bool,
}

/// A chain before the history.
pub struct Past {
    /// Its blocks, lowest first.
    pub blocks: Vec<Block>,
    /// The disk of a node that has them.
    disk: MemoryKv,
}

/// What a past is determined by: rules, miner, blocks.
type Key = (Rules, usize, u32);

impl Past {
    /// The chain of nodes that were there from the start.
    pub fn of(chain: &Chain, plan: &Plan) -> Arc<Self> {
        Self::mined_by(0, plan.past, chain, plan)
    }

    /// The branch of a node that never met another.
    pub fn stale(chain: &Chain, plan: &Plan) -> Arc<Self> {
        Self::mined_by(1, plan.past.saturating_sub(BEHIND), chain, plan)
    }

    /// Histories share them: mining takes a while.
    fn mined_by(miner: usize, height: u32, chain: &Chain, plan: &Plan) -> Arc<Self> {
        static PASTS: Mutex<BTreeMap<Key, Arc<Past>>> = Mutex::new(BTreeMap::new());
        let mut pasts = PASTS.lock().unwrap_or_else(PoisonError::into_inner);
        pasts
            .entry((chain.rules, miner, height))
            .or_insert_with(|| Arc::new(Self::mine(miner, height, chain, plan)))
            .clone()
    }

    fn mine(miner: usize, height: u32, chain: &Chain, plan: &Plan) -> Self {
        let disk = MemoryKv::with_crashes();
        let mut engine = open(&disk, chain, plan, 0, None).expect("an empty database is opened");
        let request = Node::new(miner, plan).request(chain);
        let blocks = (1..=height).map(|height| {
            let at = u64::from(chain.spec.genesis_time) * 1_000 + u64::from(height) * chain.rules.milliseconds();
            engine.set_time(Time(at));
            let mut block = engine.template(&request).expect("a template of an empty pool").block;
            chain.solve(&mut block);
            take(&mut engine, block.clone(), Time(at));
            block
        });
        let blocks = blocks.collect();
        engine.handle(Event::Shutdown, Time(0));
        Self { blocks, disk }
    }

    /// A disk with it.
    pub fn disk(&self) -> MemoryKv {
        self.disk.copy()
    }
}

fn take(engine: &mut Engine, block: Block, now: Time) {
    engine.handle(Event::Block(0, block), now);
    engine.handle(Event::Continue, now);
}

impl Late {
    /// Draws who is late: not the first node, which mines.
    pub fn draw(honest: usize, length: u64, random: &mut Random) -> Option<Self> {
        (honest > 1).then(|| Self {
            node: 1 + random.index(honest - 1),
            at: random.below(length / 2),
            stale: random.chance(0.5),
        })
    }
}
