//! What the protocols tell, and what the engine wants done.

use chain_core::codec::CodecError;
use libp2p::{
    Multiaddr, PeerId, autonat,
    gossipsub::{self, MessageAcceptance, MessageId, PublishError},
    identify, kad, mdns, ping,
};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use super::{
    address,
    behaviour::BehaviourEvent,
    clock,
    shell::{Gossiped, Shell},
};
use crate::{
    engine::{GossipId, Offence, PeerAction, PeerEvent, Refused, Verdict},
    wire::{AGENT, CompactBlock, Message},
};

/// How often the table of peers is searched while peers are wanted, and otherwise.
const SEARCH: Duration = Duration::from_secs(15);
const SEARCH_CALMLY: Duration = Duration::from_secs(600);
/// Addresses that are taken of one message.
const TAKEN: usize = 4;

impl Shell {
    pub(super) fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Exchange(event) => self.on_exchange(event),
            BehaviourEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                self.on_gossip(propagation_source, message_id, &message.data);
            }
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.on_identified(peer_id, info);
            }
            BehaviourEvent::Ping(ping::Event { peer, result, .. }) => match result {
                Ok(took) => self.peers.get(&peer).into_iter().for_each(|peer| peer.ping = Some(took)),
                Err(ping::Failure::Unsupported) => {}
                Err(_) => self.disconnect(peer),
            },
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => self.on_neighbours(found),
            BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed {
                result: kad::QueryResult::GetClosestPeers(result),
                ..
            }) => {
                let found = match result {
                    Ok(found) => found.peers,
                    Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
                };
                for peer in found {
                    self.note(peer.peer_id, peer.addrs, self.told_by_table());
                }
            }
            BehaviourEvent::Autonat(autonat::v1::Event::StatusChanged {
                new: autonat::v1::NatStatus::Public(address),
                ..
            }) => {
                tracing::info!(%address, "others reach this node");
                self.swarm.add_external_address(address);
            }
            _ => {}
        }
    }

    /// Whoever does not speak this chain's protocol is of another chain.
    fn on_identified(&mut self, id: PeerId, info: identify::Info) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        if !info.protocols.contains(&self.names.exchange) {
            tracing::debug!(peer = %id, "is of another chain");
            self.book.forget(&id);
            return self.disconnect(id);
        }
        let printable = |letter: &char| (' '..='~').contains(letter);
        peer.agent = info.agent_version.chars().filter(printable).take(AGENT).collect();
        let (dialled, ip) = (peer.outbound.then(|| peer.address.clone()), peer.ip());
        self.book.met(id, dialled, clock());
        let told_by = ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let useful = info.listen_addrs.into_iter().map(|address| address::split(address).0);
        let useful: Vec<Multiaddr> =
            useful.filter(|address| address::is_useful(address, told_by)).take(TAKEN).collect();
        if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
            useful.iter().for_each(|address| _ = kad.add_address(&id, address.clone()));
        }
        self.note(id, useful, told_by);
    }

    /// Writes down where a node is said to be.
    fn note(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, told_by: IpAddr) {
        if peer == *self.swarm.local_peer_id() {
            return;
        }
        let bare = addresses.into_iter().map(|address| address::split(address).0);
        for address in bare.filter(|address| address::is_useful(address, told_by)).take(TAKEN) {
            self.book.add(peer, address, told_by);
        }
    }

    fn on_neighbours(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        for (peer, address) in found {
            if let Some(ip) = address::ip(&address) {
                self.note(peer, vec![address], ip);
            }
        }
    }

    /// What the table holds was told by anyone: it is worth what the farthest peer says.
    fn told_by_table(&self) -> IpAddr {
        let ips = self.peers.iter().filter_map(|(_, peer)| peer.ip());
        ips.max_by_key(|ip| address::scope(*ip)).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Searches the table of peers from time to time.
    pub(super) fn search(&mut self, now: Instant) {
        if now < self.next_search || self.peers.len() == 0 {
            return;
        }
        let enough = self.peers.outbound() >= self.config.outbound();
        self.next_search = now + if enough { SEARCH_CALMLY } else { SEARCH };
        if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
            kad.get_closest_peers(PeerId::random());
        }
    }

    fn on_gossip(&mut self, from: PeerId, message: MessageId, bytes: &[u8]) {
        let block = match CompactBlock::decode(bytes) {
            Ok(block) => block,
            Err(error) => {
                self.judge(&message, &from, MessageAcceptance::Reject);
                return self.on_malformed(from, error);
            }
        };
        let Some(peer) = self.peers.get(&from) else {
            return self.judge(&message, &from, MessageAcceptance::Ignore);
        };
        self.last_gossip += 1;
        let id = GossipId(self.last_gossip);
        match peer.link.try_send(PeerEvent::Gossip(id, block)) {
            Ok(()) => {
                let gossiped = Gossiped { message, from, since: Instant::now() };
                self.gossiped.insert(id, gossiped);
            }
            Err(Refused::Full(_)) => {
                self.judge(&message, &from, MessageAcceptance::Ignore);
                self.offend(from, &Offence::TooMany("blocks"));
            }
            Err(Refused::Stopped) => {}
        }
    }

    fn judge(&mut self, message: &MessageId, from: &PeerId, acceptance: MessageAcceptance) {
        self.swarm.behaviour_mut().gossip.report_message_validation_result(message, from, acceptance);
    }

    /// Tells the engine of bytes that are no message; if it has too much of this peer already, that speaks for itself.
    pub(super) fn on_malformed(&mut self, id: PeerId, error: CodecError) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        if let Err(Refused::Full(_)) = peer.link.try_send(PeerEvent::Malformed(error.clone())) {
            self.offend(id, &Offence::Malformed(error));
        }
    }

    /// Does what the engine wants.
    pub(super) fn perform(&mut self, action: PeerAction) {
        match action {
            PeerAction::Request(number, id, request) => {
                if let Some(peer) = self.peers.id(number) {
                    self.ask(peer, id, request);
                }
            }
            PeerAction::Respond(_, id, response) => self.respond(id, response),
            PeerAction::Gossip(block) => self.publish(&block),
            PeerAction::Judge(_, id, verdict) => {
                if let Some(Gossiped { message, from, .. }) = self.gossiped.remove(&id) {
                    let acceptance = match verdict {
                        Verdict::Accept => MessageAcceptance::Accept,
                        Verdict::Reject => MessageAcceptance::Reject,
                        Verdict::Ignore => MessageAcceptance::Ignore,
                    };
                    self.judge(&message, &from, acceptance);
                }
            }
            PeerAction::Penalize(number, offence) => {
                if let Some(peer) = self.peers.id(number) {
                    self.offend(peer, &offence);
                }
            }
            PeerAction::Disconnect(number, reason) => {
                if let Some(peer) = self.peers.id(number) {
                    tracing::debug!(%peer, reason, "disconnecting");
                    self.disconnect(peer);
                }
            }
        }
    }

    fn publish(&mut self, block: &CompactBlock) {
        let bytes = block.encode();
        match self.swarm.behaviour_mut().gossip.publish(self.names.blocks.hash(), bytes) {
            Ok(_) | Err(PublishError::Duplicate | PublishError::NoPeersSubscribedToTopic) => {}
            Err(error) => tracing::debug!(%error, "a block was not gossiped to everybody"),
        }
    }
}
