//! Who may connect: not the banned, and not too many in all, from one host, from one network, or as one peer.

use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm, behaviour::ConnectionEstablished, dummy,
    },
};
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    net::IpAddr,
    task::{Context, Poll},
};

use super::{
    address::{self, Scope},
    bans::{Bans, Target},
    clock,
};

/// Connections that may be shaking hands at a time.
const PENDING: usize = 64;
/// Of these, from one host.
const PENDING_PER_HOST: usize = 4;
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
    /// Too many inbound connections, or too many that shake hands.
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

struct Open {
    peer: PeerId,
    ip: Option<IpAddr>,
    inbound: bool,
}

/// Decides over every connection before anything is set up for it.
pub struct Gate {
    limits: Limits,
    /// Who is kept out.
    pub bans: Bans,
    /// Peers that the operator named: no limit holds for them.
    pub trusted: HashSet<PeerId>,
    pending: HashMap<ConnectionId, Option<IpAddr>>,
    open: HashMap<ConnectionId, Open>,
}

impl Gate {
    /// A gate with these limits.
    pub fn new(limits: Limits, bans: Bans) -> Self {
        Self { limits, bans, trusted: HashSet::new(), pending: HashMap::new(), open: HashMap::new() }
    }

    /// Networks that this node has dialled into. A further peer is better sought elsewhere.
    pub fn dialled_groups(&self) -> HashSet<IpAddr> {
        let dialled = self.open.values().filter(|open| !open.inbound).filter_map(|open| open.ip);
        dialled.filter(|ip| address::scope(*ip) == Scope::Global).map(address::group).collect()
    }

    fn may_knock(&self, ip: Option<IpAddr>) -> Result<(), Denied> {
        if ip.is_some_and(|ip| self.bans.holds_ip(ip, clock())) {
            return Err(Denied::Banned);
        }
        if self.pending.len() >= PENDING {
            return Err(Denied::Full);
        }
        let Some(host) = ip.filter(|ip| !is_this_machine(*ip)).map(address::host) else {
            return Ok(());
        };
        let same = |other: &Option<IpAddr>| other.map(address::host) == Some(host);
        if self.pending.values().filter(|ip| same(ip)).count() >= PENDING_PER_HOST {
            return Err(Denied::Host);
        }
        // Whoever would be refused after the handshake is spared it.
        self.has_room(ip)
    }

    fn may_enter(&self, peer: &PeerId, ip: Option<IpAddr>, inbound: bool) -> Result<(), Denied> {
        let now = clock();
        if self.bans.holds_peer(peer, now) || ip.is_some_and(|ip| self.bans.holds_ip(ip, now)) {
            return Err(Denied::Banned);
        }
        if self.open.values().filter(|open| open.peer == *peer).count() >= PER_PEER {
            return Err(Denied::Peer);
        }
        if !inbound || self.trusted.contains(peer) {
            return Ok(());
        }
        if self.inbound().count() >= self.limits.inbound {
            return Err(Denied::Full);
        }
        self.has_room(ip)
    }

    fn inbound(&self) -> impl Iterator<Item = &Open> {
        self.open.values().filter(|open| open.inbound)
    }

    /// Whether one more may come from this host and network. This machine is no stranger, and a private network is one
    /// network by nature.
    fn has_room(&self, ip: Option<IpAddr>) -> Result<(), Denied> {
        let Some(ip) = ip.filter(|ip| !is_this_machine(*ip)) else {
            return Ok(());
        };
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

    /// Bans a peer, and the host that it comes from unless that is this machine.
    pub fn ban(&mut self, peer: PeerId, ip: Option<IpAddr>, until: u64, reason: &str) {
        let now = clock();
        self.bans.add(Target::Peer(peer), until, reason.to_owned(), now);
        if let Some(ip) = ip.filter(|ip| !is_this_machine(*ip)) {
            self.bans.add(Target::Host(address::host(ip)), until, reason.to_owned(), now);
        }
    }
}

/// Where several nodes of one owner run beside each other.
fn is_this_machine(ip: IpAddr) -> bool {
    ip == IpAddr::from([127, 0, 0, 1]) || ip == IpAddr::from(std::net::Ipv6Addr::LOCALHOST)
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let ip = address::ip(remote);
        self.may_knock(ip).map_err(ConnectionDenied::new)?;
        self.pending.insert(id, ip);
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
        self.may_enter(&peer, address::ip(remote), true).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        match peer.filter(|peer| self.bans.holds_peer(peer, clock())) {
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
        self.may_enter(&peer, address::ip(remote), false).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, endpoint, .. }) => {
                let inbound = matches!(endpoint, ConnectedPoint::Listener { .. });
                let open = Open { peer: peer_id, ip: address::ip(endpoint.get_remote_address()), inbound };
                self.open.insert(connection_id, open);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                self.open.remove(&connection_id);
            }
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
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::identity::Keypair;

    fn someone() -> PeerId {
        Keypair::generate_ed25519().public().to_peer_id()
    }

    fn gate() -> Gate {
        Gate::new(Limits { inbound: 6, per_host: 2, per_group: 3 }, Bans::default())
    }

    impl Gate {
        fn open(&mut self, peer: PeerId, ip: &str, inbound: bool) -> Result<(), Denied> {
            let ip = Some(ip.parse().unwrap());
            if inbound {
                self.may_knock(ip)?;
            }
            self.may_enter(&peer, ip, inbound)?;
            self.open.insert(ConnectionId::new_unchecked(self.open.len()), Open { peer, ip, inbound });
            Ok(())
        }

        fn enter(&mut self, ip: &str) -> Result<(), Denied> {
            self.open(someone(), ip, true)
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
        assert_eq!(gate.open(someone(), "8.8.8.8", false), Ok(()), "what this node dials is not limited here");
        for ip in ["9.1.1.1", "9.1.1.2", "9.1.1.3"] {
            assert_eq!(gate.enter(ip), Ok(()));
        }
        assert_eq!(gate.enter("11.1.1.1"), Err(Denied::Full));
        let friend = someone();
        gate.trusted.insert(friend);
        assert_eq!(gate.open(friend, "11.1.1.1", true), Ok(()), "but for those that the operator named");
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
        assert_eq!(gate.enter("127.0.0.1"), Err(Denied::Full), "the whole is limited for all");
    }

    #[test]
    fn the_banned_stay_out_under_their_key_and_from_their_host() {
        let mut gate = gate();
        let (peer, ip) = (someone(), "9.9.9.9".parse().unwrap());
        gate.ban(peer, Some(ip), clock() + 100, "why");
        assert_eq!(gate.enter("9.9.9.9"), Err(Denied::Banned));
        assert_eq!(gate.open(peer, "1.1.1.1", false), Err(Denied::Banned));
        gate.ban(peer, Some("127.0.0.1".parse().unwrap()), clock() + 100, "why");
        assert_eq!(gate.open(peer, "127.0.0.1", true), Err(Denied::Banned));
        assert_eq!(gate.enter("127.0.0.1"), Ok(()), "this machine is never banned as a whole");
    }

    #[test]
    fn one_peer_has_few_connections() {
        let mut gate = gate();
        let peer = someone();
        assert_eq!(gate.open(peer, "127.0.0.1", true), Ok(()));
        assert_eq!(gate.open(peer, "127.0.0.1", false), Ok(()));
        assert_eq!(gate.open(peer, "127.0.0.1", true), Err(Denied::Peer));
    }

    #[test]
    fn few_of_one_host_shake_hands_at_a_time() {
        let mut gate = Gate::new(Limits { inbound: 500, per_host: 500, per_group: 500 }, Bans::default());
        let mut knock = |number: usize, ip: &str| {
            let ip = Some(ip.parse().unwrap());
            let result = gate.may_knock(ip);
            if result.is_ok() {
                gate.pending.insert(ConnectionId::new_unchecked(number), ip);
            }
            result
        };
        for number in 0..PENDING_PER_HOST {
            assert_eq!(knock(number, "8.8.8.8"), Ok(()));
        }
        assert_eq!(knock(100, "8.8.8.8"), Err(Denied::Host));
        for number in PENDING_PER_HOST..PENDING {
            assert_eq!(knock(number, "127.0.0.1"), Ok(()));
        }
        assert_eq!(knock(200, "9.9.9.9"), Err(Denied::Full));
    }
}
