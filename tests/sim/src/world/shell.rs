//! What a node's network shell does: bytes to messages and back, questions to answers, blocks onward once they are
//! accepted, points against peers. It keeps the engine's side of the bargain under watch.

use cairn_node::{
    engine::{BAN, Failure, GossipId, InboundId, Offence, PeerAction, PeerEvent, PeerId, RequestId, Verdict},
    wire::{CompactBlock, Message as Wire, Request, Response},
};
use std::sync::Arc;

use super::{Message, Phase, World, links::name};
use crate::{log::digest, node::Pending, oracle::Invariant};

/// Milliseconds after which the network gives up a question, whatever the engine thinks of it.
const PATIENCE: u64 = 60_000;

/// Milliseconds in which an engine must have answered or judged what it was handed.
const DUE: u64 = 120_000;

/// Numbers from here on are of an attacker's own questions.
pub(crate) const OWN: u64 = 1 << 62;

/// Milliseconds of a ban: short, as if attackers came back under another address.
const BANNED: u64 = 300_000;

/// Points that an honest peer never reaches: what it does by bad luck alone must leave it far from a ban.
const CLOSE: u32 = 30;

/// Messages remembered as seen.
const SEEN: usize = 4_096;

/// Encodes a message within its limit.
pub(crate) fn encode<M: Wire>(message: &M) -> Result<Arc<[u8]>, String> {
    let bytes = message.encode();
    if bytes.len() > M::MOST_BYTES {
        return Err(format!("a message of {} bytes, {} are allowed", bytes.len(), M::MOST_BYTES));
    }
    Ok(bytes.into())
}

impl World {
    /// Does what an engine, or an attacker in its place, wants of the network.
    pub(crate) fn do_for(&mut self, node: usize, action: PeerAction) {
        let done = match action {
            PeerAction::Request(peer, id, request) => self.ask(node, peer, id, &request),
            PeerAction::Respond(peer, id, response) => self.respond(node, peer, id, &response),
            PeerAction::Gossip(block) => encode(&block).map(|bytes| self.publish_block(node, bytes)),
            PeerAction::Judge(peer, id, verdict) => self.judged(node, peer, id, verdict),
            PeerAction::Penalize(peer, offence) => {
                self.penalize(node, peer, &offence);
                Ok(())
            }
            PeerAction::Disconnect(peer, reason) => {
                self.log.line(self.now, name(node), || format!("disconnects peer {}: {reason}", peer.0));
                self.check_disconnect(node, peer, &reason);
                self.hang_up(node, peer);
                Ok(())
            }
        };
        // Attackers need not keep to it.
        if let Err(wrong) = done
            && self.nodes[node].is_honest()
        {
            self.fail(Invariant::Protocol, format!("{}: {wrong}", name(node)));
        }
    }

    fn ask(&mut self, node: usize, peer: PeerId, id: RequestId, request: &Request) -> Result<(), String> {
        let bytes = encode(request)?;
        let deadline = self.now + PATIENCE;
        if let Request::ShortTransactions { salt, .. } = request {
            let compared = &mut self.nodes[node].compared;
            *compared = if compared.0 == *salt { (*salt, compared.1 + 1) } else { (*salt, 1) };
        }
        let wire = &mut self.nodes[node].wire;
        if wire.peers.contains_key(&peer) {
            if wire.asked.insert(id, (peer, deadline)).is_some() {
                return Err(format!("question {} twice", id.0));
            }
            self.log.line(self.now, name(node), || format!("asks peer {}: {}", peer.0, brief(request)));
            self.count(&bytes);
            self.send(node, peer, Message::Request(id, bytes));
        }
        Ok(())
    }

    fn respond(&mut self, node: usize, peer: PeerId, id: InboundId, response: &Response) -> Result<(), String> {
        let bytes = encode(response)?;
        match self.nodes[node].wire.inbound.remove(&id) {
            Some((asker, question, _)) if asker == peer => {
                self.count(&bytes);
                self.send(node, peer, Message::Response(question, bytes));
                Ok(())
            }
            Some(_) => Err(format!("answers peer {}, who did not ask", peer.0)),
            None if self.nodes[node].wire.peers.contains_key(&peer) => Err(format!("answers {} twice", id.0)),
            None => Ok(()),
        }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.stats.messages += 1;
        self.stats.bytes += bytes.len() as u64;
        let word = digest(bytes);
        self.log.mix(word ^ self.now);
    }

    /// Sends a block to all peers.
    fn publish_block(&mut self, node: usize, bytes: Arc<[u8]>) {
        let id = digest(&bytes);
        if self.nodes[node].wire.seen.contains_key(&id) {
            return;
        }
        self.note_seen(node, id, None);
        self.flood(node, id, &bytes);
    }

    fn note_seen(&mut self, node: usize, id: u64, from: Option<PeerId>) {
        let seen = &mut self.nodes[node].wire.seen;
        if seen.len() > SEEN {
            seen.clear();
        }
        seen.entry(id).or_default().extend(from);
    }

    /// Passes a block on to all who did not send it.
    fn flood(&mut self, node: usize, id: u64, bytes: &Arc<[u8]>) {
        let wire = &self.nodes[node].wire;
        let senders = wire.seen.get(&id).cloned().unwrap_or_default();
        let others: Vec<PeerId> = wire.peers.keys().filter(|peer| !senders.contains(peer)).copied().collect();
        for peer in others {
            if self.forwards(node, peer) {
                self.gossip_to(node, peer, bytes.clone());
            }
        }
    }

    /// Sends a block to one peer.
    pub(crate) fn gossip_to(&mut self, node: usize, peer: PeerId, bytes: Arc<[u8]>) {
        self.count(&bytes);
        self.stats.gossip_bytes += bytes.len() as u64;
        self.send(node, peer, Message::Gossip(bytes));
    }

    fn judged(&mut self, node: usize, peer: PeerId, id: GossipId, verdict: Verdict) -> Result<(), String> {
        let Some(pending) = self.nodes[node].wire.pending.remove(&id) else {
            let connected = self.nodes[node].wire.peers.contains_key(&peer);
            return if connected { Err(format!("judges {} twice", id.0)) } else { Ok(()) };
        };
        if pending.from != peer {
            return Err(format!("judges what peer {} sent as that of peer {}", pending.from.0, peer.0));
        }
        self.log.line(self.now, name(node), || format!("{verdict:?}s a block of peer {}", peer.0));
        match verdict {
            Verdict::Accept => self.flood(node, digest(&pending.bytes), &pending.bytes),
            Verdict::Ignore => {}
            Verdict::Reject => {
                let honest = self.other_end(node, peer).filter(|other| self.nodes[*other].is_honest());
                if let Some(honest) = honest.filter(|_| self.nodes[node].is_honest()) {
                    let detail = format!("{} rejects a block that {} passed on", name(node), name(honest));
                    self.fail(Invariant::Blame, detail);
                }
            }
        }
        Ok(())
    }

    /// Who is at the other end of a connection that is there.
    pub(crate) fn other_end(&self, node: usize, peer: PeerId) -> Option<usize> {
        self.nodes[node].wire.peers.get(&peer).map(|end| end.node)
    }

    fn penalize(&mut self, node: usize, peer: PeerId, offence: &Offence) {
        let (points, now) = (offence.points(), self.now);
        if !self.nodes[node].is_honest() {
            return;
        }
        let Some(end) = self.nodes[node].wire.peers.get_mut(&peer) else { return };
        let (total, other) = (end.blame(points, now), end.node);
        self.log.line(now, name(node), || format!("holds {points} points against {}: {offence}", name(other)));
        if self.nodes[other].is_honest() {
            self.stats.points = self.stats.points.max(total);
            if total > CLOSE {
                let detail = format!("{} holds {total} points against {}: {offence}", name(node), name(other));
                self.fail(Invariant::Blame, detail);
            }
            return;
        }
        if total < BAN {
            return;
        }
        self.stats.bans += 1;
        self.nodes[node].wire.banned.insert(other, now + BANNED);
        self.hang_up(node, peer);
    }

    /// Where messages arrive, and in time, attackers do not get honest nodes to give each other up.
    fn check_disconnect(&mut self, node: usize, peer: PeerId, reason: &str) {
        let Some(other) = self.nodes[node].wire.peers.get(&peer).map(|end| end.node) else { return };
        if self.nodes[node].is_honest()
            && self.nodes[other].is_honest()
            && self.plan.is_timely()
            && self.plan.messages.loss == 0.0
        {
            let detail = format!("{} disconnects {}: {reason}", name(node), name(other));
            self.fail(Invariant::Blame, detail);
        }
    }

    /// A message arrives.
    pub(super) fn arrive(&mut self, to: usize, peer: PeerId, message: Message) {
        if !self.nodes[to].wire.peers.contains_key(&peer) {
            return;
        }
        let event = match message {
            Message::Request(id, bytes) => match Request::decode(&bytes) {
                Ok(request) => {
                    let inbound = InboundId(self.links.number());
                    self.nodes[to].wire.inbound.insert(inbound, (peer, id, self.now));
                    PeerEvent::Request(inbound, request)
                }
                Err(error) => PeerEvent::Malformed(error),
            },
            Message::Response(id, bytes) => {
                if self.nodes[to].wire.asked.remove(&id).is_none() {
                    return;
                }
                PeerEvent::Response(id, Response::decode(&bytes).map_err(Failure::Malformed))
            }
            Message::Gossip(bytes) => match self.take_gossip(to, peer, bytes) {
                Some(event) => event,
                None => return,
            },
        };
        self.inform(to, peer, event);
    }

    fn take_gossip(&mut self, to: usize, peer: PeerId, bytes: Arc<[u8]>) -> Option<PeerEvent> {
        let id = digest(&bytes);
        let known = self.nodes[to].wire.seen.contains_key(&id);
        self.note_seen(to, id, Some(peer));
        let again = self.phase == Phase::Rough && self.chances.network.chance(self.plan.messages.duplication);
        if known && !again {
            return None;
        }
        let block = match CompactBlock::decode(&bytes) {
            Ok(block) => block,
            Err(error) => return Some(PeerEvent::Malformed(error)),
        };
        self.forks.heard(to, &block.header.hash(), self.now);
        let gossip = GossipId(self.links.number());
        self.nodes[to].wire.pending.insert(gossip, Pending { from: peer, bytes, since: self.now });
        Some(PeerEvent::Gossip(gossip, block))
    }

    /// Questions that nobody answered end, and the engine is watched for what it owes.
    pub(super) fn time_out(&mut self, node: usize) {
        let wire = &mut self.nodes[node].wire;
        let mut ended = Vec::new();
        while let Some(entry) = wire.asked.first_entry().filter(|entry| entry.get().1 <= self.now) {
            let id = *entry.key();
            ended.push((id, entry.remove().0));
        }
        let owed = wire.inbound.first_key_value().filter(|(_, (.., since))| self.now - since > DUE).is_some();
        let unjudged = wire.pending.first_key_value().filter(|(_, pending)| self.now - pending.since > DUE).is_some();
        if (owed || unjudged) && self.nodes[node].is_honest() {
            let what = if owed { "a question" } else { "a block" };
            return self.fail(Invariant::Protocol, format!("{} forgot {what}", name(node)));
        }
        for (id, peer) in ended {
            self.inform(node, peer, PeerEvent::Response(id, Err(Failure::Timeout)));
        }
    }
}

fn brief(request: &Request) -> String {
    match request {
        Request::Status(status) => format!("status, is at {} {}", status.height, status.best),
        Request::Headers { locator, .. } => format!("headers after {:?}", locator.first()),
        Request::Blocks(hashes) => format!("{} blocks from {:?}", hashes.len(), hashes.first()),
        Request::BlockTransactions { block, positions } => format!("{} transactions of {block}", positions.len()),
        Request::Announce(txids) => format!("has {} transactions, {:?}", txids.len(), txids.first()),
        Request::Transactions(txids) => format!("{} transactions", txids.len()),
        Request::Pool { .. } => "the pool".into(),
        Request::ShortTransactions { ids, .. } => format!("{} transactions of the pool", ids.len()),
        Request::Finality { newest, votes, .. } => format!("is final to {newest}, {} votes", votes.len()),
    }
}
