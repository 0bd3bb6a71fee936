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
    address::{self, Scope},
    bans::{Bans, Moment, Target},
    evict::{self, Deserts},
    knocks::Knocks,
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
    #[error("there are enough inbound connections")]
    Full,
    /// Too many from this host.
    #[error("there are enough connections from this host")]
    Host,
    /// Too many from this network.
    #[error("there are enough connections from this network")]
    Group,
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
        dialled.filter(|ip| address::scope(*ip) == Scope::Global).map(address::group).collect()
    }

    /// A peer answered a ping so fast.
    pub fn note_ping(&mut self, peer: PeerId, took: Duration) {
        if let Some((ping, _)) = self.deserts.get_mut(&peer) {
            *ping = Some(ping.map_or(took, |best| best.min(took)));
        }
    }

    /// A peer was the first to bring a block.
    pub fn note_useful(&mut self, peer: PeerId, now: Instant) {
        self.deserts.get_mut(&peer).into_iter().for_each(|(_, useful)| *useful = Some(now));
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
            if address::scope(ip) == Scope::Global && count(address::group) >= PENDING_PER_GROUP {
                return Err(Denied::Group);
            }
            // Whoever would be refused after the handshake is spared it.
            self.has_room(ip)?;
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
        ip.filter(|ip| !is_this_machine(*ip)).map_or(Ok(()), |ip| self.has_room(ip))?;
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
    fn has_room(&self, ip: IpAddr) -> Result<(), Denied> {
        let count =
            |part: fn(IpAddr) -> IpAddr| self.inbound().filter(|open| open.ip.map(part) == Some(part(ip))).count();
        if count(address::host) >= self.limits.per_host {
            return Err(Denied::Host);
        }
        if address::scope(ip) == Scope::Global && count(address::group) >= self.limits.per_group {
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

    /// Bans a peer for so many seconds, and the host that it comes from unless that is this machine.
    pub fn ban(&mut self, peer: PeerId, ip: Option<IpAddr>, seconds: u64, reason: &str) {
        let at = Moment::now();
        self.bans.add(Target::Peer(peer), seconds, reason.to_owned(), at);
        if let Some(ip) = ip.filter(|ip| !is_this_machine(*ip)) {
            self.bans.add(Target::Host(address::host(ip)), seconds, reason.to_owned(), at);
        }
    }
}

/// Where several nodes of one owner run beside each other.
fn is_this_machine(ip: IpAddr) -> bool {
    ip == IpAddr::from([127, 0, 0, 1]) || ip == IpAddr::from(std::net::Ipv6Addr::LOCALHOST)
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
        room.into_iter().for_each(|evicted| self.evict(evicted));
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
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new(Limits { inbound: 6, per_host: 2, per_group: 3 }, Bans::default(), Knocks::default())
    }

    impl Gate {
        fn open(&mut self, peer: PeerId, ip: &str, inbound: bool) -> Result<(), Denied> {
            let (ip, now) = (Some(ip.parse().unwrap()), Instant::now());
            if inbound {
                self.may_knock(ip, false, now)?;
            }
            let room = self.may_enter(&peer, ip, inbound, now)?;
            room.into_iter().for_each(|evicted| self.evict(evicted));
            self.entered(ConnectionId::new_unchecked(self.open.len()), peer, ip, inbound, now);
            Ok(())
        }

        fn enter(&mut self, ip: &str) -> Result<(), Denied> {
            self.open(PeerId::random(), ip, true)
        }

        fn knock(&mut self, number: usize, ip: &str, quic: bool) -> Result<Option<ConnectionId>, Denied> {
            let (ip, now) = (Some(ip.parse().unwrap()), Instant::now() + Duration::from_millis(number as u64));
            let oldest = self.may_knock(ip, quic, now)?;
            oldest.inspect(|oldest| _ = self.pending.remove(oldest));
            let knock = Knock { ip, quic, from: Multiaddr::empty(), since: now };
            self.pending.insert(ConnectionId::new_unchecked(number), knock);
            Ok(oldest)
        }
    }

    #[test]
    fn a_host_a_network_and_the_whole_have_limits() {
        let mut gate = gate();
        assert_eq!(gate.enter("8.8.8.8"), Ok(()));
        assert_eq!(gate.enter("8.8.8.8"), Ok(()));
        assert_eq!(gate.enter("8.8.8.8"), Err(Denied::Host));
        assert_eq!(gate.enter("8.8.4.4"), Ok(()));
        assert_eq!(gate.enter("8.8.1.1"), Err(Denied::Group));
        assert_eq!(gate.enter("2002:808:101::1"), Err(Denied::Group), "nor through a tunnel");
        assert_eq!(gate.open(PeerId::random(), "8.8.8.8", false), Ok(()), "what this node dials is not limited here");
        for ip in ["9.1.1.1", "9.1.1.2", "9.1.1.3"] {
            assert_eq!(gate.enter(ip), Ok(()));
        }
        assert_eq!((gate.inbound().count(), gate.evicted.len()), (6, 0));
        assert_eq!(gate.enter("11.1.1.1"), Ok(()), "somebody makes room");
        assert_eq!((gate.inbound().count(), gate.evicted.len()), (6, 1));
        let friend = PeerId::random();
        gate.trusted.insert(friend);
        assert_eq!(gate.open(friend, "12.1.1.1", true), Ok(()), "no limit holds for those that the operator named");
        assert_eq!((gate.inbound().count(), gate.evicted.len()), (7, 1));
    }

    // An attacker with many networks has all places, and an honest node comes.
    #[test]
    fn full_places_open_for_others_and_the_trusted_stay() {
        let mut gate =
            Gate::new(Limits { inbound: 42, per_host: 4, per_group: 10 }, Bans::default(), Knocks::default());
        let friend = PeerId::random();
        gate.trusted.insert(friend);
        gate.open(friend, "7.7.7.7", true).unwrap();
        for number in 0..41 {
            gate.enter(&format!("{}.1.1.{}", 20 + number / 10, number % 10)).unwrap();
        }
        assert_eq!(gate.evicted, []);
        for number in 0..1_000 {
            assert_eq!(gate.enter(&format!("{}.{}.1.1", 100 + number / 250, number % 250)), Ok(()));
        }
        assert_eq!(gate.inbound().count(), 42);
        assert!(!gate.evicted.contains(&friend));
    }

    #[test]
    fn this_machine_and_private_networks_are_exempt_as_far_as_it_makes_sense() {
        let mut gate = gate();
        for _ in 0..3 {
            assert_eq!(gate.enter("127.0.0.1"), Ok(()));
        }
        assert_eq!(gate.enter("192.168.1.1"), Ok(()));
        assert_eq!(gate.enter("192.168.1.1"), Ok(()));
        assert_eq!(gate.enter("192.168.1.1"), Err(Denied::Host));
        assert_eq!(gate.enter("192.168.1.2"), Ok(()));
        assert_eq!(gate.enter("127.0.0.1"), Ok(()));
        assert_eq!(gate.inbound().count(), 6, "the whole is limited for all");
    }

    #[test]
    fn the_banned_stay_out_under_their_key_and_from_their_host() {
        let mut gate = gate();
        let (peer, ip) = (PeerId::random(), "9.9.9.9".parse().unwrap());
        gate.ban(peer, Some(ip), 100, "why");
        assert_eq!(gate.enter("9.9.9.9"), Err(Denied::Banned));
        assert_eq!(gate.open(peer, "1.1.1.1", false), Err(Denied::Banned));
        gate.ban(peer, Some("127.0.0.1".parse().unwrap()), 100, "why");
        assert_eq!(gate.open(peer, "127.0.0.1", true), Err(Denied::Banned));
        assert_eq!(gate.enter("127.0.0.1"), Ok(()), "this machine is never banned as a whole");
    }

    #[test]
    fn one_peer_has_few_connections() {
        let mut gate = gate();
        let peer = PeerId::random();
        assert_eq!(gate.open(peer, "127.0.0.1", true), Ok(()));
        assert_eq!(gate.open(peer, "127.0.0.1", false), Ok(()));
        assert_eq!(gate.open(peer, "127.0.0.1", true), Err(Denied::Peer));
        (0..2).for_each(|id| gate.left(ConnectionId::new_unchecked(id)));
        assert!(gate.open.is_empty() && gate.deserts.is_empty(), "nothing stays of who left");
    }

    #[test]
    fn few_of_one_host_or_network_shake_hands_at_a_time() {
        let mut gate =
            Gate::new(Limits { inbound: 500, per_host: 500, per_group: 500 }, Bans::default(), Knocks::default());
        for number in 0..PENDING_PER_HOST {
            assert_eq!(gate.knock(number, "8.8.8.8", false), Ok(None));
        }
        assert_eq!(gate.knock(100, "8.8.8.8", false), Err(Denied::Host));
        for number in PENDING_PER_HOST..PENDING_PER_GROUP {
            assert_eq!(gate.knock(number, &format!("8.8.1.{number}"), false), Ok(None));
        }
        assert_eq!(gate.knock(100, "8.8.2.1", false), Err(Denied::Group));
    }

    #[test]
    fn the_oldest_handshake_makes_room_among_its_like() {
        let mut gate =
            Gate::new(Limits { inbound: 500, per_host: 500, per_group: 500 }, Bans::default(), Knocks::default());
        // Forged: each from another network, over QUIC.
        for number in 0..PENDING {
            assert_eq!(gate.knock(number, &format!("11.{number}.1.1"), true), Ok(None));
        }
        assert_eq!(gate.knock(200, "9.9.9.9", false), Ok(None), "TCP has places of its own");
        assert_eq!(gate.knock(201, "9.9.9.9", true), Ok(Some(ConnectionId::new_unchecked(0))));
        assert_eq!(gate.knock(202, "9.9.9.9", true), Ok(Some(ConnectionId::new_unchecked(1))));
        assert_eq!(gate.pending.len(), PENDING + 1);
    }
}
