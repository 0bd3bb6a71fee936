//! Who is connected with whom, and how long messages take.

use cairn_lab::{network::Partition, random::Random};
use cairn_node::engine::{Event, Payer, PeerEvent, PeerId, Side};
use std::collections::{BTreeMap, BTreeSet};

use super::{Happening, Message, Phase, World};
use crate::{
    node::Peer,
    plan::{Plan, Topology},
};

/// Milliseconds between two looks for more peers.
const LOOK: u64 = 5_000;

/// Milliseconds by which one of two blocks comes first where a plan says which.
const HEAD_START: u64 = 20;

/// Milliseconds in which a silent connection is given up.
const KEEP_ALIVE: (u64, u64) = (5_000, 30_000);

/// All connections.
#[derive(Debug)]
pub(crate) struct Links {
    last: u64,
    /// Both ends, who dialled first.
    ends: BTreeMap<PeerId, (usize, usize)>,
    /// Latency of each pair against the usual.
    factors: Vec<f64>,
    nodes: usize,
    /// While the network is apart.
    pub(crate) partition: Option<Partition>,
    /// Counts partitions.
    pub(crate) partitions: u64,
    /// Connections that each node wants to have dialled.
    wanted: usize,
    /// Nodes that hear of attackers' blocks before those of others, if the plan says how much of the hash rate they have.
    near: Option<Vec<bool>>,
    /// Honest nodes that only attackers reach.
    pub(crate) eclipsed: BTreeSet<usize>,
}

impl Links {
    pub(super) fn new(plan: &Plan, random: &mut Random) -> Self {
        let nodes = plan.nodes;
        let factors = (0..nodes * nodes).map(|_| 0.5 + random.unit()).collect();
        let wanted = match plan.topology {
            Topology::Random(count) => count,
            Topology::Ring => 1,
            Topology::Complete => nodes - 1,
        };
        let eclipse = plan.attackers.iter().any(|kind| kind.eclipses());
        let eclipsed = eclipse.then(|| random.index(plan.honest())).into_iter().collect();
        Self {
            last: 0,
            ends: BTreeMap::new(),
            factors,
            nodes,
            partition: None,
            partitions: 0,
            wanted: wanted.clamp(1, nodes - 1),
            near: plan.gamma.map(|gamma| near(plan, gamma)),
            eclipsed,
        }
    }

    /// A number that was not given before.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn factor(&self, from: usize, to: usize) -> f64 {
        self.factors[from.min(to) * self.nodes + from.max(to)]
    }

    /// Whether the network carries anything between two nodes.
    fn reaches(&self, from: usize, to: usize) -> bool {
        self.partition.as_ref().is_none_or(|partition| partition.joins(from, to))
    }

    fn other(&self, peer: PeerId, node: usize) -> Option<usize> {
        let (from, to) = *self.ends.get(&peer)?;
        Some(if from == node { to } else { from })
    }
}

/// Which honest nodes hear of attackers' blocks first: as many as have about this part of the honest hash rate.
fn near(plan: &Plan, gamma: f64) -> Vec<bool> {
    let honest: f64 = plan.shares[..plan.honest()].iter().sum();
    let mut before = 0.0;
    let is_near = |node: usize| {
        let share = plan.shares[node];
        before += share;
        node < plan.honest() && share > 0.0 && before - share / 2.0 < gamma * honest
    };
    (0..plan.nodes).map(is_near).collect()
}

impl World {
    /// Plans the first connections: a ring at least, so that nobody is alone.
    pub(super) fn first_dials(&mut self) {
        let count = self.nodes.len();
        for node in 0..count {
            let jitter = self.chances.network.below(1_000);
            self.queue.plan(jitter, Happening::Up { from: node, to: (node + 1) % count });
        }
    }

    /// A node dials another if it wants more peers.
    pub(super) fn dial(&mut self, node: usize, start: u64) {
        if self.nodes[node].starts != start || self.nodes[node].engine.is_none() {
            return;
        }
        let next = self.now + LOOK + self.chances.network.below(LOOK);
        self.queue.plan(next, Happening::Dial { node, start });
        let dialled = self.links.ends.values().filter(|(from, _)| *from == node).count();
        let wanted = if self.nodes[node].is_honest() { self.links.wanted } else { self.links.wanted + 2 };
        let able = |to: &usize| *to != node && self.nodes[node].connection(*to).is_none() && self.may_meet(node, *to);
        let mut candidates: Vec<usize> = (0..self.nodes.len()).filter(able).collect();
        self.chances.network.shuffle(&mut candidates);
        for to in candidates.into_iter().take(wanted.saturating_sub(dialled)) {
            let latency = self.latency(node, to);
            self.queue.plan(self.now + 2 * latency, Happening::Up { from: node, to });
        }
    }

    /// Honest nodes find each other past any attackers between them: a ring of their own.
    pub(super) fn join_honest(&mut self) {
        let honest: Vec<usize> = (0..self.plan.honest()).filter(|node| !self.nodes[*node].gone).collect();
        for (from, to) in honest.iter().zip(honest.iter().cycle().skip(1)).filter(|(from, to)| from != to) {
            self.queue.plan(self.now + 1_000, Happening::Up { from: *from, to: *to });
        }
    }

    /// Nothing waits behind what an adversary held any more.
    pub(super) fn clear_ways(&mut self) {
        let now = self.now;
        self.nodes.iter_mut().flat_map(|node| node.wire.peers.values_mut()).for_each(|end| end.arrives = now);
    }

    /// Whether two nodes would talk to each other.
    fn may_meet(&self, from: usize, to: usize) -> bool {
        let eclipsed = |node: usize| self.links.eclipsed.contains(&node);
        let hidden = (eclipsed(from) && self.nodes[to].is_honest()) || (eclipsed(to) && self.nodes[from].is_honest());
        let bans =
            |node: usize, other: usize| self.nodes[node].wire.banned.get(&other).is_some_and(|until| *until > self.now);
        let banned = bans(from, to) || bans(to, from);
        !hidden && !banned
    }

    /// A connection is there, unless something came between.
    pub(super) fn connect(&mut self, from: usize, to: usize) {
        let running = self.nodes[from].engine.is_some() && self.nodes[to].engine.is_some();
        let known = self.nodes[from].connection(to).is_some();
        if !running || known || !self.may_meet(from, to) || !self.links.reaches(from, to) {
            return;
        }
        let peer = PeerId(self.links.number());
        self.links.ends.insert(peer, (from, to));
        self.log.line(self.now, name(from), || format!("connects to {} as peer {}", name(to), peer.0));
        for (node, other, side) in [(from, to, Side::Chosen), (to, from, Side::Inbound)] {
            self.nodes[node].wire.peers.insert(peer, Peer::new(other, self.now));
            self.inform(node, peer, PeerEvent::Connected(side, Payer(other as u64)));
        }
    }

    /// One end hangs up; the other notices later.
    pub(crate) fn hang_up(&mut self, node: usize, peer: PeerId) {
        let Some(other) = self.links.other(peer, node) else { return };
        self.links.ends.remove(&peer);
        self.log.line(self.now, name(node), || format!("hangs up on {}", name(other)));
        let latency = self.latency(node, other);
        let later = if self.links.reaches(node, other) { latency } else { self.keep_alive() };
        self.queue.plan(self.now + later, Happening::Down { node: other, peer });
        self.lose(node, peer);
    }

    /// A process ended without a word: the others notice.
    pub(super) fn drop_connections(&mut self, node: usize, at_once: bool) {
        let peers: Vec<PeerId> = self.nodes[node].wire.peers.keys().copied().collect();
        for peer in peers {
            let Some(other) = self.links.other(peer, node) else { continue };
            self.links.ends.remove(&peer);
            let later = if at_once { self.latency(node, other) } else { self.keep_alive() };
            self.queue.plan(self.now + later, Happening::Down { node: other, peer });
        }
    }

    /// An end notices that a connection is gone.
    pub(super) fn lose(&mut self, node: usize, peer: PeerId) {
        let wire = &mut self.nodes[node].wire;
        if wire.peers.remove(&peer).is_none() {
            return;
        }
        wire.asked.retain(|_, (asked, _)| *asked != peer);
        wire.inbound.retain(|_, (asker, ..)| *asker != peer);
        wire.pending.retain(|_, pending| pending.from != peer);
        self.inform(node, peer, PeerEvent::Disconnected);
    }

    /// The network falls apart: connections between its parts are given up after a while.
    pub(super) fn split(&mut self, groups: Vec<u8>) {
        self.links.partition = Some(Partition(groups));
        self.links.partitions += 1;
        let apart: Vec<PeerId> = self
            .links
            .ends
            .iter()
            .filter(|(_, (from, to))| !self.links.reaches(*from, *to))
            .map(|(id, _)| *id)
            .collect();
        for peer in apart {
            let at = self.now + self.keep_alive();
            self.queue.plan(at, Happening::Break { peer, partition: self.links.partitions });
        }
    }

    pub(super) fn break_off(&mut self, peer: PeerId, partition: u64) {
        let Some((from, to)) = self.links.ends.get(&peer).copied() else { return };
        if self.links.partitions != partition || self.links.reaches(from, to) {
            return;
        }
        self.links.ends.remove(&peer);
        let later = self.keep_alive();
        self.queue.plan(self.now + later, Happening::Down { node: to, peer });
        self.lose(from, peer);
    }

    fn keep_alive(&mut self) -> u64 {
        self.chances.network.between(KEEP_ALIVE.0, KEEP_ALIVE.1)
    }

    /// Tells a node's strategy, then its engine, of a peer.
    pub(crate) fn inform(&mut self, node: usize, peer: PeerId, event: PeerEvent) {
        if let Some(event) = self.filter(node, event, |strategy, context, event| strategy.receive(context, peer, event))
        {
            self.handle(node, Event::Peer(peer, event));
        }
    }

    /// Attackers hear of everything at once, and some nodes hear of them first, where the plan wants that.
    fn by_gamma(&self, from: usize, to: usize) -> Option<u64> {
        let near = self.links.near.as_ref()?;
        let (from_attacker, to_attacker) = (!self.nodes[from].is_honest(), !self.nodes[to].is_honest());
        let first = to_attacker || from_attacker && near[to];
        let last = !to_attacker && from_attacker != near[to];
        if first { Some(1) } else { last.then_some(HEAD_START) }
    }

    fn latency(&mut self, from: usize, to: usize) -> u64 {
        let factor = self.links.factor(from, to);
        let latency = self.plan.latency.draw(factor, &mut self.chances.network);
        let latency = self.by_gamma(from, to).unwrap_or(latency);
        if self.phase == Phase::Rough { latency } else { latency.min(self.plan.model.delta()) }
    }

    /// Sends a message, which arrives some time unless it is lost.
    pub(crate) fn send(&mut self, from: usize, peer: PeerId, message: Message) {
        let Some(to) = self.links.other(peer, from) else { return };
        let latency = self.latency(from, to);
        let (delay, keeps_order) = if self.phase == Phase::Rough {
            let fate = self.plan.messages.fate(&mut self.chances.network);
            if fate.lost || !self.links.reaches(from, to) {
                return;
            }
            (self.plan.model.delay(self.now, latency, fate.held), !fate.overtakes)
        } else {
            (latency, true)
        };
        let sent = self.now.max(self.nodes[from].backlog.until);
        let Some(end) = self.nodes[from].wire.peers.get_mut(&peer) else { return };
        let at = if keeps_order { end.arrives.max(sent + delay) } else { sent + delay };
        end.arrives = end.arrives.max(at);
        self.queue.plan(at, Happening::Arrive { to, peer, message });
    }
}

/// A node's name in logs.
pub(crate) fn name(node: usize) -> String {
    format!("n{node}")
}
