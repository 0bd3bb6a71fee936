//! The peers that are connected, by their keys and by the numbers that the engine knows them by.

use libp2p::{Multiaddr, PeerId, request_response::ResponseChannel};
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

use super::{address, codec::Read};
use crate::{
    engine::{self, InboundId, PeerLink},
    wire::{Request, Response, Status},
};

/// A point against a peer is forgotten after so long.
const FORGIVEN: Duration = Duration::from_secs(30);

/// Where answers go.
pub type Channel = ResponseChannel<Read<Response>>;

/// A connected peer.
pub struct Peer {
    /// What the engine calls it.
    pub number: engine::PeerId,
    /// Its events' way to the engine.
    pub link: PeerLink,
    /// Whether this node dialled it.
    pub outbound: bool,
    /// Whether a search in the distributed table dialled it, rather than the want of a peer.
    pub passing: bool,
    /// Where it is.
    pub address: Multiaddr,
    /// Since when.
    pub since: Instant,
    /// What it says that it is; printable.
    pub agent: String,
    /// Where its chain stood when it last said so.
    pub status: Option<Status>,
    /// Its last round trip.
    pub ping: Option<Duration>,
    /// Open connections.
    pub connections: usize,
    /// Questions of it that wait for the engine, which has enough of them for now.
    pub held: VecDeque<(InboundId, Request)>,
    /// Its questions with long answers that are with the engine or on their way back.
    pub heavy: usize,
    points: u32,
    judged: Instant,
}

impl Peer {
    /// A peer that has just connected.
    pub fn new(number: engine::PeerId, link: PeerLink, outbound: bool, passing: bool, address: Multiaddr) -> Self {
        let since = Instant::now();
        Self {
            number,
            link,
            outbound,
            passing,
            address,
            since,
            agent: String::new(),
            status: None,
            ping: None,
            connections: 1,
            held: VecDeque::new(),
            heavy: 0,
            points: 0,
            judged: since,
        }
    }

    /// Its IP.
    pub fn ip(&self) -> Option<IpAddr> {
        address::ip(&self.address)
    }

    /// What is held against it now.
    pub fn points(&mut self, now: Instant) -> u32 {
        let forgiven = now.saturating_duration_since(self.judged).as_secs() / FORGIVEN.as_secs();
        if forgiven > 0 {
            self.points = self.points.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
            self.judged = now;
        }
        self.points
    }

    /// Holds more against it; answers how much it is together.
    pub fn blame(&mut self, points: u32, now: Instant) -> u32 {
        self.points = self.points(now).saturating_add(points);
        self.points
    }
}

/// All connected peers.
#[derive(Default)]
pub struct Peers {
    peers: HashMap<PeerId, Peer>,
    ids: HashMap<engine::PeerId, PeerId>,
    last: u64,
}

impl Peers {
    /// The number of the next peer.
    pub fn next_number(&mut self) -> engine::PeerId {
        self.last += 1;
        engine::PeerId(self.last)
    }

    /// Adds a peer.
    pub fn insert(&mut self, id: PeerId, peer: Peer) {
        self.ids.insert(peer.number, id);
        self.peers.insert(id, peer);
    }

    /// Takes a peer away.
    pub fn remove(&mut self, id: &PeerId) -> Option<Peer> {
        let peer = self.peers.remove(id)?;
        self.ids.remove(&peer.number);
        Some(peer)
    }

    /// The peer with this key.
    pub fn get(&mut self, id: &PeerId) -> Option<&mut Peer> {
        self.peers.get_mut(id)
    }

    /// Whether a peer is connected.
    pub fn contains(&self, id: &PeerId) -> bool {
        self.peers.contains_key(id)
    }

    /// The key of the peer that the engine calls so.
    pub fn id(&self, number: engine::PeerId) -> Option<PeerId> {
        self.ids.get(&number).copied()
    }

    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&PeerId, &mut Peer)> {
        self.peers.iter_mut()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&PeerId, &Peer)> {
        self.peers.iter()
    }

    /// Whether questions of anybody wait for the engine.
    pub fn somebody_waits(&self) -> bool {
        self.peers.values().any(|peer| !peer.held.is_empty())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// How many of them this node dialled.
    pub fn outbound(&self) -> usize {
        self.peers.values().filter(|peer| peer.outbound).count()
    }
}
