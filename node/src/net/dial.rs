//! Whom this node dials: those that the operator named, always again; and others until there are enough. Whoever does not
//! answer is left alone for ever longer.

use libp2p::{
    Multiaddr, PeerId,
    multiaddr::Protocol,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::Ipv4Addr,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use super::{address, clock, shell::Shell};

/// Attempts at a time.
const DIALLING: usize = 4;
/// Waits between attempts at a node that the operator named.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long a name may take to be looked up.
const LOOKUP: Duration = Duration::from_secs(10);

/// How often this machine is searched.
const LOOK: Duration = Duration::from_secs(10);
/// Where nodes usually listen: the default port, and the next for further nodes beside it.
const USUAL_PORTS: RangeInclusive<u16> = 30_303..=30_312;

/// A node that the operator named.
#[derive(Clone, Debug)]
pub struct Named {
    /// Where it is, without its key.
    pub address: Multiaddr,
    /// Its key, once it is known.
    pub peer: Option<PeerId>,
    /// Whether to stay connected with it, rather than to begin with it.
    pub stay: bool,
    wait: Duration,
    next: Instant,
}

impl Named {
    /// A node to dial at once.
    pub fn new(address: Multiaddr, stay: bool) -> Self {
        let (address, peer) = address::split(address);
        Self { address, peer, stay, wait: FIRST_WAIT, next: Instant::now() }
    }

    /// Dials it at once again.
    pub fn hurry(&mut self) {
        (self.wait, self.next) = (FIRST_WAIT, Instant::now());
    }
}

/// Whom to dial.
#[derive(Default)]
pub struct Dialer {
    /// Those that the operator named.
    pub named: Vec<Named>,
    /// Attempts under way, and whom they are for.
    pub dialling: HashMap<ConnectionId, Option<PeerId>>,
}

/// A number that strangers cannot guess.
pub fn random() -> u64 {
    RandomState::new().hash_one(())
}

impl Shell {
    /// Dials whom it is time to dial.
    pub(super) fn dial_more(&mut self) {
        let lonely = self.peers.outbound() == 0;
        for index in 0..self.dialer.named.len() {
            let named = &mut self.dialer.named[index];
            let wanted = named.stay || lonely;
            if !wanted || named.next > Instant::now() || named.peer.is_some_and(|peer| self.peers.contains(&peer)) {
                continue;
            }
            named.next = Instant::now() + named.wait;
            named.wait = (named.wait * 2).min(LONGEST_WAIT);
            let named = named.clone();
            self.dial_named(named);
        }
        if !self.config.discover {
            return;
        }
        for _ in 0..DIALLING {
            let under_way = self.dialer.dialling.len();
            if under_way >= DIALLING || self.peers.outbound() + under_way >= self.config.outbound() {
                return;
            }
            let groups = self.swarm.behaviour().gate.dialled_groups();
            let (me, dialling) = (*self.swarm.local_peer_id(), &self.dialer.dialling);
            let avoid = |peer: &PeerId| {
                *peer == me || self.peers.contains(peer) || dialling.values().any(|other| *other == Some(*peer))
            };
            let Some((peer, addresses)) = self.book.candidate(clock(), avoid, &groups, random()) else {
                return;
            };
            self.dial(Some(peer), addresses);
        }
    }

    /// A node that is for this machine alone finds its like on the ports where nodes usually listen: once when it starts, and
    /// as long as it is alone.
    pub(super) fn look_around(&mut self, now: Instant) {
        let (first, alone) = (now < self.started + LOOK, self.peers.len() == 0);
        if !self.config.discover || !self.config.only_here() || now < self.next_look || !(first || alone) {
            return;
        }
        self.next_look = now + LOOK;
        let mine: Vec<Multiaddr> = self.listeners.values().flatten().cloned().collect();
        for port in USUAL_PORTS {
            let address = Multiaddr::from(Ipv4Addr::LOCALHOST).with(Protocol::Tcp(port));
            if !mine.contains(&address) {
                self.dial(None, vec![address]);
            }
        }
    }

    fn dial_named(&mut self, named: Named) {
        if address::ip(&named.address).is_some() {
            return self.dial(named.peer, vec![named.address]);
        }
        let resolved = self.resolved.clone();
        tokio::spawn(async move {
            let addresses = lookup(&named.address).await;
            // The shell may have ended.
            let _ = resolved.send((named.peer, addresses));
        });
    }

    /// Dials a peer, or whoever is at an address.
    pub(super) fn dial(&mut self, peer: Option<PeerId>, addresses: Vec<Multiaddr>) {
        let options = match peer {
            Some(peer) => {
                DialOpts::peer_id(peer).addresses(addresses).condition(PeerCondition::DisconnectedAndNotDialing).build()
            }
            None => match addresses.into_iter().next() {
                Some(address) => DialOpts::unknown_peer_id().address(address).build(),
                None => return,
            },
        };
        let id = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => _ = self.dialer.dialling.insert(id, peer),
            Err(error) => self.dial_failed(id, peer, &error),
        }
    }

    /// An attempt came to nothing.
    pub(super) fn dial_failed(&mut self, id: ConnectionId, peer: Option<PeerId>, error: &DialError) {
        self.dialer.dialling.remove(&id);
        match (error, peer) {
            (DialError::DialPeerConditionFalse(_), _) => return,
            // Somebody told it of itself.
            (DialError::LocalPeerId { address }, _) => {
                let (address, _) = address::split(address.clone());
                self.dialer.named.retain(|named| named.address != address);
            }
            (_, Some(peer)) => self.book.failed(&peer, clock()),
            (_, None) => {}
        }
        tracing::debug!(?peer, %error, "cannot connect");
    }

    /// A connection stands: this node dialled it, or was dialled.
    pub(super) fn dialled(&mut self, id: ConnectionId, peer: PeerId, address: &Multiaddr) {
        self.dialer.dialling.remove(&id);
        let gate = &mut self.swarm.behaviour_mut().gate;
        for named in &mut self.dialer.named {
            if named.peer == Some(peer) || (named.peer.is_none() && named.address == *address) {
                named.peer = Some(peer);
                named.wait = FIRST_WAIT;
                gate.trusted.insert(peer);
            }
        }
    }
}

/// The addresses that a host name stands for; none if it is unknown.
async fn lookup(address: &Multiaddr) -> Vec<Multiaddr> {
    let mut parts = address.iter();
    let (name, v4, v6) = match parts.next() {
        Some(Protocol::Dns(name)) => (name, true, true),
        Some(Protocol::Dns4(name)) => (name, true, false),
        Some(Protocol::Dns6(name)) => (name, false, true),
        _ => return Vec::new(),
    };
    let rest: Multiaddr = parts.collect();
    let query = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((name.as_ref(), 0)));
    let Ok(Ok(found)) = query.await else {
        tracing::debug!(%name, "unknown host");
        return Vec::new();
    };
    let fitting = found.map(|socket| socket.ip()).filter(|ip| if ip.is_ipv4() { v4 } else { v6 });
    fitting.map(|ip| Multiaddr::from(ip).into_iter().chain(&rest).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up_and_the_rest_kept() {
        let found = lookup(&"/dns4/localhost/tcp/30303".parse().unwrap()).await;
        assert_eq!(found, ["/ip4/127.0.0.1/tcp/30303".parse().unwrap()]);
        assert_eq!(lookup(&"/dns/no.such.host.invalid/tcp/1".parse().unwrap()).await, []);
        assert_eq!(lookup(&"/ip4/1.2.3.4/tcp/1".parse().unwrap()).await, []);
    }
}
