//! The one task that owns the swarm: between libp2p, the engine and whoever asks.

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::{ConnectedPoint, transport::ListenerId},
    gossipsub::MessageId,
    multiaddr::Protocol,
    swarm::{ConnectionError, ConnectionId, SwarmEvent},
};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval},
};

use super::{
    address,
    bans::{Moment, Target},
    behaviour::{Behaviour, BehaviourEvent, GRAYLIST, Names},
    book::Book,
    clock,
    config::NetConfig,
    count::Counters,
    dial::{Aim, Dialer},
    events::Decoded,
    exchange::Exchange,
    farewell::{Farewell, Farewells},
    handle::{Command, PeerInfo},
    ledger::{self, Ledger},
    offset::ClockWatch,
    pace::Paces,
    peers::{Origin, Peer, Peers},
    throttle::Throttle,
};
use crate::{
    engine::{BAN, GossipId, Offence, Payer, PeerAction, PeerEvent, Side},
    engine_thread::EngineHandle,
};

/// How often peers are dialled and lists tended.
const TICK: Duration = Duration::from_secs(1);
/// How often questions that wait are offered to the engine again.
const RETRY: Duration = Duration::from_millis(20);
/// How often lists are written to disk.
const SAVE: Duration = Duration::from_secs(60);
/// How long a ban lasts, in seconds.
const BAN_SECONDS: u64 = 24 * 3_600;
/// After so long without anybody to learn from, the node has tried to sync, and the log says that it is alone.
const ALONE: Duration = Duration::from_secs(60);
/// How often the log says so again.
const STILL_ALONE: Duration = Duration::from_secs(1_800);

/// The network of one node.
pub struct Shell {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) names: Names,
    pub(super) config: NetConfig,
    pub(super) engine: EngineHandle,
    pub(super) peers: Peers,
    pub(super) ledger: Ledger,
    /// What peers may gossip.
    pub(super) paces: Paces,
    /// Names those who pay for what peers ask, for the engine.
    pub(super) payers: RandomState,
    pub(super) counters: Arc<Counters>,
    pub(super) farewells: Farewells,
    pub(super) alone: Alone,
    pub(super) exchange: Exchange,
    /// Gossiped blocks that the engine has not judged yet.
    pub(super) gossiped: HashMap<GossipId, Gossiped>,
    pub(super) last_gossip: u64,
    pub(super) book: Book,
    pub(super) dialer: Dialer,
    /// When the table of peers is searched next.
    pub(super) next_search: Instant,
    /// When this machine is searched next.
    pub(super) next_look: Instant,
    pub(super) listeners: HashMap<ListenerId, Vec<Multiaddr>>,
    pub(super) resolved: mpsc::UnboundedSender<(u64, Vec<Multiaddr>)>,
    pub(super) decoder: mpsc::UnboundedSender<Decoded>,
    pub(super) count: watch::Sender<usize>,
    pub(super) tried: watch::Sender<bool>,
    pub(super) offset: watch::Sender<Option<i64>>,
    pub(super) clock: ClockWatch,
    pub(super) started: Instant,
    pub(super) saved: Instant,
    pub(super) comings: Throttle,
    pub(super) offences: Throttle,
}

/// A gossiped block on its way through the engine.
pub struct Gossiped {
    pub(super) message: MessageId,
    pub(super) from: PeerId,
    pub(super) since: Instant,
}

/// What reaches the shell from this process.
pub(super) struct Inputs {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) actions: mpsc::UnboundedReceiver<PeerAction>,
    /// Addresses of nodes that the operator named by host names. One look-up a node is under way.
    pub(super) resolved: mpsc::UnboundedReceiver<(u64, Vec<Multiaddr>)>,
    /// Gossiped blocks; of each peer, few are being decoded.
    pub(super) decoded: mpsc::UnboundedReceiver<Decoded>,
}

/// How long the node has been without peers.
pub(super) struct Alone {
    since: Instant,
    warned: Option<Instant>,
}

impl Alone {
    /// As of now.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, warned: None }
    }
}

impl Shell {
    /// Runs until it is told to stop, or the engine has ended.
    pub(super) async fn run(mut self, early: Vec<SwarmEvent<BehaviourEvent>>, mut inputs: Inputs) {
        early.into_iter().for_each(|event| self.on_event(event));
        let (mut tick, mut retry) = (interval(TICK), interval(RETRY));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stopped = loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                action = inputs.actions.recv() => match action {
                    Some(action) => self.perform(action),
                    None => break None,
                },
                command = inputs.commands.recv() => match command {
                    Some(Command::Stop(reply)) => break Some(reply),
                    Some(command) => self.obey(command),
                    None => break None,
                },
                Some((named, addresses)) = inputs.resolved.recv() => self.dial_resolved(named, addresses),
                Some(decoded) = inputs.decoded.recv() => self.on_decoded(decoded),
                _ = tick.tick() => self.tick(),
                _ = retry.tick(), if self.peers.somebody_waits() => self.pass_on_all(),
            }
        };
        self.save();
        stopped.map(|reply: oneshot::Sender<()>| reply.send(()));
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established, cause, .. } => {
                self.on_closed(peer_id, num_established, cause.as_ref());
            }
            SwarmEvent::OutgoingConnectionError { connection_id, peer_id, error, .. } => {
                self.dial_failed(connection_id, peer_id, &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "a connection did not come about");
            }
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.listeners.entry(listener_id).or_default().push(address);
            }
            SwarmEvent::ExpiredListenAddr { listener_id, address } => {
                self.listeners.entry(listener_id).or_default().retain(|other| *other != address);
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
                self.listeners.remove(&listener_id);
                tracing::warn!(?reason, "the node does not listen on one of its addresses any more");
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, id: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        let aim = self.dialled(connection, id);
        let origin = match (endpoint.is_dialer(), aim) {
            (false, _) => Origin::Inbound,
            (true, Some(Aim::Scan)) => Origin::Scan,
            (true, Some(Aim::Book(_) | Aim::Named(_))) => Origin::Wanted,
            (true, None) => Origin::Passing,
        };
        let side = match origin {
            Origin::Inbound => Side::Inbound,
            Origin::Passing => Side::Passing,
            Origin::Scan | Origin::Wanted => Side::Chosen,
        };
        let (address, _) = address::split(endpoint.get_remote_address().clone());
        if let Some(peer) = self.peers.get(&id) {
            peer.connections += 1;
            if peer.origin == Origin::Passing {
                peer.origin = origin;
            }
            return;
        }
        let number = self.peers.next_number();
        let link = self.engine.peer(number);
        // The engine has stopped, and so will this shell.
        let _ = link.try_send(PeerEvent::Connected(side, self.payer(id, address::ip(&address))));
        if let Some(suppressed) = self.comings.allow(Instant::now()) {
            tracing::info!(peer = %id, %address, outbound = side != Side::Inbound, suppressed, "connected");
        }
        self.peers.insert(id, Peer::new(number, link, origin, address, self.counters.of(id)));
        self.count.send_replace(self.peers.len());
    }

    fn on_closed(&mut self, id: PeerId, left: u32, cause: Option<&ConnectionError>) {
        if left > 0 {
            self.peers.get(&id).into_iter().for_each(|peer| peer.connections = left as usize);
            return;
        }
        self.forget_questions(&id);
        let Some(peer) = self.peers.remove(&id) else {
            return;
        };
        // The engine has stopped, and so will this shell.
        let _ = peer.link.try_send(PeerEvent::Disconnected);
        let reason = peer.leaving.clone().unwrap_or_else(|| ended(cause));
        if let Some(suppressed) = self.comings.allow(Instant::now()) {
            tracing::info!(peer = %id, address = %peer.address, suppressed, "disconnected: {reason}");
        }
        let (outbound, connected) = (peer.outbound(), peer.since.elapsed());
        let Peer { address, agent, .. } = peer;
        self.farewells.add(Farewell { id, address, outbound, agent, at: clock(), connected, reason });
        self.count.send_replace(self.peers.len());
    }

    /// Ends all connections with a peer, and says why in the log when they have ended.
    pub(super) fn disconnect(&mut self, peer: PeerId, reason: &str) {
        self.peers.get(&peer).into_iter().for_each(|peer| _ = peer.leaving.get_or_insert_with(|| reason.to_owned()));
        // There may be none any more.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Holds an offence against a peer that only the shell sees.
    pub(super) fn offend(&mut self, peer: PeerId, offence: &Offence) {
        self.blame(peer, offence.points(), &offence.to_string());
    }

    /// Who pays for a peer: its host, or its key where a host is shared.
    fn payer(&self, id: PeerId, ip: Option<IpAddr>) -> Payer {
        Payer(self.payers.hash_one(ledger::targets(id, ip).next()))
    }

    /// Holds something against a connected peer, and bans it if that is too much.
    pub(super) fn blame(&mut self, id: PeerId, points: u32, reason: &str) {
        let ip = self.peers.get(&id).map(|peer| peer.ip());
        ip.into_iter().for_each(|ip| self.blame_at(id, ip, points, reason));
    }

    /// Holds something against a peer that was at this address, also if it has left.
    pub(super) fn blame_at(&mut self, id: PeerId, ip: Option<IpAddr>, points: u32, reason: &str) {
        let now = Instant::now();
        let total = self.ledger.blame(id, ip, points, now);
        let banned = total >= BAN;
        if let Some(suppressed) = self.offences.allow(now) {
            tracing::info!(peer = %id, reason, points, total, banned, suppressed, "a peer misbehaves");
        }
        if banned {
            let targets = self.swarm.behaviour_mut().gate.ban(id, ip, BAN_SECONDS, reason);
            self.book.forget(&id);
            targets.iter().for_each(|target| self.keep_out(target, &format!("banned: {reason}")));
        }
    }

    /// Somebody was banned: disconnects those that this names. The ban takes the place of points.
    fn keep_out(&mut self, target: &Target, why: &str) {
        self.ledger.forget(target);
        let hit = |id: &PeerId, peer: &Peer| match target {
            Target::Peer(banned) => banned == id,
            Target::Host(banned) => peer.ip().map(address::host) == Some(*banned),
        };
        let hit: Vec<PeerId> = self.peers.iter().filter(|(id, peer)| hit(id, peer)).map(|(id, _)| *id).collect();
        hit.into_iter().for_each(|id| self.disconnect(id, why));
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.look_around(now);
        self.dial_more();
        self.search(now);
        self.drop_unwanted(now);
        self.gossiped.retain(|_, gossiped| now.duration_since(gossiped.since) < Duration::from_secs(300));
        self.note_sync(now);
        self.note_clock(now);
        self.note_loneliness(now);
        if now.duration_since(self.saved) >= SAVE {
            self.saved = now;
            self.save();
        }
    }

    /// Sends away whoever gossip does not listen to any more, and whoever was met on a search only: the address book decides who
    /// is dialled to stay, by its own rules, and not whoever answers a search.
    fn drop_unwanted(&mut self, now: Instant) {
        let passing = |peer: &Peer| peer.origin.is_over(now.duration_since(peer.since));
        let passing = self.peers.iter().filter(|(_, peer)| passing(peer)).map(|(id, _)| *id);
        let passing: Vec<PeerId> = passing.collect();
        let gossip = &self.swarm.behaviour().gossip;
        let ignored = |id: &PeerId| gossip.peer_score(id).is_some_and(|score| score < GRAYLIST);
        let ignored: Vec<PeerId> = self.peers.iter().map(|(id, _)| *id).filter(ignored).collect();
        passing.into_iter().for_each(|id| self.disconnect(id, "the search that it was asked for is over"));
        ignored.into_iter().for_each(|id| self.disconnect(id, "what it gossiped was too bad"));
    }

    fn note_sync(&mut self, now: Instant) {
        let met = self.peers.iter().any(|(_, peer)| peer.status.is_some());
        let alone = now.duration_since(self.started) >= ALONE && self.peers.len() == 0;
        let tried = alone || (met && !self.engine.chain_info().syncing);
        self.tried.send_if_modified(|old| !std::mem::replace(old, *old || tried) && tried);
    }

    /// Compares this machine's clock with its peers'.
    fn note_clock(&mut self, now: Instant) {
        let offset = self.peers.clock_offset();
        self.offset.send_if_modified(|old| std::mem::replace(old, offset) != offset);
        self.clock.judge(offset, now).into_iter().for_each(|line| tracing::warn!("{line}"));
    }

    /// Says that there are no peers, and what to do. A node for this machine alone may well be the only one.
    fn note_loneliness(&mut self, now: Instant) {
        if self.peers.len() > 0 {
            self.alone = Alone::new(now);
            return;
        }
        let long = now.duration_since(self.alone.since) >= ALONE;
        let said = self.alone.warned.is_some_and(|at| now.duration_since(at) < STILL_ALONE);
        if !long || said || (self.config.only_here() && self.dialer.named.is_empty()) {
            return;
        }
        self.alone.warned = Some(now);
        let seconds = now.duration_since(self.alone.since).as_secs();
        let advice = match (self.dialer.named.is_empty(), self.config.discover) {
            (false, _) => "none of the nodes that --connect or --bootnodes names answers; are they running?",
            (true, true) => "name a node of this chain: --bootnodes HOST:PORT, or admin_addPeer while this one runs",
            (true, false) => "--no-discovery is on: name nodes with --connect HOST:PORT, or with admin_addPeer",
        };
        tracing::warn!("no peers for {seconds} s: {advice}");
    }

    /// The port that the node listens on.
    pub(super) fn tcp_port(&self) -> Option<u16> {
        let port = |part| if let Protocol::Tcp(port) = part { Some(port) } else { None };
        self.listeners.values().flatten().find_map(|address| address.iter().find_map(port))
    }

    /// Writes down what shall outlive the process.
    fn save(&mut self) {
        self.book.save();
        self.swarm.behaviour_mut().gate.bans.save(Moment::now());
    }

    fn obey(&mut self, command: Command) {
        // Whoever asked may have gone.
        match command {
            Command::Peers(reply) => drop(reply.send(self.infos())),
            Command::Farewells(reply) => drop(reply.send(self.farewells.list())),
            Command::Listening(reply) => drop(reply.send(self.addresses())),
            Command::AddPeer(address) => self.add_peer(address),
            Command::Reachable(address) => self.swarm.add_external_address(address),
            Command::RemovePeer(peer, reply) => {
                self.dialer.named.retain(|named| named.peer() != Some(peer));
                self.swarm.behaviour_mut().gate.trusted.remove(&peer);
                self.trust_hosts();
                let _ = reply.send(self.peers.contains(&peer));
                self.disconnect(peer, "admin_removePeer");
            }
            Command::Ban(target, seconds, reason) => {
                let why = format!("banned: {reason}");
                self.swarm.behaviour_mut().gate.bans.add(target, seconds, reason, Moment::now());
                self.keep_out(&target, &why);
            }
            Command::Unban(target, reply) => {
                self.ledger.forget(&target);
                let _ = reply.send(self.swarm.behaviour_mut().gate.bans.remove(&target));
            }
            Command::Bans(reply) => drop(reply.send(self.swarm.behaviour().gate.bans.list(Moment::now()))),
            // The loop has taken it.
            Command::Stop(_) => {}
        }
    }

    fn add_peer(&mut self, address: Multiaddr) {
        let (_, peer) = address::split(address.clone());
        self.dialer.name(address, true);
        self.swarm.behaviour_mut().gate.trusted.extend(peer);
        self.dial_more();
    }

    /// Addresses for others, the most useful first.
    pub(super) fn addresses(&self) -> Vec<Multiaddr> {
        let me = *self.swarm.local_peer_id();
        let mut heard: Vec<&Multiaddr> = self.listeners.values().flatten().collect();
        heard.sort_by_key(|address| {
            (std::cmp::Reverse(address::ip(address).map(address::scope)), address.len(), address.to_string())
        });
        let external = self.swarm.external_addresses();
        external.chain(heard).filter_map(|address| address.clone().with_p2p(me).ok()).collect()
    }

    fn infos(&mut self) -> Vec<PeerInfo> {
        let now = Instant::now();
        let ledger = &mut self.ledger;
        let info = |(id, peer): (&PeerId, &Peer)| PeerInfo {
            id: *id,
            address: peer.address.clone(),
            outbound: peer.outbound(),
            agent: peer.agent.clone(),
            status: peer.status.clone(),
            connected: now.duration_since(peer.since),
            ping: peer.ping,
            points: ledger.points(*id, peer.ip(), now),
            clock_offset: peer.clock_offset,
            traffic: (peer.traffic.received(), peer.traffic.sent()),
        };
        let mut infos: Vec<PeerInfo> = self.peers.iter().map(info).collect();
        infos.sort_by_key(|info| std::cmp::Reverse(info.connected));
        infos
    }
}

/// Why a connection ended that this node did not end.
fn ended(cause: Option<&ConnectionError>) -> String {
    match cause {
        None => "closed".to_owned(),
        Some(ConnectionError::KeepAliveTimeout) => "nothing was said for long".to_owned(),
        Some(ConnectionError::IO(error)) => format!("the peer closed it, or was lost ({error})"),
    }
}
