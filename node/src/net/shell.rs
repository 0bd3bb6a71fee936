//! The one task that owns the swarm: between libp2p, the engine and whoever asks.

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::{ConnectedPoint, transport::ListenerId},
    gossipsub::MessageId,
    swarm::{ConnectionId, SwarmEvent},
};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval},
};

use super::{
    address,
    bans::Target,
    behaviour::{Behaviour, BehaviourEvent, GRAYLIST, Names},
    book::Book,
    clock,
    config::NetConfig,
    dial::{Dialer, Named},
    exchange::Exchange,
    handle::{Command, PeerInfo},
    peers::{Peer, Peers},
    throttle::Throttle,
};
use crate::engine::{BAN, EngineHandle, GossipId, Offence, PeerAction, PeerEvent};

/// How often peers are dialled and lists tended.
const TICK: Duration = Duration::from_secs(1);
/// How often questions that wait are offered to the engine again.
const RETRY: Duration = Duration::from_millis(20);
/// How often lists are written to disk.
const SAVE: Duration = Duration::from_secs(60);
/// How long a ban lasts, in seconds.
const BAN_SECONDS: u64 = 24 * 3_600;
/// After so long without anybody to learn from, the node has tried to sync.
const ALONE: Duration = Duration::from_secs(60);

/// The network of one node.
pub struct Shell {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) names: Names,
    pub(super) config: NetConfig,
    pub(super) engine: EngineHandle,
    pub(super) peers: Peers,
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
    pub(super) resolved: mpsc::UnboundedSender<(Option<PeerId>, Vec<Multiaddr>)>,
    pub(super) count: watch::Sender<usize>,
    pub(super) tried: watch::Sender<bool>,
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
    pub(super) resolved: mpsc::UnboundedReceiver<(Option<PeerId>, Vec<Multiaddr>)>,
}

impl Shell {
    /// Runs until it is told to stop, or the engine has ended.
    pub(super) async fn run(mut self, mut inputs: Inputs) {
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
                Some((peer, addresses)) = inputs.resolved.recv() => self.dial(peer, addresses),
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
            SwarmEvent::ConnectionClosed { peer_id, num_established, .. } => {
                self.on_closed(peer_id, num_established);
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
        let outbound = endpoint.is_dialer();
        let (address, _) = address::split(endpoint.get_remote_address().clone());
        let passing = outbound && !self.dialer.dialling.contains_key(&connection);
        self.dialled(connection, id, &address);
        if let Some(peer) = self.peers.get(&id) {
            peer.connections += 1;
            return;
        }
        let number = self.peers.next_number();
        let link = self.engine.peer(number);
        // The engine has stopped, and so will this shell.
        let _ = link.try_send(PeerEvent::Connected { outbound });
        if let Some(suppressed) = self.comings.allow(Instant::now()) {
            tracing::info!(peer = %id, %address, outbound, suppressed, "connected");
        }
        self.peers.insert(id, Peer::new(number, link, outbound, passing, address));
        self.count.send_replace(self.peers.len());
    }

    fn on_closed(&mut self, id: PeerId, left: u32) {
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
        if let Some(suppressed) = self.comings.allow(Instant::now()) {
            tracing::info!(peer = %id, suppressed, "disconnected");
        }
        self.count.send_replace(self.peers.len());
    }

    /// Ends all connections with a peer.
    pub(super) fn disconnect(&mut self, peer: PeerId) {
        // There may be none any more.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Holds an offence against a peer that only the shell sees.
    pub(super) fn offend(&mut self, peer: PeerId, offence: &Offence) {
        self.blame(peer, offence.points(), &offence.to_string());
    }

    /// Holds something against a peer, and bans it if that is too much.
    pub(super) fn blame(&mut self, id: PeerId, points: u32, reason: &str) {
        let now = Instant::now();
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let (total, ip) = (peer.blame(points, now), peer.ip());
        let banned = total >= BAN;
        if let Some(suppressed) = self.offences.allow(now) {
            tracing::info!(peer = %id, reason, points, total, banned, suppressed, "a peer misbehaves");
        }
        if banned {
            self.swarm.behaviour_mut().gate.ban(id, ip, clock() + BAN_SECONDS, reason);
            self.book.forget(&id);
            self.disconnect(id);
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.look_around(now);
        self.dial_more();
        self.search(now);
        self.drop_unwanted(now);
        self.gossiped.retain(|_, gossiped| now.duration_since(gossiped.since) < Duration::from_secs(300));
        self.note_sync(now);
        if now.duration_since(self.saved) >= SAVE {
            self.saved = now;
            self.save();
        }
    }

    /// Sends away whoever gossip does not listen to any more, and whoever was met on a search and is one too many.
    fn drop_unwanted(&mut self, now: Instant) {
        let surplus = self.peers.outbound().saturating_sub(self.config.outbound());
        let passing = self.peers.iter().filter(|(_, peer)| peer.passing && now.duration_since(peer.since) > 20 * TICK);
        let mut unwanted: Vec<PeerId> = passing.map(|(id, _)| *id).take(surplus).collect();
        let gossip = &self.swarm.behaviour().gossip;
        let ignored = |id: &PeerId| gossip.peer_score(id).is_some_and(|score| score < GRAYLIST);
        unwanted.extend(self.peers.iter().map(|(id, _)| *id).filter(ignored));
        unwanted.into_iter().for_each(|id| self.disconnect(id));
    }

    fn note_sync(&mut self, now: Instant) {
        let met = self.peers.iter().any(|(_, peer)| peer.status.is_some());
        let alone = now.duration_since(self.started) >= ALONE && self.peers.len() == 0;
        let tried = alone || (met && !self.engine.chain_info().syncing);
        self.tried.send_if_modified(|old| !std::mem::replace(old, *old || tried) && tried);
    }

    /// Writes down what shall outlive the process.
    fn save(&mut self) {
        self.book.save();
        self.swarm.behaviour_mut().gate.bans.save();
    }

    fn obey(&mut self, command: Command) {
        // Whoever asked may have gone.
        match command {
            Command::Peers(reply) => drop(reply.send(self.infos())),
            Command::Listening(reply) => drop(reply.send(self.addresses())),
            Command::AddPeer(address) => self.add_peer(address),
            Command::Reachable(address) => self.swarm.add_external_address(address),
            Command::RemovePeer(peer, reply) => {
                self.dialer.named.retain(|named| named.peer != Some(peer));
                self.swarm.behaviour_mut().gate.trusted.remove(&peer);
                let _ = reply.send(self.peers.contains(&peer));
                self.disconnect(peer);
            }
            Command::Ban(target, seconds, reason) => {
                let now = clock();
                self.swarm.behaviour_mut().gate.bans.add(target, now.saturating_add(seconds), reason, now);
                let hit = |id: &PeerId, peer: &Peer| match target {
                    Target::Peer(banned) => banned == *id,
                    Target::Host(banned) => peer.ip().map(address::host) == Some(banned),
                };
                let hit: Vec<PeerId> =
                    self.peers.iter().filter(|(id, peer)| hit(id, peer)).map(|(id, _)| *id).collect();
                hit.into_iter().for_each(|id| self.disconnect(id));
            }
            Command::Unban(target, reply) => {
                let _ = reply.send(self.swarm.behaviour_mut().gate.bans.remove(&target));
            }
            Command::Bans(reply) => drop(reply.send(self.swarm.behaviour().gate.bans.list(clock()))),
            // The loop has taken it.
            Command::Stop(_) => {}
        }
    }

    fn add_peer(&mut self, address: Multiaddr) {
        let new = Named::new(address, true);
        match self.dialer.named.iter_mut().find(|named| named.address == new.address && named.peer == new.peer) {
            Some(named) => named.hurry(),
            None => self.dialer.named.push(new.clone()),
        }
        self.swarm.behaviour_mut().gate.trusted.extend(new.peer);
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
        let info = |(id, peer): (&PeerId, &mut Peer)| PeerInfo {
            id: *id,
            address: peer.address.clone(),
            outbound: peer.outbound,
            agent: peer.agent.clone(),
            status: peer.status.clone(),
            connected: now.duration_since(peer.since),
            ping: peer.ping,
            points: peer.points(now),
        };
        let mut infos: Vec<PeerInfo> = self.peers.iter_mut().map(info).collect();
        infos.sort_by_key(|info| std::cmp::Reverse(info.connected));
        infos
    }
}
