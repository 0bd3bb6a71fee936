//! What a seed stands for: how many nodes, what network, what goes wrong and who attacks.

mod members;

use crate::{
    attack::Kind,
    chain::{Rules, WINDOW},
    past::{LONG, Late},
};
use cairn_lab::{
    network::{Latency, MessageFaults, Model},
    random::Random,
};
use cairn_node::mempool::MempoolConfig;

/// Nodes of a large history.
pub const NODES: usize = 10;

/// Blocks of a large history, before the network is made good again.
pub const BLOCKS: u32 = 200;

/// Of so many histories, one is large; the others are cheaper, so that more of them run in the same time.
const LARGE: u64 = 20;

/// Most blocks of a history with members of finality, who vote all the time.
const BLOCKS_OF_MEMBERS: u32 = 60;

/// Bytes of a small pool: some 600 transfers.
pub(crate) const SMALL_POOL: usize = 1 << 20;

/// How often somebody has a slow processor.
const OFTEN_SLOW: f64 = 0.15;

/// How often a chain is long when the history begins.
const OFTEN_LONG: f64 = 0.0125;

/// Milliseconds between two ticks at most, as in a node.
const TICK: u64 = 1_000;

/// What is asked for instead of what the seed would pick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Nodes, attackers included.
    pub nodes: Option<usize>,
    /// Blocks.
    pub blocks: Option<u32>,
    /// Name of the model.
    pub model: Option<ModelName>,
    /// Attackers, or none.
    pub attack: Option<Option<Kind>>,
    /// The attackers' part of all hash rate.
    pub share: Option<f64>,
    /// See [`Plan::gamma`].
    pub gamma: Option<f64>,
    /// See [`Plan::confirmations`].
    pub confirmations: Option<u32>,
    /// Whether difficulty stays what it is.
    pub fixed: bool,
    /// Members of finality; none if left out.
    pub members: Option<u8>,
    /// See [`Plan::window`].
    pub window: Option<u32>,
    /// See [`Plan::past`].
    pub past: Option<u32>,
    /// Somebody has a slow processor.
    pub slow: bool,
}

/// Names of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ModelName {
    /// Every message arrives within a known bound.
    Synchronous,
    /// The same, but only from an unknown moment on.
    PartiallySynchronous,
    /// Every message arrives some time.
    Asynchronous,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The network falls apart: nodes reach only those of the same group.
    Partition(Vec<u8>),
    /// It comes together again.
    Heal,
    /// A process is killed, or its machine loses power; it starts again after so many milliseconds.
    Crash {
        /// Which node.
        node: usize,
        /// Whether writes that were not synced are lost.
        power: bool,
        /// Milliseconds until it is started again.
        down: u64,
    },
    /// A machine loses power for good.
    Gone {
        /// Which node.
        node: usize,
    },
    /// A member's process ends, or its machine loses power, when it has signed a vote the next time: that is on its disk, and nobody
    /// has heard of it.
    CrashAtVote {
        /// Which node.
        node: usize,
        /// Whether writes that were not synced are lost.
        power: bool,
        /// Milliseconds until it is started again.
        down: u64,
    },
    /// A node's disk is full after so many more writes, until it is started again.
    DiskFull {
        /// Which node.
        node: usize,
        /// Writes that still succeed.
        writes: u64,
    },
    /// A clock is set to be so many milliseconds ahead.
    Clock {
        /// Which node.
        node: usize,
        /// Milliseconds, negative if behind.
        skew: i64,
    },
}

/// A node whose processor is slow: what it says is late by the time of its work, and what it hears waits for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slow {
    /// Which node.
    pub node: usize,
    /// Microseconds of a unit of work; a usual processor takes ten.
    pub unit: u64,
    /// Milliseconds in which it executes a block.
    pub block: u64,
}

/// Who is connected with whom at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// Every node dials so many others at random.
    Random(usize),
    /// Every node dials the next.
    Ring,
    /// Every node dials all.
    Complete,
}

/// A history before it happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What it is drawn from.
    pub seed: u64,
    /// Nodes, attackers included.
    pub nodes: usize,
    /// Height at which the network is made good again.
    pub blocks: u32,
    /// The chain.
    pub rules: Rules,
    /// What is promised of delays.
    pub model: Model,
    /// How latencies are spread.
    pub latency: Latency,
    /// What goes wrong with messages. A duplicate is a gossiped block that is handed to the engine although it has been before.
    pub messages: MessageFaults,
    /// Probability that an engine is kept from finishing what it has to do by other events.
    pub busy: f64,
    /// First connections.
    pub topology: Topology,
    /// Each node's part of the hash rate.
    pub shares: Vec<f64>,
    /// Milliseconds that each clock is ahead at first.
    pub skews: Vec<i64>,
    /// What goes wrong, by time in milliseconds.
    pub faults: Vec<(u64, Fault)>,
    /// What the last nodes are up to.
    pub attackers: Vec<Kind>,
    /// Part of the honest hash rate that hears of an attacker's block before an honest one of the same height; the rest hears of
    /// it after (gamma of Eyal and Sirer). Without it, latencies decide.
    pub gamma: Option<f64>,
    /// Confirmations that merchants wait for; without it, a double spender draws them for each payment.
    pub confirmations: Option<u32>,
    /// Milliseconds between two ticks of an engine.
    pub tick: u64,
    /// Transactions for each block, on average.
    pub transactions: f64,
    /// Whether nodes keep all indexes.
    pub indexes: bool,
    /// Whether nodes wait for their disks.
    pub sync: bool,
    /// How many nodes are members of finality: the last ones, attackers among them.
    pub members: u8,
    /// The most blocks that a certificate of theirs may disconnect. What would disconnect more is up to the operator, who asks the
    /// members and has it followed.
    pub window: u32,
    /// Most bytes of a pool.
    pub pool_bytes: usize,
    /// Blocks that the chain has when the history begins.
    pub past: u32,
    /// Who is late then and has to sync them.
    pub late: Option<Late>,
    /// Whether nodes know how much work their chain has at least.
    pub minimum_work: bool,
    /// Who has a slow processor.
    pub slow: Option<Slow>,
}

impl Plan {
    /// Draws a history.
    pub fn draw(seed: u64, overrides: &Overrides) -> Self {
        let mut random = Random::new(seed).fork(1);
        let (nodes, blocks) = draw_size(seed, &mut Random::new(seed).fork(8));
        let members = overrides.members.unwrap_or(0);
        let nodes = overrides.nodes.unwrap_or(nodes).max(2).max(usize::from(members));
        let most = if members > 0 { BLOCKS_OF_MEMBERS } else { u32::MAX };
        let blocks = overrides.blocks.unwrap_or(blocks).clamp(1, most);
        let rules = if overrides.fixed { Rules::fixed(Rules::default().interval) } else { Rules::default() };
        let length = u64::from(blocks) * rules.milliseconds();
        let model = draw_model(length, overrides.model, &mut random);
        let attackers = match members {
            0 => draw_attackers(nodes, overrides.attack, &mut random),
            _ => members::draw_faulty_members(members, overrides.attack, &mut random),
        };
        let is_lossy = random.chance(0.3);
        let mut plan = Self {
            seed,
            nodes,
            blocks,
            rules,
            model,
            latency: draw_latency(&mut random),
            messages: draw_messages(is_lossy, &mut random),
            busy: if random.chance(0.5) { random.unit() * 0.5 } else { 0.0 },
            topology: draw_topology(&mut random),
            shares: draw_shares(nodes, &attackers, members > 0, overrides.share, &mut random),
            skews: (0..nodes).map(|_| draw_skew(&mut random)).collect(),
            faults: Vec::new(),
            attackers,
            gamma: overrides.gamma,
            confirmations: overrides.confirmations,
            tick: TICK,
            transactions: 0.5 + random.unit() * 2.0,
            indexes: random.chance(0.1),
            sync: random.chance(0.8),
            members,
            window: members::draw_window(members, overrides.window, &mut Random::new(seed).fork(13)),
            pool_bytes: MempoolConfig::default().max_bytes,
            past: 0,
            late: None,
            minimum_work: false,
            slow: None,
        };
        plan.faults = plan.draw_faults(length, &mut random);
        plan.draw_faults_of_members(length, &mut random);
        plan.draw_slow(overrides.slow, &mut Random::new(seed).fork(11));
        plan.draw_pool(&mut Random::new(seed).fork(12));
        plan.draw_past(length, overrides.past, &mut Random::new(seed).fork(10));
        plan
    }

    /// Which member of finality a node is, if it is one.
    pub fn member(&self, node: usize) -> Option<u8> {
        let first = self.nodes - usize::from(self.members);
        node.checked_sub(first).and_then(|member| u8::try_from(member).ok())
    }

    /// A history of a good network in which every message takes a millisecond or so, with nothing that goes wrong and no users;
    /// for measurements. The last `attackers` nodes attack.
    pub fn quiet(seed: u64, rules: Rules, shares: Vec<f64>, attackers: usize) -> Self {
        let nodes = shares.len();
        Self {
            seed,
            nodes,
            blocks: u32::MAX,
            rules,
            model: Model::Synchronous { delta: 3_600_000 },
            latency: Latency::Constant(1),
            messages: MessageFaults::default(),
            busy: 0.0,
            topology: Topology::Complete,
            shares,
            skews: vec![0; nodes],
            faults: Vec::new(),
            attackers: vec![Kind::Custom; attackers],
            gamma: None,
            confirmations: None,
            tick: 60_000,
            transactions: 0.0,
            indexes: false,
            sync: true,
            members: 0,
            window: WINDOW,
            pool_bytes: MempoolConfig::default().max_bytes,
            past: 0,
            late: None,
            minimum_work: false,
            slow: None,
        }
    }

    /// Nodes that keep the rules: the first ones.
    pub fn honest(&self) -> usize {
        self.nodes - self.attackers.len()
    }

    /// Whether all messages of honest nodes arrive in time and no process of theirs ends. Who fetches a long chain may give up a slow
    /// peer for a faster one.
    pub fn is_timely(&self) -> bool {
        let cuts = |(_, fault): &(u64, Fault)| !matches!(fault, Fault::Heal | Fault::Clock { .. });
        matches!(self.model, Model::Synchronous { .. }) && self.late.is_none() && !self.faults.iter().any(cuts)
    }

    /// Some honest node has a slow processor, but not so slow that attackers together could use it up.
    fn draw_slow(&mut self, asked: bool, random: &mut Random) {
        let node = random.index(self.honest());
        let (unit, block) = (random.between(20, 100), random.between(50, 2_000));
        self.slow = (random.chance(OFTEN_SLOW) || asked).then_some(Slow { node, unit, block });
    }

    /// A pool of the usual size takes more than a filler has; some are so small that others' transactions push each other out.
    fn draw_pool(&mut self, random: &mut Random) {
        if self.attackers.contains(&Kind::Filler) && random.chance(0.5) {
            self.pool_bytes = SMALL_POOL;
        }
    }

    /// Some chains are long when the history begins, and somebody is late. It does not mine, for it would mine on what it has.
    fn draw_past(&mut self, length: u64, asked: Option<u32>, random: &mut Random) {
        let is_long = random.chance(OFTEN_LONG) || self.attackers.contains(&Kind::LongHeaders);
        self.past = asked.unwrap_or(if is_long && self.members == 0 { LONG } else { 0 });
        if self.past == 0 {
            return;
        }
        // Thousands of blocks would take longer than a history.
        self.slow = None;
        (self.indexes, self.minimum_work) = (false, random.chance(0.5));
        self.late = Late::draw(self.honest(), length, random);
        if let Some(late) = self.late {
            self.shares[0] += std::mem::take(&mut self.shares[late.node]);
        }
    }

    fn draw_faults(&self, length: u64, random: &mut Random) -> Vec<(u64, Fault)> {
        let mut faults = Vec::new();
        if random.chance(0.5) {
            for _ in 0..random.between(1, 3) {
                let groups = 2 + random.below(2);
                let start = random.below(length);
                let split = (0..self.nodes).map(|_| random.below(groups) as u8).collect();
                faults.push((start, Fault::Partition(split)));
                faults.push((start + random.between(10_000, length / 4 + 10_000), Fault::Heal));
            }
        }
        if random.chance(0.5) {
            for _ in 0..random.between(1, 6) {
                let (node, at) = (random.index(self.honest()), random.below(length));
                let fault = match random.below(5) {
                    0 => Fault::DiskFull { node, writes: random.below(40) },
                    kind => Fault::Crash { node, power: kind > 2, down: random.between(100, length / 8 + 1_000) },
                };
                faults.push((at, fault));
            }
        }
        if random.chance(0.2) {
            for _ in 0..random.between(1, 3) {
                let node = random.index(self.honest());
                faults.push((random.below(length), Fault::Clock { node, skew: draw_skew(random) }));
            }
        }
        // Somebody sets a clock by up to an hour, and right again. A miner would then make blocks that wait for their time.
        let idle: Vec<usize> = (0..self.honest()).filter(|node| self.shares[*node] == 0.0).collect();
        if random.chance(0.2) && !idle.is_empty() {
            let (node, at) = (*random.pick(&idle), random.below(length));
            let skew = ((random.unit() * 2.0 - 1.0) * 3_600_000.0) as i64;
            faults.push((at, Fault::Clock { node, skew }));
            faults.push((at + random.between(5_000, 120_000), Fault::Clock { node, skew: self.skews[node] }));
        }
        faults.sort_by_key(|(at, _)| *at);
        faults
    }
}

/// Nodes and blocks.
fn draw_size(seed: u64, random: &mut Random) -> (usize, u32) {
    let (nodes, blocks) = (4 + random.index(NODES - 3), random.between(20, 80) as u32);
    if seed.is_multiple_of(LARGE) { (NODES, BLOCKS) } else { (nodes, blocks) }
}

/// Mostly as good as with a time server, at times much too late or early, but so that two such nodes can work together.
fn draw_skew(random: &mut Random) -> i64 {
    let most = if random.chance(0.2) { 50_000.0 } else { 1_000.0 };
    ((random.unit() * 2.0 - 1.0) * most) as i64
}

fn draw_latency(random: &mut Random) -> Latency {
    let median = match random.below(3) {
        0 => random.between(2, 50),
        1 => random.between(50, 300),
        _ => random.between(300, 2_000),
    };
    match random.below(4) {
        0 => Latency::Constant(median),
        1 => Latency::Uniform(median / 2, median * 3 / 2),
        _ => Latency::LogNormal { median, sigma: 0.2 + random.unit() * 0.8 },
    }
}

fn draw_messages(is_lossy: bool, random: &mut Random) -> MessageFaults {
    MessageFaults {
        held: random.unit() * 0.15,
        loss: if is_lossy { random.unit() * 0.05 } else { 0.0 },
        duplication: if random.chance(0.3) { random.unit() * 0.2 } else { 0.0 },
        reordering: if random.chance(0.5) { random.unit() * 0.5 } else { 0.0 },
    }
}

fn draw_model(length: u64, name: Option<ModelName>, random: &mut Random) -> Model {
    let (delta, part, pick) = (random.between(500, 5_000), random.unit(), random.below(3));
    let name = name.unwrap_or(match pick {
        0 => ModelName::Synchronous,
        1 => ModelName::PartiallySynchronous,
        _ => ModelName::Asynchronous,
    });
    match name {
        ModelName::Synchronous => Model::Synchronous { delta },
        ModelName::PartiallySynchronous => Model::PartiallySynchronous { gst: (length as f64 * part) as u64, delta },
        ModelName::Asynchronous => Model::Asynchronous { delta, longest: 5_000 + (part * 60_000.0) as u64 },
    }
}

fn draw_topology(random: &mut Random) -> Topology {
    match random.below(6) {
        0 => Topology::Ring,
        1 => Topology::Complete,
        _ => Topology::Random(2 + random.index(3)),
    }
}

fn draw_attackers(nodes: usize, asked: Option<Option<Kind>>, random: &mut Random) -> Vec<Kind> {
    let (some, kind, extra) = (random.chance(0.6), *random.pick(&Kind::ALL), random.below(2));
    let Some(kind) = asked.unwrap_or(some.then_some(kind)) else { return Vec::new() };
    // Two attackers at least leave an honest majority of nodes.
    let count = kind.team() + if kind.team() > 1 { 0 } else { extra as usize };
    vec![kind; count.min(nodes.saturating_sub(1) / 2).max(1)]
}

/// Half of the nodes mine, each with some part of the hash rate; attackers of the first one's kind have as much as their trade takes.
fn draw_shares(nodes: usize, attackers: &[Kind], members: bool, asked: Option<f64>, random: &mut Random) -> Vec<f64> {
    let honest = nodes - attackers.len();
    let mut shares: Vec<f64> =
        (0..honest).map(|_| if random.chance(0.5) { 0.1 + random.unit() } else { 0.0 }).collect();
    shares[0] = shares[0].max(0.2);
    let first = attackers.first().copied();
    let usual =
        first.map_or(0.0, |kind| if members { kind.hash_share_of_members(random) } else { kind.hash_share(random) });
    let evil = first.map_or(0.0, |_| asked.unwrap_or(usual));
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share *= (1.0 - evil) / sum);
    let team = attackers.iter().filter(|kind| Some(**kind) == first).count();
    shares.extend(attackers.iter().map(|kind| if Some(*kind) == first { evil / team as f64 } else { 0.0 }));
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_stands_for_one_plan() {
        let draw = |seed| Plan::draw(seed, &Overrides::default());
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn honest_nodes_hold_most_of_the_hash_rate() {
        for seed in 0..200 {
            let plan = Plan::draw(seed, &Overrides::default());
            let honest: f64 = plan.shares[..plan.honest()].iter().sum();
            assert!((plan.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            assert!(honest > 0.5, "seed {seed}: {honest}");
        }
    }

    #[test]
    fn what_is_asked_for_wins() {
        let attack = Some(Some(Kind::SelfishMiner));
        let model = Some(ModelName::Asynchronous);
        let plan = Plan::draw(
            1,
            &Overrides { nodes: Some(5), blocks: Some(20), model, attack, share: Some(0.4), ..Overrides::default() },
        );
        assert_eq!((plan.nodes, plan.blocks, plan.model.name()), (5, 20, "asynchronous"));
        assert!(plan.attackers.iter().all(|kind| *kind == Kind::SelfishMiner));
        assert!((plan.shares[plan.honest()..].iter().sum::<f64>() - 0.4).abs() < 1e-9);
    }
}
