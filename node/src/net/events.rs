//! What the protocols tell, and what the engine wants done.

use chain_core::codec::CodecError;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, autonat,
    gossipsub::{self, MessageAcceptance, MessageId, PublishError},
    identify, kad, mdns, ping,
};
use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use super::{
    address,
    behaviour::{BehaviourEvent, Names},
    book, clock,
    gate::Evicted,
    peers::Origin,
    shell::{Gossiped, Shell},
};
use crate::{
    engine::{GossipId, Offence, PeerAction, PeerEvent, Verdict},
    engine_thread::Refused,
    wire::{AGENT, CompactBlock, Message, PROTOCOL},
};

/// How often the table of peers is searched while peers are wanted, and otherwise.
const SEARCH: Duration = Duration::from_secs(15);
const SEARCH_CALMLY: Duration = Duration::from_secs(600);
/// Addresses that are taken of one message.
const TAKEN: usize = 4;

/// Gossiped blocks of one peer that are decoded at a time.
const DECODING: usize = 16;

/// A gossiped block after it was decoded.
pub(super) struct Decoded {
    message: MessageId,
    from: PeerId,
    block: Result<CompactBlock, CodecError>,
}

/// Why a peer is of no use to this node, or this node is not wanted by it, if so.
fn useless(names: &Names, protocols: &[StreamProtocol], origin: Origin) -> Option<String> {
    match protocols.contains(&names.exchange) {
        false => Some(foreign(names, protocols)),
        true if origin == Origin::Scan && names.is_hidden(protocols) => {
            Some("does not want to be found (--no-discovery)".to_owned())
        }
        true => None,
    }
}

/// What to say of a peer that does not speak this chain's protocol, or speaks it in another version.
fn foreign(names: &Names, protocols: &[StreamProtocol]) -> String {
    let spoken = |name: &StreamProtocol| {
        let (genesis, version) = name.as_ref().strip_prefix("/cairn/")?.split_once("/exchange/")?;
        let is_hash = genesis.len() == 64 && genesis.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| Some((genesis.to_owned(), version.parse::<u32>().ok()?)))?
    };
    match protocols.iter().find_map(spoken) {
        Some((genesis, version)) if names.is_chain(&genesis) => {
            let whose = if version < PROTOCOL { "its operator has" } else { "you have" };
            format!("speaks version {version} of the protocol, and this node version {PROTOCOL}: {whose} to upgrade")
        }
        Some((genesis, _)) => format!("is of another chain, whose genesis block is {genesis}"),
        None => "does not speak the protocol of this chain".to_owned(),
    }
}

impl Shell {
    pub(super) fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Exchange(event) => self.on_exchange(event),
            BehaviourEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                self.on_gossip(propagation_source, message_id, message.data);
            }
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.on_identified(peer_id, info);
            }
            BehaviourEvent::Ping(ping::Event { peer, result, .. }) => match result {
                Ok(took) => {
                    self.swarm.behaviour_mut().gate.note_ping(peer, took);
                    self.peers.get(&peer).into_iter().for_each(|peer| peer.ping = Some(took));
                }
                Err(ping::Failure::Unsupported) => {}
                Err(error) => self.disconnect(peer, &format!("does not answer pings ({error})")),
            },
            BehaviourEvent::Gate(Evicted(peer)) => self.disconnect(peer, "made room for another inbound peer"),
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
                    self.note(peer.peer_id, peer.addrs, self.reach_of_table(), book::TABLE);
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

    /// A peer says what it is. Whoever does not speak this chain's protocol is of another chain.
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
        if let Some(reason) = useless(&self.names, &info.protocols, origin) {
            self.shun(id, Some(&address).filter(|_| origin != Origin::Inbound), &reason);
            return self.disconnect(id, &reason);
        }
        self.dialer.met(&id);
        if origin.is_chosen() {
            self.book.met(id, address, now, clock());
        }
        if !first || hidden {
            return;
        }
        let told_by = ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let useful = info.listen_addrs.into_iter().map(|address| address::split(address).0);
        let useful: Vec<Multiaddr> =
            useful.filter(|address| address::is_useful(address, told_by)).take(TAKEN).collect();
        if let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() {
            kad.enter(&id, &useful);
        }
        self.book.introduced(id, &useful, told_by);
    }

    /// Writes down where a node is said to be, by somebody who is at `from`.
    fn note(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, from: IpAddr, told_by: IpAddr) {
        if peer == *self.swarm.local_peer_id() {
            return;
        }
        let bare = addresses.into_iter().map(|address| address::split(address).0);
        for address in bare.filter(|address| address::is_useful(address, from)).take(TAKEN) {
            self.book.add(peer, address, told_by);
        }
    }

    fn on_neighbours(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        for (peer, address) in found {
            if let Some(ip) = address::ip(&address) {
                self.note(peer, vec![address], ip, ip);
            }
        }
    }

    /// What the table holds was told by anyone: its addresses are worth what the farthest peer says.
    fn reach_of_table(&self) -> IpAddr {
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
            kad.search();
        }
    }

    /// A peer gossiped bytes. They are decoded on a task of their own, since all peers wait for this one.
    fn on_gossip(&mut self, from: PeerId, message: MessageId, bytes: Vec<u8>) {
        let Some(peer) = self.peers.get(&from) else {
            return self.judge(&message, &from, MessageAcceptance::Ignore);
        };
        let ip = peer.ip();
        if !self.paces.take(from, ip, Instant::now(), bytes.len()) {
            self.judge(&message, &from, MessageAcceptance::Ignore);
            return self.offend(from, &Offence::TooMany("blocks"));
        }
        let Some(peer) = self.peers.get(&from) else { return };
        // What is dropped costs next to nothing, and an honest block is fetched by its header.
        if peer.decoding >= DECODING {
            return self.judge(&message, &from, MessageAcceptance::Ignore);
        }
        peer.decoding += 1;
        let decoder = self.decoder.clone();
        tokio::spawn(async move {
            // The shell may have ended.
            let _ = decoder.send(Decoded { message, from, block: CompactBlock::decode(&bytes) });
        });
    }

    /// A gossiped block is decoded, or is none.
    pub(super) fn on_decoded(&mut self, Decoded { message, from, block }: Decoded) {
        let Some(peer) = self.peers.get(&from) else {
            return self.judge(&message, &from, MessageAcceptance::Ignore);
        };
        peer.decoding = peer.decoding.saturating_sub(1);
        let block = match block {
            Ok(block) => block,
            Err(error) => {
                self.judge(&message, &from, MessageAcceptance::Reject);
                return self.on_malformed(from, error);
            }
        };
        self.last_gossip += 1;
        let id = GossipId(self.last_gossip);
        match peer.link.try_send(PeerEvent::Gossip(id, block)) {
            Ok(()) => {
                let gossiped = Gossiped { message, from, since: Instant::now() };
                self.gossiped.insert(id, gossiped);
            }
            Err(Refused::Full(_)) => self.judge(&message, &from, MessageAcceptance::Ignore),
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
                        Verdict::Accept => {
                            self.swarm.behaviour_mut().gate.note_useful(from, Instant::now());
                            MessageAcceptance::Accept
                        }
                        Verdict::Reject => MessageAcceptance::Reject,
                        Verdict::Ignore => MessageAcceptance::Ignore,
                    };
                    self.judge(&message, &from, acceptance);
                }
            }
            PeerAction::Penalize(number, offence) => {
                // A peer that sent a false form may have left before the block shows it.
                if let Some((peer, ip)) = self.peers.culprit(number) {
                    self.blame_at(peer, ip, offence.points(), &offence.to_string());
                }
            }
            PeerAction::Disconnect(number, reason) => {
                if let Some(peer) = self.peers.id(number) {
                    self.disconnect(peer, &reason);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol(name: String) -> StreamProtocol {
        StreamProtocol::try_from_owned(name).unwrap()
    }

    #[test]
    fn another_chain_is_named_by_its_genesis_block() {
        let genesis = "ab".repeat(32);
        let protocols = [protocol("/ipfs/id/1.0.0".into()), protocol(format!("/cairn/{genesis}/exchange/1"))];
        let names = Names::new(&chain_core::hash::BlockHash([1; 32]));
        let reason = format!("is of another chain, whose genesis block is {genesis}");
        assert_eq!(useless(&names, &protocols, Origin::Inbound), Some(reason));
        for odd in ["\n".repeat(64) + "/exchange/1", genesis.clone() + "/exchange/", genesis + "/exchange/x"] {
            let odd = [protocol(format!("/cairn/{odd}"))];
            assert_eq!(foreign(&names, &odd), "does not speak the protocol of this chain");
        }
    }

    #[test]
    fn another_version_of_the_protocol_is_named_and_who_has_to_upgrade() {
        let genesis = chain_core::hash::BlockHash([1; 32]);
        let names = Names::new(&genesis);
        let other = |version: u32| {
            let old = [protocol(format!("/cairn/{genesis}/exchange/{version}"))];
            useless(&names, &old, Origin::Inbound).unwrap()
        };
        let said = |version: u32, whose: &str| {
            format!("speaks version {version} of the protocol, and this node version {PROTOCOL}: {whose} to upgrade")
        };
        assert_eq!(other(PROTOCOL - 1), said(PROTOCOL - 1, "its operator has"));
        assert_eq!(other(PROTOCOL + 1), said(PROTOCOL + 1, "you have"));
    }

    #[test]
    fn who_does_not_want_to_be_found_is_left_alone_unless_it_was_named() {
        let names = Names::new(&chain_core::hash::BlockHash([1; 32]));
        let hidden = [names.exchange.clone()];
        let reason = Some("does not want to be found (--no-discovery)".to_owned());
        assert_eq!(useless(&names, &hidden, Origin::Scan), reason);
        assert_eq!(useless(&names, &hidden, Origin::Wanted), None);
        assert_eq!(useless(&names, &hidden, Origin::Inbound), None);
        assert_eq!(useless(&names, &[names.exchange.clone(), names.kad.clone()], Origin::Scan), None);
    }
}
