//! A history as it happens: nodes, what is on its way between them, and the clock.

mod context;
#[cfg(test)]
mod defences;
mod driver;
mod end;
mod faults;
mod finality;
mod links;
mod mining;
mod observe;
#[cfg(test)]
mod sabotage;
mod shell;
mod slow;

pub use context::Context;

use cairn_lab::{queue::Queue, random::Random};
use cairn_node::{
    engine::{Now, PeerId, PeerUsage, PeerWork, RequestId, Time},
    store::memory::MemoryKv,
};
use chain_core::hash::TxId;
use std::sync::Arc;

use self::{driver::ASKED, links::Links};
use crate::{
    attack::Strategy,
    chain::{Chain, Rules},
    forks::ForkBooks,
    log::Log,
    node::Node,
    oracle::{Invariant, Oracle, Violation},
    past::{Late, Past},
    plan::{Fault, Plan},
    stats::Stats,
    traffic::Traffic,
};

/// What travels over a connection.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Request(RequestId, Arc<[u8]>),
    Response(RequestId, Arc<[u8]>),
    Gossip(Arc<[u8]>),
}

/// What is planned.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A message arrives.
    Arrive { to: usize, peer: PeerId, message: Message },
    /// A node is started.
    Start { node: usize },
    /// A connection is there for both ends.
    Up { from: usize, to: usize },
    /// One end notices that a connection is gone.
    Down { node: usize, peer: PeerId },
    /// A connection across a partition is given up, if that still is there.
    Break { peer: PeerId, partition: u64 },
    /// A node looks for more peers.
    Dial { node: usize, start: u64 },
    /// An engine's timer.
    Tick { node: usize, start: u64 },
    /// An engine that was kept from it goes on.
    Continue { node: usize, start: u64 },
    /// A slow processor comes to the next event.
    Work { node: usize, start: u64 },
    /// A miner finds a block.
    Find { node: usize, generation: u64 },
    /// An attacker's timer.
    Timer { node: usize, start: u64 },
    /// An operator has asked the members for a certificate that was refused.
    Accept { node: usize, start: u64 },
    /// Somebody pays somebody.
    Pay,
    /// Something goes wrong.
    Fault(Fault),
}

/// How far a history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Anything may happen.
    Rough,
    /// The network is good, honest nodes mine, and transactions must be mined.
    Good,
    /// Nobody mines.
    Quiet,
}

/// Sources of chance, one for each concern, so that what one draws changes no other.
pub(crate) struct Chances {
    pub(crate) network: Random,
    pub(crate) mining: Random,
    pub(crate) traffic: Random,
    pub(crate) nodes: Random,
    pub(crate) attack: Random,
}

/// A history.
pub struct World {
    pub(crate) plan: Plan,
    pub(crate) chain: Arc<Chain>,
    /// Milliseconds from the start.
    pub(crate) now: u64,
    pub(crate) queue: Queue<Happening>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: Links,
    pub(crate) oracle: Oracle,
    pub(crate) stats: Stats,
    pub(crate) forks: ForkBooks,
    pub(crate) log: Log,
    pub(crate) chances: Chances,
    pub(crate) traffic: Traffic,
    pub(crate) phase: Phase,
    /// Transactions that honest nodes took when the network was good, and which must be mined.
    pub(crate) promised: Vec<TxId>,
    /// How fast all miners are, against the start.
    pub(crate) hash_rate: f64,
    begun: bool,
    /// Headers of long chains that attackers solved.
    pub(crate) cheap_headers: usize,
    /// The most that so many peers may make an engine remember.
    pub(crate) most: fn(usize) -> PeerUsage,
    /// The most that one peer may cost an engine in so many seconds.
    pub(crate) most_work: fn(u64) -> u64,
    /// The most questions that an engine may ask one peer in ten seconds.
    pub(crate) most_asked: u64,
    violation: Option<Violation>,
}

/// How a history ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What did not hold, if anything.
    pub violation: Option<Violation>,
    /// When it ended, in milliseconds of its own time.
    pub ended: u64,
    /// Digest of all that happened.
    pub digest: u64,
    /// What it amounts to.
    pub stats: Stats,
}

impl World {
    /// A history that has not begun.
    pub fn new(plan: Plan, log: bool) -> Self {
        let chain = Chain::of(Rules { members: plan.members, window: plan.window, ..plan.rules });
        let random = Random::new(plan.seed);
        let chances = Chances {
            network: random.fork(2),
            mining: random.fork(3),
            traffic: random.fork(4),
            nodes: random.fork(5),
            attack: random.fork(6),
        };
        Self {
            nodes: (0..plan.nodes).map(|number| Node::new(number, &plan)).collect(),
            links: Links::new(&plan, &mut random.fork(7)),
            oracle: Oracle::new(chain.clone()),
            traffic: Traffic::new(&chain),
            forks: ForkBooks::new(&plan.shares),
            plan,
            chain,
            now: 0,
            queue: Queue::default(),
            stats: Stats::default(),
            log: Log::new(log),
            chances,
            phase: Phase::Rough,
            promised: Vec::new(),
            hash_rate: 1.0,
            begun: false,
            cheap_headers: 0,
            most: PeerUsage::most,
            most_work: PeerWork::most_units,
            most_asked: ASKED,
            violation: None,
        }
    }

    /// Has a node do what a strategy wants, in place of what the plan says. Whether the node is taken for honest remains the
    /// plan's word.
    pub fn with(mut self, node: usize, strategy: Box<dyn Strategy>) -> Self {
        self.nodes[node].strategy = Some(strategy);
        self
    }

    /// Lets it happen.
    pub fn run(mut self) -> Outcome {
        self.begin();
        self.rough();
        self.finish();
        self.tally();
        self.outcome()
    }

    fn outcome(mut self) -> Outcome {
        Outcome {
            violation: self.violation.take(),
            ended: self.now,
            digest: self.log.digest(),
            stats: std::mem::take(&mut self.stats),
        }
    }

    fn begin(&mut self) {
        self.begun = true;
        let plan = self.plan.clone();
        self.log.line(0, "plan", || format!("{plan:?}"));
        self.inherit();
        for node in 0..self.nodes.len() {
            let at = plan.late.filter(|late| late.node == node).map_or(0, |late| late.at);
            self.queue.plan(at, Happening::Start { node });
        }
        self.first_dials();
        for (at, fault) in plan.faults {
            self.queue.plan(at, Happening::Fault(fault));
        }
        self.plan_payment();
    }

    /// What there was before: all nodes have it, but for one that is late.
    fn inherit(&mut self) {
        if self.plan.past == 0 {
            return;
        }
        let (past, stale) = (Past::of(&self.chain, &self.plan), Past::stale(&self.chain, &self.plan));
        for node in &mut self.nodes {
            let late = self.plan.late.filter(|late| late.node == node.number);
            node.kv = match late {
                None => past.disk(),
                Some(Late { stale: true, .. }) => stale.disk(),
                Some(_) => MemoryKv::with_crashes(),
            };
        }
        let judgement = self.oracle.inherit(&past.blocks).and_then(|()| self.oracle.inherit(&stale.blocks));
        self.judge(judgement);
    }

    /// Until the chain is as high as planned, or it is clear that it will not be.
    fn rough(&mut self) {
        let limit = 3 * u64::from(self.plan.blocks) * self.plan.rules.milliseconds();
        while self.violation.is_none() && self.now < limit && self.height() < self.plan.past + self.plan.blocks {
            self.step();
        }
    }

    /// Lets everything happen up to a moment.
    pub(crate) fn run_until(&mut self, end: u64) {
        while self.violation.is_none() && self.queue.next_at().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = self.now.max(end);
    }

    /// The next thing happens.
    fn step(&mut self) {
        let Some((at, what)) = self.queue.take() else {
            self.fail(Invariant::Sanity, "nothing is left to happen".into());
            return;
        };
        self.now = at;
        match what {
            Happening::Arrive { to, peer, message } => self.arrive(to, peer, message),
            Happening::Start { node } => self.start(node),
            Happening::Up { from, to } => self.connect(from, to),
            Happening::Down { node, peer } => self.lose(node, peer),
            Happening::Break { peer, partition } => self.break_off(peer, partition),
            Happening::Dial { node, start } => self.dial(node, start),
            Happening::Tick { node, start } => self.tick(node, start),
            Happening::Continue { node, start } => self.go_on(node, start),
            Happening::Work { node, start } => self.work(node, start),
            Happening::Find { node, generation } => self.find(node, generation),
            Happening::Timer { node, start } => self.attack_timer(node, start),
            Happening::Accept { node, start } => self.accept(node, start),
            Happening::Pay => self.pay(),
            Happening::Fault(fault) => self.go_wrong(fault),
        }
    }

    /// Height of the best honest node.
    pub(crate) fn height(&self) -> u32 {
        let honest = self.nodes.iter().filter(|node| node.is_honest());
        honest.filter_map(|node| node.engine.as_ref()).map(|engine| engine.store().tip().height).max().unwrap_or(0)
    }

    /// What a node's clocks show.
    pub(crate) fn clock(&self, node: usize) -> Now {
        let past = u64::from(self.plan.past) * self.chain.rules.milliseconds();
        let steady = Time(u64::from(self.chain.spec.genesis_time) * 1_000 + past + self.now);
        Now { wall: Time(steady.0.saturating_add_signed(self.nodes[node].skew)), steady }
    }

    /// An invariant does not hold: the history ends here.
    pub(crate) fn fail(&mut self, invariant: Invariant, detail: String) {
        self.judge(Err(Violation::new(invariant, detail)));
    }

    /// Takes in what the oracle says.
    pub(crate) fn judge(&mut self, judgement: Result<(), Violation>) {
        if let Err(violation) = judgement
            && self.violation.is_none()
        {
            self.log.line(self.now, "!!", || format!("{violation:?}"));
            self.violation = Some(violation);
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.violation.is_some()
    }
}
