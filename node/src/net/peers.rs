//! The peers that are connected, by their keys and by the numbers that the engine knows them by.

use cairn_client::unix;
use chain_core::{block::header::Header, codec::CodecError};
use libp2p::{Multiaddr, PeerId, request_response::ResponseChannel};
use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

use super::{
    address,
    codec::Read,
    count::Traffic,
    misbehaviour::Misbehaviour,
    offset::{self, Compared},
};
use crate::{
    engine::{self, InboundId, Offence, Payer, PeerEvent},
    engine_thread::{PeerLink, Refused},
    metrics,
    throttle::Bucket,
    wire::{Request, Response, Status},
};

/// Peers that have left and are remembered for what comes to light later, and for how long: the engine waits ten minutes for the
/// block that shows what a peer gossiped.
const GONE: usize = 1_024;
const GONE_FOR: Duration = Duration::from_secs(600);

/// How often a peer may say at once what it is, and after how long it may once more. Honest ones do when they connect, every five
/// minutes, and when their addresses change.
const INTRODUCTIONS: u32 = 8;
const INTRODUCE_AGAIN: Duration = Duration::from_secs(30);

/// How a peer came to be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It dialled this node.
    Inbound,
    /// This node wanted a peer, or the operator this one.
    Wanted,
    /// This node searched this machine.
    Scan,
    /// A search in the distributed table went by way of it: nobody chose it as a peer, and it does not count as one.
    Passing,
}

/// How long a peer stays that a search in the distributed table went by way of.
const PASSING: Duration = Duration::from_secs(20);

impl Origin {
    /// Whether this node dialled it to have it as a peer: only such ones fill its outbound places, and the address book keeps
    /// as met. A peer that answers a search would otherwise choose a node's peers.
    pub fn is_chosen(self) -> bool {
        matches!(self, Self::Wanted | Self::Scan)
    }

    /// Whether a peer that has been here for so long has nothing more to do here.
    pub fn is_over(self, stayed: Duration) -> bool {
        self == Self::Passing && stayed > PASSING
    }
}

/// Where answers go.
pub type Channel = ResponseChannel<Read<Response>>;

/// A connected peer.
pub struct Peer {
    /// What the engine calls it.
    pub number: engine::PeerId,
    /// Who pays for what it asks.
    pub payer: Payer,
    /// Its events' way to the engine.
    pub link: PeerLink,
    /// How it came to be connected.
    pub origin: Origin,
    /// Where it is.
    pub address: Multiaddr,
    /// Since when.
    pub since: Instant,
    /// What it says that it is; printable.
    pub agent: String,
    /// Where its chain stood when it last said so.
    pub status: Option<Status>,
    /// Seconds that its clock was ahead of this machine's then.
    pub clock_offset: Option<i64>,
    /// Bytes over its connections.
    pub traffic: Arc<Traffic>,
    /// Why this node ends the connection, if it does.
    pub leaving: Option<String>,
    /// Its last round trip.
    pub ping: Option<Duration>,
    /// Open connections.
    pub connections: usize,
    /// Questions of it that wait for the engine, which has enough of them for now.
    pub held: VecDeque<(InboundId, Request)>,
    /// Its questions with long answers that are with the engine or on their way back.
    pub heavy: usize,
    /// Its gossiped blocks that are being decoded.
    pub decoding: usize,
    /// Headers of blocks that it gossiped and that were dropped for want of room. The pace of gossip bounds them.
    pub missed: Vec<Header>,
    /// Whether it has said what it is.
    pub introduced: bool,
    introductions: Bucket,
}

/// What is known of a connected peer.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// Its key.
    pub id: PeerId,
    /// What the engine calls it.
    pub number: engine::PeerId,
    /// Where it is.
    pub address: Multiaddr,
    /// Whether this node dialled it.
    pub outbound: bool,
    /// What it says that it is.
    pub agent: String,
    /// Where its chain stood when it last said so.
    pub status: Option<Status>,
    /// How long it is connected.
    pub connected: Duration,
    /// Its last round trip.
    pub ping: Option<Duration>,
    /// What is held against it; at 100 it is banned.
    pub points: u32,
    /// Seconds that its clock is ahead of this machine's, as far as it says.
    pub clock_offset: Option<i64>,
    /// Bytes received from it and sent to it.
    pub traffic: (u64, u64),
}

/// A peer that has left.
struct Gone {
    number: engine::PeerId,
    id: PeerId,
    ip: Option<IpAddr>,
    at: Instant,
}

impl Peer {
    /// A peer that has just connected.
    pub fn new(
        number: engine::PeerId,
        payer: Payer,
        link: PeerLink,
        origin: Origin,
        address: Multiaddr,
        traffic: Arc<Traffic>,
    ) -> Self {
        let since = Instant::now();
        Self {
            number,
            payer,
            link,
            origin,
            address,
            since,
            agent: String::new(),
            status: None,
            clock_offset: None,
            traffic,
            leaving: None,
            ping: None,
            connections: 1,
            held: VecDeque::new(),
            heavy: 0,
            decoding: 0,
            missed: Vec::new(),
            introduced: false,
            introductions: Bucket::new(INTRODUCTIONS, INTRODUCE_AGAIN, since),
        }
    }

    /// It says where it stands, and what time it is there.
    pub fn says(&mut self, status: &Status) {
        let time = i64::try_from(status.time).unwrap_or(i64::MAX);
        self.clock_offset = Some(time.saturating_sub(i64::try_from(unix()).unwrap_or(i64::MAX)));
        self.status = Some(status.clone());
    }

    /// Whether this node dialled it.
    pub fn outbound(&self) -> bool {
        self.origin != Origin::Inbound
    }

    /// Whether this node dialled it to have it as a peer. A peer that a search went by way of was named by others.
    pub fn chosen(&self) -> bool {
        self.origin.is_chosen()
    }

    /// It says what it is; returns whether it may do so now.
    pub fn may_introduce(&mut self, now: Instant) -> bool {
        self.introductions.take(now)
    }

    /// Tells the engine of bytes that are no message. If it has too much of this peer already, that is an offence by itself.
    pub fn malformed(&self, error: CodecError) -> Option<Offence> {
        let refused = self.link.try_send(PeerEvent::Malformed(error.clone()));
        matches!(refused, Err(Refused::Full(_))).then_some(Offence::Malformed(error))
    }

    /// A block that it gossiped is dropped.
    pub fn miss(&mut self, gossiped: &[u8]) {
        // What is shorter than a header is not a block.
        self.missed.extend(gossiped.first_chunk().map(Header::from_bytes));
    }

    /// Tells the engine of the blocks that were dropped.
    fn tell_missed(&mut self) {
        if !self.missed.is_empty() {
            // The engine has stopped, and so will the shell.
            let _ = self.link.try_send(PeerEvent::Missed(std::mem::take(&mut self.missed)));
        }
    }

    /// Its IP.
    pub fn ip(&self) -> Option<IpAddr> {
        address::ip(&self.address)
    }
}

/// All connected peers.
#[derive(Default)]
pub struct Peers {
    count: watch::Sender<usize>,
    peers: HashMap<PeerId, Peer>,
    ids: HashMap<engine::PeerId, PeerId>,
    gone: VecDeque<Gone>,
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
        if let Some(metrics) = metrics::on() {
            metrics.net.connected(peer.outbound());
        }
        self.ids.insert(peer.number, id);
        self.peers.insert(id, peer);
        self.count.send_replace(self.len());
    }

    /// Takes a peer away.
    pub fn remove(&mut self, id: &PeerId) -> Option<Peer> {
        let mut peer = self.peers.remove(id)?;
        // Else who leaves at once would have a block missed that it sent first.
        peer.tell_missed();
        if let Some(metrics) = metrics::on() {
            metrics.net.disconnected();
        }
        self.ids.remove(&peer.number);
        let at = Instant::now();
        self.gone.retain(|gone| at.duration_since(gone.at) < GONE_FOR);
        if self.gone.len() >= GONE {
            self.gone.pop_front();
        }
        self.gone.push_back(Gone { number: peer.number, id: *id, ip: peer.ip(), at });
        self.count.send_replace(self.len());
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

    /// Key and IP of the peer that the engine calls so, or called so before it left.
    pub fn culprit(&self, number: engine::PeerId) -> Option<(PeerId, Option<IpAddr>)> {
        if let Some(id) = self.id(number) {
            return Some((id, self.peers.get(&id).and_then(Peer::ip)));
        }
        self.gone.iter().find(|gone| gone.number == number).map(|gone| (gone.id, gone.ip))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&PeerId, &Peer)> {
        self.peers.iter()
    }

    /// Whether questions of anybody, or headers of dropped blocks, wait for the engine.
    pub fn somebody_waits(&self) -> bool {
        self.peers.values().any(|peer| !peer.held.is_empty() || !peer.missed.is_empty())
    }

    /// Tells the engine of the blocks that were dropped.
    pub fn tell_missed(&mut self) {
        self.peers.values_mut().for_each(Peer::tell_missed);
    }

    /// How their clocks compare with this machine's; `None` as long as nobody has said.
    pub fn clocks(&self) -> Option<Compared> {
        let told = |peer: &Peer| Some((peer.chosen(), peer.clock_offset?, peer.address.to_string()));
        offset::compare(self.peers.values().filter_map(told))
    }

    /// How many there are, as that changes.
    pub fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// What is known of each, the longest connected first.
    pub fn infos(&self, misbehaviour: &mut Misbehaviour, now: Instant) -> Vec<PeerInfo> {
        let info = |(id, peer): (&PeerId, &Peer)| PeerInfo {
            id: *id,
            number: peer.number,
            address: peer.address.clone(),
            outbound: peer.outbound(),
            agent: peer.agent.clone(),
            status: peer.status.clone(),
            connected: now.duration_since(peer.since),
            ping: peer.ping,
            points: misbehaviour.points(*id, peer.ip(), now),
            clock_offset: peer.clock_offset,
            traffic: (peer.traffic.received(), peer.traffic.sent()),
        };
        let mut infos: Vec<PeerInfo> = self.peers.iter().map(info).collect();
        infos.sort_by_key(|info| Reverse(info.connected));
        infos
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// How many of them this node dialled, for whatever reason.
    pub fn dialled(&self) -> usize {
        self.peers.values().filter(|peer| peer.outbound()).count()
    }

    /// How many of them this node dialled to have them as peers.
    pub fn outbound(&self) -> usize {
        self.peers.values().filter(|peer| peer.chosen()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_a_search_passes_by_fills_no_place_is_not_noted_as_met_and_goes() {
        let all = [Origin::Inbound, Origin::Wanted, Origin::Scan, Origin::Passing];
        assert_eq!(all.map(Origin::is_chosen), [false, true, true, false]);
        assert_eq!(all.map(|origin| origin.is_over(Duration::from_secs(21))), [false, false, false, true]);
        assert_eq!(all.map(|origin| origin.is_over(Duration::from_secs(20))), [false; 4]);
    }
}
