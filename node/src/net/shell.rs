//! The one task that owns the swarm: between libp2p, the engine and the callers of its handle. It passes events to the parts that
//! they concern and does what these ask for.

use cairn_client::unix;
use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, autonat,
    core::ConnectedPoint,
    identify, kad, mdns, ping,
    swarm::{ConnectionError, ConnectionId, SwarmEvent},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{MissedTickBehavior, interval},
};

use super::{
    address,
    bans::{Ban, Target},
    behaviour::{Behaviour, BehaviourEvent, GRAYLIST},
    book,
    clock::Moment,
    config::NetConfig,
    count::Counters,
    dial::{Aim, Dialer, Resolved},
    exchange::{Complaint, Exchange},
    farewell::{Farewell, Farewells, ended},
    gate::Evicted,
    gossip::{BlockGossip, Decoded},
    health::{self, Health},
    listen::Early,
    misbehaviour::Misbehaviour,
    names::{Names, useless},
    news::News,
    peers::{Origin, Peer, Peers},
    topic::TopicEvent,
};
use crate::{
    engine::{BAN, Offence, PeerAction, PeerEvent, Side},
    engine_thread::EngineHandle,
    metrics,
    throttle::Throttle,
    wire::AGENT,
};

/// How often peers are dialled and lists tended.
const TICK: Duration = Duration::from_secs(1);
/// How often requests that wait are offered to the engine again.
const RETRY: Duration = Duration::from_millis(20);
/// How often lists are written to disk.
const SAVE: Duration = Duration::from_secs(60);
/// How long a ban lasts, in seconds.
const BAN_SECONDS: u64 = 24 * 3_600;
/// Addresses that are taken of one message.
const TAKEN: usize = 4;

/// What the rest of the node has the shell do.
pub type Command = Box<dyn FnOnce(&mut Shell) + Send>;

/// The network of one node.
pub struct Shell {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) names: Names,
    pub(super) config: NetConfig,
    pub(super) engine: EngineHandle,
    pub(super) counters: Arc<Counters>,
    pub(super) peers: Peers,
    pub(super) dialer: Dialer,
    pub(super) exchange: Exchange,
    pub(super) gossip: BlockGossip,
    pub(super) health: Health,
    pub(super) misbehaviour: Misbehaviour,
    pub(super) farewells: Farewells,
    pub(super) news: News,
    pub(super) offences: Throttle,
    pub(super) saved: Instant,
    /// Set once it is to stop; whom to tell when it has.
    pub(super) stopped: Option<oneshot::Sender<()>>,
}

/// What reaches the shell from this process.
pub struct Inputs {
    /// From the rest of the node.
    pub commands: mpsc::Receiver<Command>,
    /// From the engine.
    pub actions: mpsc::UnboundedReceiver<PeerAction>,
    /// See [`Dialer::new`].
    pub resolved: mpsc::UnboundedReceiver<Resolved>,
    /// See [`BlockGossip::new`].
    pub decoded: mpsc::UnboundedReceiver<Decoded>,
}

impl Shell {
    /// Runs until it is told to stop, or the engine has ended.
    pub async fn run(mut self, early: Early, mut inputs: Inputs) {
        for event in early {
            self.on_event(event);
        }
        let (mut tick, mut retry) = (interval(TICK), interval(RETRY));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.stopped.is_none() {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                action = inputs.actions.recv() => match action {
                    Some(action) => self.perform(action),
                    None => break,
                },
                command = inputs.commands.recv() => match command {
                    Some(command) => command(&mut self),
                    None => break,
                },
                Some(resolved) = inputs.resolved.recv() => self.dialer.dial_resolved(&mut self.swarm, resolved),
                Some(decoded) = inputs.decoded.recv() => self.on_decoded(decoded),
                _ = tick.tick() => self.tick(),
                _ = retry.tick(), if self.peers.somebody_waits() => {
                    self.exchange.pass_on_all(&mut self.peers);
                    self.peers.tell_missed();
                }
            }
        }
        self.save();
        // Who asked may have gone.
        self.stopped.take().map(|reply| reply.send(()));
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
                self.dialer.failed(&mut self.swarm, (connection_id, peer_id), &error);
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "an inbound connection failed");
            }
            SwarmEvent::ListenerClosed { reason, .. } => {
                tracing::warn!(?reason, "the node does not listen on one of its addresses any more");
            }
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Exchange(event) => match self.exchange.on_event(event, &mut self.peers) {
                Some((peer, Complaint::Offence(offence))) => self.offend(peer, &offence),
                Some((peer, Complaint::TooSlow)) => {
                    self.offend(peer, &Offence::TooSlow);
                    self.disconnect(peer, &Offence::TooSlow.to_string());
                }
                None => {}
            },
            BehaviourEvent::Gossip(TopicEvent::Message(from, message, bytes)) => {
                let protocol = &mut self.swarm.behaviour_mut().gossip.gossipsub;
                let offence = self.gossip.receive(protocol, &mut self.peers, (from, message, bytes));
                offence.inspect(|offence| self.offend(from, offence));
            }
            BehaviourEvent::Gossip(TopicEvent::Foreign(peer)) => self.offend(peer, &Offence::ForeignTopic),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.on_identified(peer_id, info);
            }
            BehaviourEvent::Ping(ping::Event { peer, result, .. }) => match result {
                Ok(took) => {
                    self.swarm.behaviour_mut().gate.note_ping(peer, took);
                    if let Some(peer) = self.peers.get(&peer) {
                        peer.ping = Some(took);
                    }
                }
                Err(ping::Failure::Unsupported) => {}
                Err(error) => self.disconnect(peer, &format!("does not answer pings ({error})")),
            },
            BehaviourEvent::Gate(Evicted(peer)) => self.disconnect(peer, "made room for another inbound peer"),
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => self.on_neighbours(found),
            BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed {
                result: kad::QueryResult::GetClosestPeers(result),
                ..
            }) => self.on_found(result),
            BehaviourEvent::Autonat(autonat::v1::Event::StatusChanged {
                new: autonat::v1::NatStatus::Public(address),
                ..
            }) => {
                tracing::info!(%address, "this node is reachable from outside");
                self.swarm.add_external_address(address);
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, id: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        let aim = self.dialer.connected(&mut self.swarm.behaviour_mut().gate, connection, id);
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
        let payer = self.misbehaviour.payer(id, address::ip(&address));
        // The engine has stopped, and so will this shell.
        let _ = link.try_send(PeerEvent::Connected(side, payer));
        self.peers.insert(id, Peer::new(number, payer, link, origin, address, self.counters.of(id)));
        self.news.look(&self.peers, Instant::now());
    }

    fn on_closed(&mut self, id: PeerId, left: u32, cause: Option<&ConnectionError>) {
        if left > 0 {
            if let Some(peer) = self.peers.get(&id) {
                peer.connections = left as usize;
            }
            return;
        }
        self.exchange.forget(&mut self.peers, &id);
        let Some(peer) = self.peers.remove(&id) else {
            return;
        };
        // The engine has stopped, and so will this shell.
        let _ = peer.link.try_send(PeerEvent::Disconnected);
        let reason = peer.leaving.clone().unwrap_or_else(|| ended(cause));
        self.news.left(&id, &peer, &reason, Instant::now());
        let (outbound, connected) = (peer.outbound(), peer.since.elapsed());
        let Peer { address, agent, .. } = peer;
        self.farewells.add(Farewell { id, address, outbound, agent, at: unix(), connected, reason });
    }

    /// A peer says what it is. A peer without this chain's protocol is on another chain.
    fn on_identified(&mut self, id: PeerId, info: identify::Info) {
        let now = Instant::now();
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        // Each costs work here, and its sender next to nothing.
        if !peer.may_introduce(now) {
            return self.offend(id, &Offence::TooMany("introductions"));
        }
        let (origin, address, ip) = (peer.origin, peer.address.clone(), peer.ip());
        let first = !std::mem::replace(&mut peer.introduced, true);
        let printable = |letter: &char| (' '..='~').contains(letter);
        peer.agent = info.agent_version.chars().filter(printable).take(AGENT).collect();
        let hidden = self.names.is_hidden(&info.protocols);
        let behaviour = self.swarm.behaviour_mut();
        if let Some(reason) = useless(&self.names, &info.protocols, origin) {
            let dialled = Some(&address).filter(|_| origin != Origin::Inbound);
            self.dialer.shun(&mut behaviour.gate, id, dialled, &reason);
            return self.disconnect(id, &reason);
        }
        self.dialer.met(&id);
        if origin.is_chosen() {
            self.dialer.book.met(id, address, now, unix());
        }
        if !first || hidden {
            return;
        }
        let told_by = ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let useful = info.listen_addrs.into_iter().map(|address| address::split(address).0);
        let useful: Vec<Multiaddr> =
            useful.filter(|address| address::is_useful(address, told_by)).take(TAKEN).collect();
        if let Some(kad) = behaviour.kad.as_mut() {
            kad.enter(&id, &useful);
        }
        self.dialer.book.introduced(id, &useful, told_by);
    }

    /// Writes down where a node is said to be, by somebody who is at `from`.
    fn note(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, from: IpAddr, told_by: IpAddr) {
        if peer == *self.swarm.local_peer_id() {
            return;
        }
        let bare = addresses.into_iter().map(|address| address::split(address).0);
        for address in bare.filter(|address| address::is_useful(address, from)).take(TAKEN) {
            self.dialer.book.add(peer, address, told_by);
        }
    }

    fn on_neighbours(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        for (peer, address) in found {
            if let Some(ip) = address::ip(&address) {
                self.note(peer, vec![address], ip, ip);
            }
        }
    }

    /// A search in the table brought peers. What it holds was told by anyone: its addresses are worth what the farthest peer says.
    fn on_found(&mut self, result: kad::GetClosestPeersResult) {
        let found = match result {
            Ok(found) => found.peers,
            Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
        };
        let ips = self.peers.iter().filter_map(|(_, peer)| peer.ip());
        let reach = ips.max_by_key(|ip| address::reach(*ip)).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        for peer in found {
            self.note(peer.peer_id, peer.addrs, reach, book::TABLE);
        }
    }

    fn on_decoded(&mut self, decoded: Decoded) {
        let offence = self.gossip.decoded(&mut self.swarm.behaviour_mut().gossip.gossipsub, &mut self.peers, decoded);
        offence.inspect(|(peer, offence)| self.offend(*peer, offence));
    }

    /// Does what the engine wants.
    fn perform(&mut self, action: PeerAction) {
        let behaviour = self.swarm.behaviour_mut();
        match action {
            PeerAction::Request(number, id, request) => {
                if let Some(peer) = self.peers.id(number) {
                    self.exchange.request(&mut behaviour.exchange, &mut self.peers, (peer, id), request);
                }
            }
            PeerAction::Respond(_, id, response) => {
                self.exchange.respond(&mut behaviour.exchange, &mut self.peers, id, response);
            }
            PeerAction::Gossip(block) => self.gossip.publish(&mut behaviour.gossip.gossipsub, &block),
            PeerAction::Judge(_, id, verdict) => {
                let first = self.gossip.judge(&mut behaviour.gossip.gossipsub, id, verdict);
                first.inspect(|peer| behaviour.gate.note_useful(*peer, Instant::now()));
            }
            PeerAction::Penalize(number, offence) => {
                // A peer that sent a false form may have left before the block shows it.
                if let Some((peer, ip)) = self.peers.culprit(number) {
                    self.blame(peer, ip, &offence);
                }
            }
            PeerAction::Disconnect(number, reason) => {
                if let Some(peer) = self.peers.id(number) {
                    self.disconnect(peer, &reason);
                }
            }
        }
    }

    /// Ends all connections with a peer, and says why in the log when they have ended.
    fn disconnect(&mut self, peer: PeerId, reason: &str) {
        if let Some(peer) = self.peers.get(&peer) {
            peer.leaving.get_or_insert_with(|| reason.to_owned());
        }
        // There may be none any more.
        let _ = self.swarm.disconnect_peer_id(peer);
    }

    /// Penalises a connected peer for an offence that only the shell sees.
    fn offend(&mut self, id: PeerId, offence: &Offence) {
        let ip = self.peers.get(&id).map(|peer| peer.ip());
        if let Some(ip) = ip {
            self.blame(id, ip, offence);
        }
    }

    /// Penalises a peer that was at this address, also if it has left, and bans it if that is too much.
    fn blame(&mut self, id: PeerId, ip: Option<IpAddr>, offence: &Offence) {
        let (points, reason) = (offence.points(), offence.to_string());
        let now = Instant::now();
        let total = self.misbehaviour.add(id, ip, points, now);
        let banned = total >= BAN;
        if let Some(metrics) = metrics::on() {
            metrics.net.offence(offence.name(), points, banned);
        }
        if let Some(suppressed) = self.offences.allow(now) {
            tracing::info!(peer = %id, reason, points, total, banned, suppressed, "a peer misbehaves");
        }
        if banned {
            let targets = self.swarm.behaviour_mut().gate.ban(id, ip, BAN_SECONDS, &reason);
            self.dialer.book.forget(&id);
            targets.iter().for_each(|target| self.keep_out(target, &format!("banned: {reason}")));
        }
    }

    /// Somebody was banned: disconnects those that this names. The ban takes the place of points.
    fn keep_out(&mut self, target: &Target, why: &str) {
        self.misbehaviour.forget(target);
        let hit = |id: &PeerId, peer: &Peer| match target {
            Target::Peer(banned) => banned == id,
            Target::Host(banned) => peer.ip().map(address::host) == Some(*banned),
        };
        let hit: Vec<PeerId> = self.peers.iter().filter(|(id, peer)| hit(id, peer)).map(|(id, _)| *id).collect();
        for id in hit {
            self.disconnect(id, why);
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        self.dialer.look_around(&mut self.swarm, &self.peers, &self.config, now);
        self.dialer.dial_more(&mut self.swarm, &self.peers, &self.config);
        if let (Some(kad), 1..) = (self.swarm.behaviour_mut().kad.as_mut(), self.peers.len()) {
            kad.search(self.peers.outbound() < self.config.outbound(), now);
        }
        self.drop_unwanted(now);
        self.gossip.expire(now);
        self.news.look(&self.peers, now);
        let (syncing, advice) =
            (self.engine.chain_info().syncing, health::advice(&self.config, self.dialer.has_no_names()));
        self.health.tick(&self.peers, syncing, advice, now);
        if now.duration_since(self.saved) >= SAVE {
            self.saved = now;
            self.save();
        }
    }

    /// Disconnects peers that gossip ignores by now, and those that were met on a search only: the address book decides who is
    /// dialled to stay, by its own rules, and not any peer that answers a search.
    fn drop_unwanted(&mut self, now: Instant) {
        let passing = |peer: &Peer| peer.origin.is_over(now.duration_since(peer.since));
        let passing = self.peers.iter().filter(|(_, peer)| passing(peer)).map(|(id, _)| *id);
        let passing: Vec<PeerId> = passing.collect();
        let gossip = &self.swarm.behaviour().gossip.gossipsub;
        let ignored = |id: &PeerId| gossip.peer_score(id).is_some_and(|score| score < GRAYLIST);
        let ignored: Vec<PeerId> = self.peers.iter().map(|(id, _)| *id).filter(ignored).collect();
        for id in passing {
            self.disconnect(id, "the search that it was asked for is over");
        }
        for id in ignored {
            self.disconnect(id, "what it gossiped was too bad");
        }
    }

    /// Writes down what shall outlive the process.
    fn save(&mut self) {
        self.dialer.book.save();
        self.swarm.behaviour_mut().gate.bans.save(Moment::now());
    }
}

/// What the rest of the node asks for, by [`super::NetHandle`].
impl Shell {
    pub(super) fn add_peer(&mut self, address: Multiaddr) {
        let (_, peer) = address::split(address.clone());
        self.dialer.name(address, true);
        self.swarm.behaviour_mut().gate.trusted.extend(peer);
        self.dialer.dial_more(&mut self.swarm, &self.peers, &self.config);
    }

    pub(super) fn remove_peer(&mut self, peer: PeerId) -> bool {
        self.dialer.forget(&peer, &mut self.swarm.behaviour_mut().gate);
        let connected = self.peers.contains(&peer);
        self.disconnect(peer, "admin_removePeer");
        connected
    }

    pub(super) fn ban(&mut self, target: &Target, seconds: u64, reason: String) {
        let why = format!("banned: {reason}");
        self.swarm.behaviour_mut().gate.bans.add(*target, seconds, reason, Moment::now());
        self.keep_out(target, &why);
    }

    pub(super) fn unban(&mut self, target: &Target) -> bool {
        self.misbehaviour.forget(target);
        self.swarm.behaviour_mut().gate.bans.remove(target)
    }

    pub(super) fn bans(&self) -> Vec<(Target, Ban)> {
        self.swarm.behaviour().gate.bans.list(Moment::now())
    }
}
