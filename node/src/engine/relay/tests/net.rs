//! A few engines and the messages between them, in virtual time. Peers from [`HOSTILE`] on are the test itself.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::{
    engine::{
        BAN, Event, Failure, GossipId, InboundId, Offence, Payer, PeerAction, PeerEvent, PeerId, RequestId, Side, Time,
        Verdict, tests::kit::Kit,
    },
    wire::{CompactBlock, Message, Request, Response, Status},
};

/// The first peer that is no engine.
pub(super) const HOSTILE: u64 = 100;

/// Milliseconds that a message takes.
const LATENCY: u64 = 10;

/// Engines, their connections and what is on its way.
pub(super) struct Net {
    pub(super) nodes: Vec<Kit>,
    pub(super) now: Time,
    pub(super) links: BTreeSet<(usize, usize)>,
    /// Who cannot answer questions that this names, though connected.
    pub(super) mute: fn(usize, &Request) -> bool,
    queue: BTreeMap<(Time, u64), (usize, PeerId, PeerEvent)>,
    sequence: u64,
    seen: Vec<HashSet<Vec<u8>>>,
    gossip: BTreeMap<u64, CompactBlock>,
    /// Offences by node and peer.
    pub(super) offences: Vec<(usize, PeerId, Offence)>,
    /// What nodes want of hostile peers.
    pub(super) outside: Vec<(usize, PeerAction)>,
    /// Questions asked, answers given: bytes received by each node.
    pub(super) bytes: Vec<usize>,
    /// Questions by name.
    pub(super) asked: BTreeMap<&'static str, usize>,
}

impl Net {
    pub(super) fn new(nodes: Vec<Kit>) -> Self {
        let now = nodes.iter().map(|node| node.now).max().unwrap();
        let count = nodes.len();
        let mut net = Self {
            nodes,
            now,
            links: BTreeSet::new(),
            mute: |_, _| false,
            queue: BTreeMap::new(),
            sequence: 0,
            seen: vec![HashSet::new(); count],
            gossip: BTreeMap::new(),
            offences: Vec::new(),
            outside: Vec::new(),
            bytes: vec![0; count],
            asked: BTreeMap::new(),
        };
        for (index, node) in net.nodes.iter_mut().enumerate() {
            node.name = u8::try_from(index).unwrap() + 10;
            node.now = now;
        }
        net
    }

    pub(super) fn connect(&mut self, a: usize, b: usize) {
        self.links.insert((a.min(b), a.max(b)));
        self.push(a, PeerId(b as u64), connected(Side::Chosen, b as u64));
        self.push(b, PeerId(a as u64), connected(Side::Inbound, a as u64));
    }

    pub(super) fn connect_all(&mut self) {
        for b in 0..self.nodes.len() {
            (0..b).for_each(|a| self.connect(a, b));
        }
    }

    pub(super) fn disconnect(&mut self, a: usize, b: usize) {
        self.links.remove(&(a.min(b), a.max(b)));
        self.push(a, PeerId(b as u64), PeerEvent::Disconnected);
        self.push(b, PeerId(a as u64), PeerEvent::Disconnected);
    }

    /// Lets a hostile peer connect to a node and introduce itself as a node with this chain.
    pub(super) fn intrude(&mut self, node: usize, hostile: u64, status: Status) {
        self.inject(node, hostile, connected(Side::Inbound, hostile));
        self.inject(node, hostile, PeerEvent::Request(InboundId(0), Request::Status(status)));
    }

    /// What a node would say of itself.
    pub(super) fn status(&self, node: usize) -> Status {
        self.nodes[node].engine.status()
    }

    /// A hostile peer does something, at once.
    pub(super) fn inject(&mut self, node: usize, hostile: u64, event: PeerEvent) {
        self.nodes[node].now = self.now;
        self.nodes[node].handle(Event::Peer(PeerId(hostile), event));
        self.collect(node);
    }

    /// Questions that nodes ask of a hostile peer, which are taken out.
    pub(super) fn questions(&mut self, hostile: u64) -> Vec<(usize, RequestId, Request)> {
        let mut questions = Vec::new();
        self.outside.retain(|(node, action)| match action {
            PeerAction::Request(peer, id, request) if peer.0 == hostile => {
                questions.push((*node, *id, request.clone()));
                false
            }
            _ => true,
        });
        questions
    }

    /// Verdicts over what hostile peers gossiped.
    pub(super) fn verdicts(&mut self) -> Vec<Verdict> {
        let judged = |(_, action): &(usize, PeerAction)| match action {
            PeerAction::Judge(_, _, verdict) => Some(*verdict),
            _ => None,
        };
        let verdicts = self.outside.iter().filter_map(judged).collect();
        self.outside.retain(|entry| judged(entry).is_none());
        verdicts
    }

    /// Offences of a peer against a node.
    pub(super) fn offences_of(&self, node: usize, peer: u64) -> Vec<Offence> {
        let of_peer = |(at, by, _): &&(usize, PeerId, Offence)| *at == node && by.0 == peer;
        self.offences.iter().filter(of_peer).map(|(_, _, offence)| offence.clone()).collect()
    }

    fn push(&mut self, node: usize, peer: PeerId, event: PeerEvent) {
        self.sequence += 1;
        self.queue.insert((self.now.after(LATENCY), self.sequence), (node, peer, event));
    }

    /// Takes in what a node wants done after it was handed something directly.
    pub(super) fn collect(&mut self, node: usize) {
        for action in std::mem::take(&mut self.nodes[node].peer_actions) {
            self.perform(node, action);
        }
    }

    fn perform(&mut self, node: usize, action: PeerAction) {
        let own = PeerId(node as u64);
        match action {
            PeerAction::Gossip(compact) => {
                self.seen[node].insert(compact.encode());
                self.spread(node, None, &compact);
            }
            PeerAction::Judge(peer, id, verdict) if peer.0 < HOSTILE => {
                let compact = self.gossip.remove(&id.0).unwrap();
                if verdict == Verdict::Accept {
                    self.spread(node, Some(peer), &compact);
                }
            }
            PeerAction::Penalize(peer, offence) => {
                self.offences.push((node, peer, offence));
                let all = self.offences_of(node, peer.0);
                if peer.0 < HOSTILE && all.iter().map(Offence::points).sum::<u32>() >= BAN {
                    self.disconnect(node, usize::try_from(peer.0).unwrap());
                }
            }
            PeerAction::Disconnect(peer, _) if peer.0 < HOSTILE => {
                self.disconnect(node, usize::try_from(peer.0).unwrap());
            }
            PeerAction::Request(peer, id, request) if peer.0 < HOSTILE => {
                let other = usize::try_from(peer.0).unwrap();
                *self.asked.entry(name(&request)).or_default() += 1;
                if (self.mute)(other, &request) {
                    return;
                }
                self.bytes[other] += request.encode().len();
                self.push(other, own, PeerEvent::Request(InboundId(id.0), request));
            }
            PeerAction::Respond(peer, id, response) if peer.0 < HOSTILE => {
                let other = usize::try_from(peer.0).unwrap();
                let bytes = response.encode();
                self.bytes[other] += bytes.len();
                let answer = Response::decode(&bytes).map_err(Failure::Malformed);
                self.push(other, own, PeerEvent::Response(RequestId(id.0), answer));
            }
            other => self.outside.push((node, other)),
        }
    }

    fn spread(&mut self, node: usize, from: Option<PeerId>, compact: &CompactBlock) {
        let bytes = compact.encode();
        let ends = |link: &(usize, usize)| match *link {
            (a, b) if a == node => Some(b),
            (a, b) if b == node => Some(a),
            _ => None,
        };
        let neighbours: Vec<usize> = self.links.iter().filter_map(ends).collect();
        for other in neighbours {
            if from != Some(PeerId(other as u64)) && self.seen[other].insert(bytes.clone()) {
                self.bytes[other] += bytes.len();
                self.gossip.insert(self.sequence, compact.clone());
                let id = GossipId(self.sequence);
                self.push(other, PeerId(node as u64), PeerEvent::Gossip(id, compact.clone()));
            }
        }
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, milliseconds: u64) {
        let end = self.now.after(milliseconds);
        while let Some((at, node, event)) = self.next(end) {
            self.now = self.now.max(at);
            self.nodes[node].now = self.now;
            self.nodes[node].handle(event);
            self.collect(node);
        }
        self.now = end;
    }

    /// Lets time pass until something is true, at most so long.
    pub(super) fn run_until(&mut self, at_most: u64, done: impl Fn(&Self) -> bool) {
        let end = self.now.after(at_most);
        while !done(self) {
            assert!(self.now < end, "not done in {at_most} ms: {}", self.state());
            self.run(20);
        }
    }

    fn next(&mut self, end: Time) -> Option<(Time, usize, Event)> {
        let wakes = self.nodes.iter().enumerate().filter_map(|(node, kit)| Some((kit.engine.wake_at()?, node)));
        let wake = wakes.min().filter(|(at, _)| *at <= end);
        let message = self.queue.first_key_value().map(|((at, _), _)| *at).filter(|at| *at <= end);
        if let (Some((at, node)), true) =
            (wake, wake.map(|(at, _)| at).is_some_and(|at| message.is_none_or(|m| at < m)))
        {
            return Some((at.max(self.now), node, Event::Tick));
        }
        message?;
        let ((at, _), (node, peer, event)) = self.queue.pop_first()?;
        let linked =
            |other: u64| self.links.contains(&((node as u64).min(other) as usize, (node as u64).max(other) as usize));
        let ends = matches!(event, PeerEvent::Disconnected);
        if !ends && !linked(peer.0) {
            return self.next(end);
        }
        Some((at, node, Event::Peer(peer, event)))
    }

    fn state(&self) -> String {
        format!("heights {:?}, asked {:?}, offences {:?}", self.heights(), self.asked, self.offences)
    }

    pub(super) fn heights(&self) -> Vec<u32> {
        self.nodes.iter().map(Kit::height).collect()
    }

    pub(super) fn agree(&self) -> bool {
        self.nodes.iter().all(|node| node.tip() == self.nodes[0].tip())
    }

    /// Lets a node mine a block now.
    pub(super) fn mine(&mut self, node: usize) {
        let before = self.now;
        self.nodes[node].now = self.now;
        self.nodes[node].mine();
        self.nodes[node].now = before;
        self.collect(node);
    }
}

/// A connection of a peer that has a host of its own.
pub(super) fn connected(side: Side, peer: u64) -> PeerEvent {
    PeerEvent::Connected(side, Payer(peer))
}

fn name(request: &Request) -> &'static str {
    match request {
        Request::Status(_) => "status",
        Request::Headers { .. } => "headers",
        Request::Blocks(_) => "blocks",
        Request::BlockTransactions { .. } => "block transactions",
        Request::Announce(_) => "announce",
        Request::Transactions(_) => "transactions",
        Request::Pool { .. } => "pool",
        Request::ShortTransactions { .. } => "short transactions",
        Request::Finality { .. } => "finality",
    }
}
