//! Who may connect: not the banned, and not too many in all, from one host, from one network, or as one peer. Inbound places
//! that are full are not full for good: as in Bitcoin Core, one of the least deserving peers makes room.

use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    multiaddr::Protocol,
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm, behaviour::ConnectionEstablished, dummy,
    },
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::{
    address::{self, Reach, is_this_machine},
    arrivals::Arrivals,
    bans::{Bans, Target},
    clock::Moment,
    evict::{self, Deserts},
    knocks::Knocks,
    misbehaviour,
};

/// Connections of others that may be shaking hands at a time, over TCP and over QUIC each. QUIC's have places of their own, since
/// the address that a first packet of QUIC comes from may be forged.
const PENDING: usize = 64;
/// Of these, from one host.
const PENDING_PER_HOST: usize = 4;
/// Of these, from one public network.
const PENDING_PER_GROUP: usize = 16;
/// Two peers may dial each other at the same moment; both connections are kept then.
const PER_PEER: usize = 2;

/// How many may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that others opened.
    pub inbound: usize,
    /// Of these, from one host.
    pub per_host: usize,
    /// Of these, from one public network.
    pub per_group: usize,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The peer or its address is banned.
    #[error("it is banned")]
    Banned,
    /// Too many inbound connections, none of which is to make room.
    #[error("the limit of inbound connections is reached")]
    Full,
    /// Too many from this host.
    #[error("the limit of connections from this host is reached")]
    Host,
    /// Too many from this network.
    #[error("the limit of connections from this network is reached")]
    Group,
    /// Too many from this host lately.
    #[error("its host connects too often")]
    Often,
    /// Too many with this peer.
    #[error("it is connected already")]
    Peer,
}

/// A peer that must make room for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evicted(pub PeerId);

struct Open {
    peer: PeerId,
    ip: Option<IpAddr>,
    inbound: bool,
    since: Instant,
    /// Whether it is making room.
    leaving: bool,
}

/// A handshake that others began.
struct Knock {
    ip: Option<IpAddr>,
    quic: bool,
    from: Multiaddr,
    since: Instant,
}

/// Decides over every connection before anything is set up for it.
pub struct Gate {
    limits: Limits,
    /// Who is kept out.
    pub bans: Bans,
    /// Peers that the operator named: no limit holds for them.
    pub trusted: HashSet<PeerId>,
    /// Hosts of nodes that the operator named. Others there must not keep those out.
    pub trusted_hosts: HashSet<IpAddr>,
    arrivals: Arrivals,
    knocks: Knocks,
    pending: HashMap<ConnectionId, Knock>,
    open: HashMap<ConnectionId, Open>,
    /// What peers have shown of themselves.
    deserts: HashMap<PeerId, (Option<Duration>, Option<Instant>)>,
    /// Peers that the shell does not know yet to be making room.
    evicted: VecDeque<PeerId>,
}

impl Gate {
    /// A gate with these limits.
    pub fn new(limits: Limits, bans: Bans, knocks: Knocks) -> Self {
        Self {
            limits,
            bans,
            trusted: HashSet::new(),
            trusted_hosts: HashSet::new(),
            arrivals: Arrivals::default(),
            knocks,
            pending: HashMap::new(),
            open: HashMap::new(),
            deserts: HashMap::new(),
            evicted: VecDeque::new(),
        }
    }

    /// Networks that this node has dialled into. A further peer is better sought elsewhere.
    pub fn dialled_groups(&self) -> HashSet<IpAddr> {
        let dialled = self.open.values().filter(|open| !open.inbound).filter_map(|open| open.ip);
        dialled.filter(|ip| address::reach(*ip) == Reach::Global).map(address::group).collect()
    }

    /// A peer answered a ping so fast.
    pub fn note_ping(&mut self, peer: PeerId, took: Duration) {
        if let Some((ping, _)) = self.deserts.get_mut(&peer) {
            *ping = Some(ping.map_or(took, |best| best.min(took)));
        }
    }

    /// A peer was the first to bring a block.
    pub fn note_useful(&mut self, peer: PeerId, now: Instant) {
        if let Some((_, useful)) = self.deserts.get_mut(&peer) {
            *useful = Some(now);
        }
    }

    /// Whether a handshake may begin, and which older one is given up for it. Those that take longest are given up first: an
    /// honest one takes two round trips.
    fn may_knock(&self, ip: Option<IpAddr>, quic: bool, now: Instant) -> Result<Option<ConnectionId>, Denied> {
        if ip.is_some_and(|ip| self.bans.holds_ip(ip, now)) {
            return Err(Denied::Banned);
        }
        let alike = || self.pending.iter().filter(|(_, knock)| knock.quic == quic);
        if let Some(ip) = ip.filter(|ip| !is_this_machine(*ip)) {
            let count =
                |part: fn(IpAddr) -> IpAddr| alike().filter(|(_, knock)| knock.ip.map(part) == Some(part(ip))).count();
            if count(address::host) >= PENDING_PER_HOST {
                return Err(Denied::Host);
            }
            if address::reach(ip) == Reach::Global && count(address::group) >= PENDING_PER_GROUP {
                return Err(Denied::Group);
            }
            // A peer that would be refused after the handshake is spared it, unless it may be one that no limit holds for.
            if !self.trusted_hosts.contains(&address::host(ip)) {
                self.has_room(ip, now)?;
            }
        }
        let full = alike().count() >= PENDING;
        Ok(alike().min_by_key(|(_, knock)| knock.since).filter(|_| full).map(|(id, _)| *id))
    }

    /// Whether a peer may connect, and who makes room for it.
    fn may_enter(
        &self,
        peer: &PeerId,
        ip: Option<IpAddr>,
        inbound: bool,
        now: Instant,
    ) -> Result<Option<PeerId>, Denied> {
        if self.bans.holds_peer(peer, now) || ip.is_some_and(|ip| self.bans.holds_ip(ip, now)) {
            return Err(Denied::Banned);
        }
        if self.open.values().filter(|open| open.peer == *peer).count() >= PER_PEER {
            return Err(Denied::Peer);
        }
        if !inbound || self.trusted.contains(peer) {
            return Ok(None);
        }
        ip.filter(|ip| !is_this_machine(*ip)).map_or(Ok(()), |ip| self.has_room(ip, now))?;
        if self.inbound().count() < self.limits.inbound {
            return Ok(None);
        }
        self.least_deserving().map(Some).ok_or(Denied::Full)
    }

    /// Connections that take up an inbound place.
    fn inbound(&self) -> impl Iterator<Item = &Open> {
        self.open.values().filter(|open| open.inbound && !open.leaving)
    }

    fn least_deserving(&self) -> Option<PeerId> {
        let deserts = |open: &Open| {
            let (ping, useful) = self.deserts.get(&open.peer).copied().unwrap_or_default();
            Deserts { peer: open.peer, group: open.ip.map(address::group), since: open.since, ping, useful }
        };
        let candidates = self.inbound().filter(|open| !self.trusted.contains(&open.peer)).map(deserts).collect();
        evict::choose(candidates, self.limits.inbound)
    }

    /// Whether one more may come from this host and network. A private network is one network by nature.
    fn has_room(&self, ip: IpAddr, now: Instant) -> Result<(), Denied> {
        if !self.arrivals.may_come(ip, now) {
            return Err(Denied::Often);
        }
        let count =
            |part: fn(IpAddr) -> IpAddr| self.inbound().filter(|open| open.ip.map(part) == Some(part(ip))).count();
        if count(address::host) >= self.limits.per_host {
            return Err(Denied::Host);
        }
        if address::reach(ip) == Reach::Global && count(address::group) >= self.limits.per_group {
            return Err(Denied::Group);
        }
        Ok(())
    }

    /// A peer leaves to make room.
    pub fn evict(&mut self, peer: PeerId) {
        self.open.values_mut().filter(|open| open.peer == peer).for_each(|open| open.leaving = true);
        self.evicted.push_back(peer);
    }

    fn entered(&mut self, id: ConnectionId, peer: PeerId, ip: Option<IpAddr>, inbound: bool, now: Instant) {
        if let Some(ip) = ip.filter(|ip| inbound && !is_this_machine(*ip)) {
            self.arrivals.came(ip, now);
        }
        self.deserts.entry(peer).or_default();
        self.open.insert(id, Open { peer, ip, inbound, since: now, leaving: false });
    }

    fn left(&mut self, id: ConnectionId) {
        let Some(gone) = self.open.remove(&id) else {
            return;
        };
        if self.open.values().all(|open| open.peer != gone.peer) {
            self.deserts.remove(&gone.peer);
        }
    }

    /// Bans a peer for so many seconds, and the host that it comes from unless others come from there: because it is shared, or
    /// because the operator named a node there. Returns what is banned.
    pub fn ban(&mut self, peer: PeerId, ip: Option<IpAddr>, seconds: u64, reason: &str) -> Vec<Target> {
        let at = Moment::now();
        let ip = ip.filter(|ip| !self.trusted_hosts.contains(&address::host(*ip)));
        let targets: Vec<Target> = misbehaviour::targets(peer, ip).collect();
        targets.iter().for_each(|target| self.bans.add(*target, seconds, reason.to_owned(), at));
        targets
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Evicted;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let (ip, now) = (address::ip(remote), Instant::now());
        let quic = remote.iter().any(|part| part == Protocol::QuicV1);
        let oldest = self.may_knock(ip, quic, now).map_err(ConnectionDenied::new)?;
        if let Some(given_up) = oldest.and_then(|oldest| self.pending.remove(&oldest)) {
            self.knocks.give_up(&given_up.from);
        }
        self.pending.insert(id, Knock { ip, quic, from: remote.clone(), since: now });
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending.remove(&id);
        let room = self.may_enter(&peer, address::ip(remote), true, Instant::now()).map_err(ConnectionDenied::new)?;
        if let Some(evicted) = room {
            self.evict(evicted);
        }
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        match peer.filter(|peer| self.bans.holds_peer(peer, Instant::now())) {
            Some(_) => Err(ConnectionDenied::new(Denied::Banned)),
            None => Ok(Vec::new()),
        }
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.may_enter(&peer, address::ip(remote), false, Instant::now()).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, endpoint, .. }) => {
                let inbound = matches!(endpoint, ConnectedPoint::Listener { .. });
                let ip = address::ip(endpoint.get_remote_address());
                self.entered(connection_id, peer_id, ip, inbound, Instant::now());
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => self.left(connection_id),
            FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                self.pending.remove(&connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // Peers are evicted only while the swarm handles a connection, after which it asks again.
        let evicted = self.evicted.pop_front();
        evicted.map_or(Poll::Pending, |peer| Poll::Ready(ToSwarm::GenerateEvent(Evicted(peer))))
    }
}

#[cfg(test)]
mod tests;
