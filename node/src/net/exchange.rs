//! Questions and answers between peers and the engine. What one peer may have waiting is bounded, whatever it asks and
//! however slowly it reads.

use libp2p::{
    PeerId,
    request_response::{Event, InboundFailure, InboundRequestId, Message, OutboundFailure, OutboundRequestId},
};
use std::collections::HashMap;

use super::{codec::Read, peers::Channel, shell::Shell};
use crate::{
    engine::{Failure, InboundId, Offence, PeerEvent, RequestId},
    engine_thread::Refused,
    wire::{Message as _, POOL, Request, Response},
};

/// Questions of a peer that may wait for the engine beside those that it has. An honest node has never so many open.
const HELD: usize = 24;
/// Questions of a peer with long answers that are worked on at a time.
const HEAVY: usize = 2;
/// Bytes of answers that may be on their way at a time, to all peers together. Beyond, questions with long answers wait. Many
/// peers that ask for much at the same moment would have memory grow otherwise, so the longest answer is reckoned with from when
/// the engine is asked.
const UNSENT: usize = 128 << 20;
/// What is held against a peer that does not read what it asked for.
const TOO_SLOW: u32 = 25;

/// A question of a peer that is not answered to the end yet.
struct Asked {
    peer: PeerId,
    theirs: InboundRequestId,
    channel: Option<Channel>,
    heavy: bool,
    /// Bytes of the answer; until there is one, the most that it may have.
    bytes: usize,
}

/// What is open.
#[derive(Default)]
pub struct Exchange {
    /// Our questions.
    asking: HashMap<OutboundRequestId, (PeerId, RequestId)>,
    /// Questions of peers.
    asked: HashMap<InboundId, Asked>,
    inbound: HashMap<InboundRequestId, InboundId>,
    last: u64,
    unsent: Unsent,
}

/// Bytes of answers that are on their way, or may come to be.
#[derive(Debug, Default)]
struct Unsent(usize);

impl Unsent {
    /// Sets memory for an answer aside, if there is so much.
    fn reserve(&mut self, most: usize) -> bool {
        let fits = self.0 + most <= UNSENT;
        if fits {
            self.0 += most;
        }
        fits
    }

    /// An answer is ready, and has this size instead of what was reserved.
    fn settle(&mut self, reserved: usize, size: usize) {
        self.0 = self.0.saturating_sub(reserved) + size;
    }
}

/// Whether the answer may be long.
fn is_heavy(request: &Request) -> bool {
    match request {
        Request::Blocks(_)
        | Request::BlockTransactions { .. }
        | Request::Transactions(_)
        | Request::ShortTransactions { .. }
        | Request::Pool { .. } => true,
        Request::Status(_) | Request::Headers { .. } | Request::Announce(_) => false,
    }
}

/// Most bytes of the answer to a question with a long one.
fn most(request: &Request) -> usize {
    match request {
        Request::Pool { .. } => POOL * 6,
        _ => Response::MOST_BYTES,
    }
}

/// About how many bytes an answer has.
fn size(response: &Response) -> usize {
    match response {
        Response::Blocks(bodies) => bodies.iter().map(|body| body.bytes().len()).sum(),
        Response::Transactions(transactions) => transactions.iter().map(|bytes| bytes.len()).sum(),
        Response::Headers(headers) => headers.len() * 80,
        Response::ShortIds(ids) => ids.len() * 6,
        Response::Status(_) | Response::Ack | Response::Unknown => 0,
    }
}

impl Shell {
    /// Asks a peer for the engine.
    pub(super) fn ask(&mut self, peer: PeerId, id: RequestId, request: Request) {
        // libp2p would dial a peer that is not connected.
        if !self.swarm.behaviour().exchange.is_connected(&peer) {
            return self.answered(peer, id, Err(Failure::Refused));
        }
        let ours = self.swarm.behaviour_mut().exchange.send_request(&peer, Ok(request));
        self.exchange.asking.insert(ours, (peer, id));
    }

    fn answered(&mut self, peer: PeerId, id: RequestId, result: Result<Response, Failure>) {
        let Some(peer) = self.peers.get(&peer) else {
            return;
        };
        if let Ok(Response::Status(status)) = &result {
            peer.says(status);
        }
        // The engine has stopped, and so will this shell.
        let _ = peer.link.try_send(PeerEvent::Response(id, result));
    }

    /// Answers a peer for the engine.
    pub(super) fn respond(&mut self, id: InboundId, response: Response) {
        let Some(asked) = self.exchange.asked.get_mut(&id) else {
            return;
        };
        let Some(channel) = asked.channel.take() else {
            return;
        };
        let reserved = std::mem::replace(&mut asked.bytes, size(&response));
        self.exchange.unsent.settle(reserved, asked.bytes);
        let peer = asked.peer;
        if self.swarm.behaviour_mut().exchange.send_response(channel, Ok(response)).is_err() {
            self.finish(id);
        }
        self.pass_on_held(peer);
    }

    /// What libp2p tells of questions and answers.
    pub(super) fn on_exchange(&mut self, event: Event<Read<Request>, Read<Response>>) {
        match event {
            Event::Message { peer, message: Message::Request { request_id, request, channel }, .. } => match request {
                Ok(request) => self.on_request(peer, request_id, channel, request),
                Err(error) => self.on_malformed(peer, error),
            },
            Event::Message { peer, message: Message::Response { request_id, response }, .. } => {
                if let Some((_, id)) = self.exchange.asking.remove(&request_id) {
                    self.answered(peer, id, response.map_err(Failure::Malformed));
                }
            }
            Event::OutboundFailure { peer, request_id, error, .. } => {
                if let Some((_, id)) = self.exchange.asking.remove(&request_id) {
                    let failure = match error {
                        OutboundFailure::Timeout => Failure::Timeout,
                        _ => Failure::Refused,
                    };
                    self.answered(peer, id, Err(failure));
                }
            }
            Event::InboundFailure { peer, request_id, error, .. } => {
                let id = self.exchange.inbound.get(&request_id).copied();
                let ready = id.and_then(|id| self.exchange.asked.get(&id)).is_some_and(|asked| asked.channel.is_none());
                id.inspect(|id| self.finish(*id));
                // An answer lay ready, and the peer did not read it.
                if ready && matches!(error, InboundFailure::Timeout) {
                    self.blame(peer, TOO_SLOW, "does not read what it asked for");
                    self.disconnect(peer, "does not read what it asked for");
                }
                self.pass_on_held(peer);
            }
            Event::ResponseSent { peer, request_id, .. } => {
                self.exchange.inbound.get(&request_id).copied().inspect(|id| self.finish(*id));
                self.pass_on_held(peer);
            }
        }
    }

    fn on_request(&mut self, id: PeerId, theirs: InboundRequestId, channel: Channel, request: Request) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        if peer.held.len() >= HELD {
            // Dropping the channel refuses the question.
            return self.offend(id, &Offence::TooMany("questions at a time"));
        }
        if let Request::Status(status) = &request {
            peer.says(status);
        }
        self.exchange.last += 1;
        let ours = InboundId(self.exchange.last);
        peer.held.push_back((ours, request));
        self.exchange.inbound.insert(theirs, ours);
        let asked = Asked { peer: id, theirs, channel: Some(channel), heavy: false, bytes: 0 };
        self.exchange.asked.insert(ours, asked);
        self.pass_on_held(id);
    }

    /// Hands the engine as many of a peer's questions as it takes now, in their order.
    pub(super) fn pass_on_held(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        while let Some((ours, request)) = peer.held.pop_front() {
            let heavy = is_heavy(&request);
            let Some(asked) = self.exchange.asked.get_mut(&ours) else {
                continue;
            };
            let reserved = if heavy { most(&request) } else { 0 };
            if heavy && (peer.heavy >= HEAVY || !self.exchange.unsent.reserve(reserved)) {
                return peer.held.push_front((ours, request));
            }
            match peer.link.try_send(PeerEvent::Request(ours, request)) {
                Ok(()) => {
                    (asked.heavy, asked.bytes) = (heavy, reserved);
                    peer.heavy += usize::from(heavy);
                }
                Err(Refused::Full(PeerEvent::Request(ours, request))) => {
                    self.exchange.unsent.settle(reserved, 0);
                    return peer.held.push_front((ours, request));
                }
                Err(_) => return,
            }
        }
    }

    /// Whether questions wait that the engine may have room for by now.
    pub(super) fn pass_on_all(&mut self) {
        let waiting: Vec<PeerId> =
            self.peers.iter().filter(|(_, peer)| !peer.held.is_empty()).map(|(id, _)| *id).collect();
        waiting.into_iter().for_each(|id| self.pass_on_held(id));
    }

    /// A question of a peer is over, one way or the other.
    fn finish(&mut self, id: InboundId) {
        let Some(asked) = self.exchange.asked.remove(&id) else {
            return;
        };
        self.exchange.inbound.remove(&asked.theirs);
        self.exchange.unsent.settle(asked.bytes, 0);
        if let Some(peer) = self.peers.get(&asked.peer).filter(|_| asked.heavy) {
            peer.heavy = peer.heavy.saturating_sub(1);
        }
    }

    /// A peer is gone, and all that was open with it.
    pub(super) fn forget_questions(&mut self, peer: &PeerId) {
        self.exchange.asking.retain(|_, (asked, _)| asked != peer);
        let open: Vec<InboundId> =
            self.exchange.asked.iter().filter(|(_, asked)| asked.peer == *peer).map(|(id, _)| *id).collect();
        open.into_iter().for_each(|id| self.finish(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_that_ask_for_much_at_once_wait_for_memory() {
        let mut unsent = Unsent::default();
        let request = Request::Blocks(Vec::new());
        let passed = (0..50 * HEAVY).filter(|_| unsent.reserve(most(&request))).count();
        assert_eq!(passed, UNSENT / Response::MOST_BYTES, "of 100 questions, those whose longest answers fit");
        unsent.settle(most(&request), 100);
        assert!(!unsent.reserve(most(&request)), "a short answer holds its own bytes until it is read");
        unsent.settle(100, 0);
        assert!(unsent.reserve(most(&request)));
    }
}
