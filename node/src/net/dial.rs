//! Which peers this node dials: those that the operator named, always again, and others until there are enough. Those that
//! do not answer are retried with a growing back-off.

use cairn_client::unix;
use libp2p::{
    Multiaddr, PeerId, Swarm, TransportError,
    multiaddr::Protocol,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use std::{
    collections::HashMap,
    error::Error,
    hash::{BuildHasher, RandomState},
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, ToSocketAddrs},
    ops::RangeInclusive,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

use super::{address, behaviour::Behaviour, book::Book, config::NetConfig, gate::Gate, named::Named, peers::Peers};

/// Attempts at a time.
const DIALLING: usize = 4;
/// How long a name may take to be looked up.
const LOOKUP: Duration = Duration::from_secs(10);
/// How long an address is left alone at which a node of another chain was, or one that does not want to be found.
const SHUNNED: Duration = Duration::from_secs(600);
/// Most addresses that are left alone. The operator and this machine's ports name fewer.
const MOST_SHUNNED: usize = 256;
/// How often the log says that a node has this node's key.
const SAY_AGAIN: Duration = Duration::from_secs(600);

/// How often this machine is searched.
const LOOK: Duration = Duration::from_secs(10);
/// Where nodes usually listen: the default port, and the next for further nodes beside it.
const USUAL_PORTS: RangeInclusive<u16> = 30_303..=30_312;

/// Why this node dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// It wants a peer: this one, of the address book.
    Book(PeerId),
    /// The operator named this node, by [`Named::number`].
    Named(u64),
    /// It searches this machine.
    Scan,
}

/// A connection that is being opened.
#[derive(Debug)]
struct Attempt {
    /// What for.
    aim: Aim,
    /// The key that is expected there.
    peer: Option<PeerId>,
    /// Addresses to try when this one fails.
    rest: Vec<Multiaddr>,
}

/// Addresses that the host name of a node stands for that the operator named, by [`Named::number`].
pub type Resolved = (u64, Vec<Multiaddr>);

/// Whom to dial.
pub struct Dialer {
    /// Other nodes that are known.
    pub book: Book,
    named: Vec<Named>,
    attempts: HashMap<ConnectionId, Attempt>,
    /// Addresses that are left alone until then.
    shunned: HashMap<Multiaddr, Instant>,
    /// When the log last said that a node has this node's key.
    said_own_key: Option<Instant>,
    last: u64,
    resolved: mpsc::UnboundedSender<Resolved>,
    started: Instant,
    /// When this machine is searched next.
    next_look: Instant,
}

impl Dialer {
    /// A dialer of the nodes that the operator named and those of a book. Addresses of host names come out of the receiver; one
    /// look-up a node is under way.
    pub fn new(book: Book, config: &NetConfig, now: Instant) -> (Self, mpsc::UnboundedReceiver<Resolved>) {
        let (resolved, looked_up) = mpsc::unbounded_channel();
        let mut dialer = Self {
            book,
            named: Vec::new(),
            attempts: HashMap::new(),
            shunned: HashMap::new(),
            said_own_key: None,
            last: 0,
            resolved,
            started: now,
            next_look: now,
        };
        config.connect.iter().for_each(|address| dialer.name(address.clone(), true));
        config.bootnodes.iter().for_each(|address| dialer.name(address.clone(), false));
        (dialer, looked_up)
    }

    /// Keys of those that the operator named, as far as they were said.
    pub fn given(&self) -> impl Iterator<Item = PeerId> {
        self.named.iter().filter_map(|named| named.given)
    }

    /// Whether the operator named nobody.
    pub fn has_no_names(&self) -> bool {
        self.named.is_empty()
    }

    /// Forgets a node that the operator named.
    pub fn forget(&mut self, peer: &PeerId, gate: &mut Gate) {
        self.named.retain(|named| named.peer() != Some(*peer));
        gate.trusted.remove(peer);
        self.trust_hosts(gate);
    }

    /// A node that the operator names: dialled at once, and kept, rather than begun with, if `stay`.
    pub fn name(&mut self, address: Multiaddr, stay: bool) {
        let new = Named::new(self.last + 1, address, stay);
        match self.named.iter_mut().find(|named| named.address == new.address && named.given == new.given) {
            Some(named) => named.hurry(stay),
            None => {
                self.last += 1;
                self.named.push(new);
            }
        }
    }

    /// A peer is of this chain.
    pub fn met(&mut self, peer: &PeerId) {
        for named in self.named.iter_mut().filter(|named| named.peer() == Some(*peer)) {
            named.met();
        }
    }

    /// Leaves an address alone for a while.
    fn leave_alone(&mut self, address: Multiaddr, now: Instant) {
        self.shunned.retain(|_, until| *until > now);
        if self.shunned.len() < MOST_SHUNNED {
            self.shunned.insert(address, now + SHUNNED);
        }
    }

    fn shuns(&self, address: &Multiaddr, now: Instant) -> bool {
        self.shunned.get(address).is_some_and(|until| *until > now)
    }

    /// The hosts of those that the operator named may have changed.
    fn trust_hosts(&self, gate: &mut Gate) {
        gate.trusted_hosts = self.named.iter().flat_map(|named| named.hosts.iter().copied()).collect();
    }

    fn get(&mut self, number: u64) -> Option<&mut Named> {
        self.named.iter_mut().find(|named| named.number == number)
    }

    /// Dials whom it is time to dial.
    pub fn dial_more(&mut self, swarm: &mut Swarm<Behaviour>, peers: &Peers, config: &NetConfig) {
        let (now, lonely) = (Instant::now(), peers.outbound() == 0);
        for index in 0..self.named.len() {
            let named = &mut self.named[index];
            let connected = named.peer().is_some_and(|peer| peers.contains(&peer));
            if !connected && (named.stay || lonely) && named.is_due(now) {
                let (number, address) = (named.number, named.address.clone());
                self.dial_named(swarm, number, address);
            }
        }
        if !config.discover {
            return;
        }
        for _ in 0..DIALLING {
            let under_way = self.attempts.len();
            if under_way >= DIALLING || peers.outbound() + under_way >= config.outbound() {
                return;
            }
            let groups = swarm.behaviour().gate.dialled_groups();
            let (me, attempts) = (*swarm.local_peer_id(), &self.attempts);
            let avoid = |peer: &PeerId| {
                *peer == me || peers.contains(peer) || attempts.values().any(|attempt| attempt.peer == Some(*peer))
            };
            let Some((peer, addresses)) = self.book.candidate(now, avoid, &groups, random()) else {
                return;
            };
            self.dial(swarm, Attempt { aim: Aim::Book(peer), peer: Some(peer), rest: Vec::new() }, addresses);
        }
    }

    /// A node that is for this machine alone finds its like on the ports where nodes usually listen: once when it starts, and
    /// as long as it is alone.
    pub fn look_around(&mut self, swarm: &mut Swarm<Behaviour>, peers: &Peers, config: &NetConfig, now: Instant) {
        let (first, alone) = (now < self.started + LOOK, peers.len() == 0);
        if !config.discover || !config.only_here() || now < self.next_look || !(first || alone) {
            return;
        }
        self.next_look = now + LOOK;
        let mine: Vec<Multiaddr> = swarm.listeners().cloned().collect();
        for port in USUAL_PORTS {
            let address = Multiaddr::from(Ipv4Addr::LOCALHOST).with(Protocol::Tcp(port));
            if !mine.contains(&address) && !self.shuns(&address, now) {
                self.dial(swarm, Attempt { aim: Aim::Scan, peer: None, rest: Vec::new() }, vec![address]);
            }
        }
    }

    fn dial_named(&mut self, swarm: &mut Swarm<Behaviour>, number: u64, address: Multiaddr) {
        if address::ip(&address).is_some() {
            return self.dial_resolved(swarm, (number, vec![address]));
        }
        let resolved = self.resolved.clone();
        let lookup = tokio::spawn(lookup(address, LOOKUP, look_up, move |addresses| {
            // The shell may have ended.
            let _ = resolved.send((number, addresses));
        }));
        if let Some(named) = self.get(number) {
            named.looks_up(lookup.abort_handle());
        }
    }

    /// Dials a node that the operator named, at all addresses that its name stands for.
    pub fn dial_resolved(&mut self, swarm: &mut Swarm<Behaviour>, (number, addresses): Resolved) {
        let Some(named) = self.get(number) else {
            return;
        };
        if addresses.is_empty() {
            return named.complain("the host name is unknown", Instant::now());
        }
        named.is_at(&addresses);
        let peer = named.peer();
        self.trust_hosts(&mut swarm.behaviour_mut().gate);
        self.dial(swarm, Attempt { aim: Aim::Named(number), peer, rest: Vec::new() }, addresses);
    }

    /// Dials a peer by key, or the peer at the first address, and at the next one if there is none.
    fn dial(&mut self, swarm: &mut Swarm<Behaviour>, mut attempt: Attempt, addresses: Vec<Multiaddr>) {
        let options = match attempt.peer {
            Some(peer) => {
                DialOpts::peer_id(peer).addresses(addresses).condition(PeerCondition::DisconnectedAndNotDialing).build()
            }
            None => {
                let mut addresses = addresses.into_iter();
                let Some(address) = addresses.next() else {
                    return;
                };
                attempt.rest = addresses.collect();
                DialOpts::unknown_peer_id().address(address).build()
            }
        };
        let (id, peer) = (options.connection_id(), attempt.peer);
        self.attempts.insert(id, attempt);
        if let Err(error) = swarm.dial(options) {
            self.failed(swarm, (id, peer), &error);
        }
    }

    /// An attempt came to nothing; `peer` is the one that it was for, if that was known.
    pub fn failed(
        &mut self,
        swarm: &mut Swarm<Behaviour>,
        (id, peer): (ConnectionId, Option<PeerId>),
        error: &DialError,
    ) {
        let attempt = self.attempts.remove(&id);
        let number = attempt.as_ref().and_then(|attempt| match attempt.aim {
            Aim::Named(number) => Some(number),
            Aim::Book(_) | Aim::Scan => None,
        });
        match (error, number) {
            (DialError::DialPeerConditionFalse(_), _) => return,
            (DialError::LocalPeerId { address }, _) => return self.met_own_key(swarm, number, address.clone()),
            (DialError::WrongPeerId { obtained, address }, Some(number)) => {
                return self.met_other_key(
                    &mut swarm.behaviour_mut().gate,
                    (number, *obtained),
                    &address::split(address.clone()).0,
                );
            }
            _ => {}
        }
        let reason = why(error);
        tracing::debug!(?peer, reason, "cannot connect");
        peer.inspect(|peer| self.book.failed(peer, Instant::now(), unix()));
        if let Some(mut attempt) = attempt.filter(|attempt| !attempt.rest.is_empty()) {
            let rest = std::mem::take(&mut attempt.rest);
            return self.dial(swarm, attempt, rest);
        }
        if let Some(named) = number.and_then(|number| self.get(number)) {
            named.complain(&reason, Instant::now());
        }
    }

    /// Somebody there has this node's key: this node itself, or one whose data directory is a copy of this one's.
    fn met_own_key(&mut self, swarm: &Swarm<Behaviour>, named: Option<u64>, address: Multiaddr) {
        let (address, _) = address::split(address);
        let mut mine = swarm.listeners().chain(swarm.external_addresses());
        if mine.any(|own| address::split(own.clone()).0 == address) {
            self.named.retain(|named| named.address != address);
            return tracing::debug!(%address, "this node dialled itself");
        }
        let now = Instant::now();
        if let Some(named) = named.and_then(|number| self.get(number)) {
            named.rest(now);
        }
        if self.said_own_key.is_none_or(|at| now.duration_since(at) >= SAY_AGAIN) {
            self.said_own_key = Some(now);
            tracing::warn!(
                %address,
                "another node has this node's key, so that the two cannot connect; was its data directory copied? \
                 Stop one of them, delete the file nodekey in its data directory, and start it again"
            );
        }
    }

    /// A node that the operator named has another key than it had, or was said to have.
    fn met_other_key(&mut self, gate: &mut Gate, (number, key): (u64, PeerId), address: &Multiaddr) {
        let Some(named) = self.get(number) else {
            return;
        };
        if let Some(given) = named.given {
            let reason = format!("the node there has the key {key}, not {given}; is its address still right?");
            return named.complain(&reason, Instant::now());
        }
        // It was learnt, not given: the node was set up anew.
        let old = named.learnt.take();
        named.hurry(false);
        tracing::info!(%address, peer = %key, "the node there has a new key");
        old.inspect(|old| _ = gate.trusted.remove(old));
    }

    /// A connection stands: this node dialled it, and this says why, or was dialled.
    pub fn connected(&mut self, gate: &mut Gate, id: ConnectionId, peer: PeerId) -> Option<Aim> {
        let aim = self.attempts.remove(&id).map(|attempt| attempt.aim);
        for named in &mut self.named {
            if aim == Some(Aim::Named(named.number)) || named.peer() == Some(peer) {
                named.learnt = Some(peer);
                gate.trusted.insert(peer);
            }
        }
        aim
    }

    /// A node at which this one is of no use, or the other way round, is not dialled again for a while.
    pub fn shun(&mut self, gate: &mut Gate, peer: PeerId, address: Option<&Multiaddr>, reason: &str) {
        let now = Instant::now();
        self.book.forget(&peer);
        if let Some(address) = address {
            self.leave_alone(address.clone(), now);
        }
        for named in self.named.iter_mut().filter(|named| named.peer() == Some(peer)) {
            named.complain(reason, now);
            named.leave_alone(now + SHUNNED);
            named.learnt = None;
            if named.given.is_none() {
                gate.trusted.remove(&peer);
            }
        }
    }
}

/// A number that strangers cannot guess.
pub fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// The innermost reason of a failed attempt: the system's, where there is one.
fn why(error: &DialError) -> String {
    let mut cause: &dyn Error = match error {
        DialError::Transport(errors) => match errors.last() {
            Some((_, TransportError::Other(error))) => error,
            Some((_, TransportError::MultiaddrNotSupported(_))) => {
                return "such an address cannot be dialled".to_owned();
            }
            None => error,
        },
        error => error,
    };
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    // Something else than a handshake of libp2p comes from there.
    match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(ErrorKind::InvalidData) => "no Cairn node answers there".to_owned(),
        _ => cause.to_string(),
    }
}

/// The addresses that the system knows for a host name. It may block for minutes.
fn look_up(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|socket| socket.ip()).collect())
}

/// Hands the addresses that a host name stands for to `answer`; none if it is unknown, or not known in time. Ends with the
/// system's look-up, which cannot be cancelled: each takes a thread.
async fn lookup(
    address: Multiaddr,
    limit: Duration,
    look_up: impl FnOnce(&str) -> io::Result<Vec<IpAddr>> + Send + 'static,
    answer: impl FnOnce(Vec<Multiaddr>),
) {
    let mut parts = address.iter();
    let (name, v4, v6) = match parts.next() {
        Some(Protocol::Dns(name)) => (name.into_owned(), true, true),
        Some(Protocol::Dns4(name)) => (name.into_owned(), true, false),
        Some(Protocol::Dns6(name)) => (name.into_owned(), false, true),
        _ => return answer(Vec::new()),
    };
    let rest: Multiaddr = parts.collect();
    let asked = name.clone();
    let mut query = tokio::task::spawn_blocking(move || look_up(&asked));
    let in_time = tokio::time::timeout(limit, &mut query).await;
    let is_late = in_time.is_err();
    match in_time {
        Ok(Ok(Ok(found))) => {
            let fitting = found.into_iter().filter(|ip| if ip.is_ipv4() { v4 } else { v6 });
            answer(fitting.map(|ip| Multiaddr::from(ip).into_iter().chain(&rest).collect()).collect());
        }
        _ => {
            tracing::debug!(%name, "unknown host");
            answer(Vec::new());
        }
    }
    if is_late {
        // What it finds now is not waited for.
        let _ = query.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up_and_the_rest_kept() {
        for (address, expected) in [
            ("/dns4/localhost/tcp/30303", vec!["/ip4/127.0.0.1/tcp/30303".parse().unwrap()]),
            ("/dns/no.such.host.invalid/tcp/1", vec![]),
            ("/ip4/1.2.3.4/tcp/1", vec![]),
        ] {
            let mut found = None;
            lookup(address.parse().unwrap(), LOOKUP, look_up, |addresses| found = Some(addresses)).await;
            assert_eq!(found, Some(expected), "{address}");
        }
    }

    #[tokio::test]
    async fn a_lookup_that_takes_too_long_is_answered_and_ends_with_the_system() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (answer, answered) = tokio::sync::oneshot::channel();
        let slow = move |_: &str| {
            let _ = wait.recv();
            Ok(vec![Ipv4Addr::LOCALHOST.into()])
        };
        let address = "/dns4/a.example/tcp/5".parse().unwrap();
        let lookup = tokio::spawn(lookup(address, Duration::from_millis(1), slow, |found| answer.send(found).unwrap()));
        assert_eq!(answered.await.unwrap(), []);
        tokio::task::yield_now().await;
        assert!(!lookup.is_finished(), "the system still looks it up");
        drop(go);
        lookup.await.unwrap();
    }
}
