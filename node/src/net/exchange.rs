//! Requests and responses between peers and the engine. What one peer may have waiting is bounded, whatever it asks and
//! however slowly it reads.

use libp2p::{
    PeerId,
    request_response::{Event, InboundFailure, InboundRequestId, Message, OutboundFailure, OutboundRequestId},
};
use std::collections::HashMap;

use super::{
    behaviour::ExchangeProtocol,
    codec::Read,
    peers::{Channel, Peers},
};
use crate::{
    engine::{Failure, InboundId, Offence, Payer, PeerEvent, RequestId},
    engine_thread::Refused,
    wire::{Message as _, POOL, Request, Response},
};

/// Requests of a peer that may wait for the engine beside those that it has. An honest node has never so many open.
const HELD: usize = 24;
/// Requests of a peer with long responses that are worked on at a time.
const HEAVY: usize = 2;
/// Bytes of responses that may be on their way at a time, to all peers together. Beyond, requests with long responses wait. Many
/// peers that ask for much at the same moment would have memory grow otherwise, so the longest response is reckoned with from
/// when the engine is asked.
const UNSENT: usize = 128 << 20;
/// Bytes of these for transactions alone, so that slow readers of blocks do not keep the missing transactions of a new block from
/// anybody.
const RESERVE: usize = UNSENT / 8;
/// Bytes on their way from which on a payer gets one response at a time. Slow readers would hold everything otherwise: as many peers as
/// a node lets in leave room when each holds 2 MiB, which is what responses have, but not when each holds two of these.
const SCARCE: usize = UNSENT / 4;
/// Bytes on their way to one payer from which on it waits: two of the longest responses, one of which it reads while the other is made.
const SHARE: usize = 2 * Response::MOST_BYTES;

/// A request of a peer whose response it has not read to the end yet.
struct InboundRequest {
    peer: PeerId,
    payer: Payer,
    theirs: InboundRequestId,
    channel: Option<Channel>,
    heavy: bool,
    /// Bytes of the response; until there is one, the most that it may have.
    bytes: usize,
}

/// What a peer did wrong.
pub enum Complaint {
    /// An offence.
    Offence(Offence),
    /// It does not read what it asked for.
    TooSlow,
}

/// What is open.
#[derive(Default)]
pub struct Exchange {
    /// Our requests.
    outbound: HashMap<OutboundRequestId, (PeerId, RequestId)>,
    /// Requests of peers.
    inbound: HashMap<InboundId, InboundRequest>,
    ids: HashMap<InboundRequestId, InboundId>,
    last: u64,
    unsent: Unsent,
}

/// Bytes of responses that are on their way, or may come to be.
#[derive(Debug, Default)]
struct Unsent {
    all: usize,
    payers: HashMap<Payer, usize>,
}

impl Unsent {
    /// Reserves memory for a response, if enough is free and the payer does not hold too much.
    fn reserve(&mut self, payer: Payer, request: &Request) -> bool {
        let most = most(request);
        let held = self.payers.get(&payer).copied().unwrap_or_default();
        let share = if self.all < SCARCE { SHARE } else { most };
        let room = if is_for_transactions(request) { UNSENT } else { UNSENT - RESERVE };
        let fits = self.all + most <= room && held + most <= share;
        if fits {
            self.settle(payer, 0, most);
        }
        fits
    }

    /// A response is ready, and has this size instead of what was reserved.
    fn settle(&mut self, payer: Payer, reserved: usize, size: usize) {
        self.all = self.all.saturating_sub(reserved) + size;
        let held = self.payers.entry(payer).or_default();
        *held = held.saturating_sub(reserved) + size;
        if *held == 0 {
            self.payers.remove(&payer);
        }
    }
}

/// Whether the response has transactions that a block or a pool lacks.
fn is_for_transactions(request: &Request) -> bool {
    matches!(request, Request::BlockTransactions { .. } | Request::Transactions(_) | Request::ShortTransactions { .. })
}

/// Whether the response may be long.
fn is_heavy(request: &Request) -> bool {
    match request {
        Request::Blocks(_)
        | Request::BlockTransactions { .. }
        | Request::Transactions(_)
        | Request::ShortTransactions { .. }
        | Request::Pool { .. } => true,
        Request::Status(_) | Request::Headers { .. } | Request::Announce(_) | Request::Finality { .. } => false,
    }
}

/// Most bytes of the response to a request with a long one.
fn most(request: &Request) -> usize {
    match request {
        Request::Pool { .. } => POOL * 6,
        _ => Response::MOST_BYTES,
    }
}

/// About how many bytes a response has.
fn size(response: &Response) -> usize {
    match response {
        Response::Blocks(bodies) => bodies.iter().map(|body| body.bytes().len()).sum(),
        Response::Transactions(transactions) => transactions.iter().map(|bytes| bytes.len()).sum(),
        Response::Headers(headers) => headers.len() * 80,
        Response::ShortIds(ids) => ids.len() * 6,
        Response::Certificate(certificate) => certificate.signatures.len() * 65,
        Response::Status(_) | Response::Ack | Response::Unknown => 0,
    }
}

impl Exchange {
    /// Sends a request of the engine to a peer.
    pub fn request(
        &mut self,
        protocol: &mut ExchangeProtocol,
        peers: &mut Peers,
        (peer, id): (PeerId, RequestId),
        request: Request,
    ) {
        // libp2p would dial a peer that is not connected.
        if !protocol.is_connected(&peer) {
            return answered(peers, peer, id, Err(Failure::Refused));
        }
        self.outbound.insert(protocol.send_request(&peer, Ok(request)), (peer, id));
    }

    /// Sends a response of the engine to a peer.
    pub fn respond(&mut self, protocol: &mut ExchangeProtocol, peers: &mut Peers, id: InboundId, response: Response) {
        let Some(inbound) = self.inbound.get_mut(&id) else {
            return;
        };
        let Some(channel) = inbound.channel.take() else {
            return;
        };
        let reserved = std::mem::replace(&mut inbound.bytes, size(&response));
        self.unsent.settle(inbound.payer, reserved, inbound.bytes);
        let peer = inbound.peer;
        if protocol.send_response(channel, Ok(response)).is_err() {
            self.finish(peers, id);
        }
        self.pass_on_held(peers, peer);
    }

    /// What libp2p reports; returns the peer that did something wrong.
    pub fn on_event(
        &mut self,
        event: Event<Read<Request>, Read<Response>>,
        peers: &mut Peers,
    ) -> Option<(PeerId, Complaint)> {
        match event {
            Event::Message { peer, message: Message::Request { request_id, request, channel }, .. } => {
                let offence = match request {
                    Ok(request) => self.on_request(peers, peer, (request_id, channel, request)),
                    Err(error) => peers.get(&peer)?.malformed(error),
                };
                offence.map(|offence| (peer, Complaint::Offence(offence)))
            }
            Event::Message { peer, message: Message::Response { request_id, response }, .. } => {
                let (_, id) = self.outbound.remove(&request_id)?;
                answered(peers, peer, id, response.map_err(Failure::Malformed));
                None
            }
            Event::OutboundFailure { peer, request_id, error, .. } => {
                let (_, id) = self.outbound.remove(&request_id)?;
                let failure = match error {
                    OutboundFailure::Timeout => Failure::Timeout,
                    _ => Failure::Refused,
                };
                answered(peers, peer, id, Err(failure));
                None
            }
            Event::InboundFailure { peer, request_id, error, .. } => {
                let id = self.ids.get(&request_id).copied();
                let ready = id.and_then(|id| self.inbound.get(&id)).is_some_and(|inbound| inbound.channel.is_none());
                id.inspect(|id| self.finish(peers, *id));
                self.pass_on_held(peers, peer);
                // A response lay ready, and the peer did not read it.
                (ready && matches!(error, InboundFailure::Timeout)).then_some((peer, Complaint::TooSlow))
            }
            Event::ResponseSent { peer, request_id, .. } => {
                self.ids.get(&request_id).copied().inspect(|id| self.finish(peers, *id));
                self.pass_on_held(peers, peer);
                None
            }
        }
    }

    fn on_request(
        &mut self,
        peers: &mut Peers,
        id: PeerId,
        (theirs, channel, request): (InboundRequestId, Channel, Request),
    ) -> Option<Offence> {
        let peer = peers.get(&id)?;
        if peer.held.len() >= HELD {
            // Dropping the channel refuses the request.
            return Some(Offence::TooMany("questions at a time"));
        }
        if let Request::Status(status) = &request {
            peer.says(status);
        }
        self.last += 1;
        let ours = InboundId(self.last);
        peer.held.push_back((ours, request));
        self.ids.insert(theirs, ours);
        let payer = peer.payer;
        let inbound = InboundRequest { peer: id, payer, theirs, channel: Some(channel), heavy: false, bytes: 0 };
        self.inbound.insert(ours, inbound);
        self.pass_on_held(peers, id);
        None
    }

    /// Hands the engine as many of a peer's requests as it takes now, in their order.
    fn pass_on_held(&mut self, peers: &mut Peers, id: PeerId) {
        let Some(peer) = peers.get(&id) else {
            return;
        };
        while let Some((ours, request)) = peer.held.pop_front() {
            let heavy = is_heavy(&request);
            let Some(inbound) = self.inbound.get_mut(&ours) else {
                continue;
            };
            let reserved = if heavy { most(&request) } else { 0 };
            if heavy && (peer.heavy >= HEAVY || !self.unsent.reserve(peer.payer, &request)) {
                return peer.held.push_front((ours, request));
            }
            match peer.link.try_send(PeerEvent::Request(ours, request)) {
                Ok(()) => {
                    (inbound.heavy, inbound.bytes) = (heavy, reserved);
                    peer.heavy += usize::from(heavy);
                }
                Err(Refused::Full(PeerEvent::Request(ours, request))) => {
                    self.unsent.settle(peer.payer, reserved, 0);
                    return peer.held.push_front((ours, request));
                }
                Err(_) => return,
            }
        }
    }

    /// Hands the engine the requests that wait, if it has room for them by now.
    pub fn pass_on_all(&mut self, peers: &mut Peers) {
        let waiting: Vec<PeerId> = peers.iter().filter(|(_, peer)| !peer.held.is_empty()).map(|(id, _)| *id).collect();
        for id in waiting {
            self.pass_on_held(peers, id);
        }
    }

    /// A request of a peer is over, one way or the other.
    fn finish(&mut self, peers: &mut Peers, id: InboundId) {
        let Some(inbound) = self.inbound.remove(&id) else {
            return;
        };
        self.ids.remove(&inbound.theirs);
        self.unsent.settle(inbound.payer, inbound.bytes, 0);
        if let Some(peer) = peers.get(&inbound.peer).filter(|_| inbound.heavy) {
            peer.heavy = peer.heavy.saturating_sub(1);
        }
    }

    /// A peer is gone, and all that was open with it.
    pub fn forget(&mut self, peers: &mut Peers, peer: &PeerId) {
        self.outbound.retain(|_, (to, _)| to != peer);
        let open: Vec<InboundId> =
            self.inbound.iter().filter(|(_, inbound)| inbound.peer == *peer).map(|(id, _)| *id).collect();
        for id in open {
            self.finish(peers, id);
        }
    }
}

/// Tells the engine how a request of it ended.
fn answered(peers: &mut Peers, peer: PeerId, id: RequestId, result: Result<Response, Failure>) {
    let Some(peer) = peers.get(&peer) else {
        return;
    };
    if let Ok(Response::Status(status)) = &result {
        peer.says(status);
    }
    // The engine has stopped, and so will the shell.
    let _ = peer.link.try_send(PeerEvent::Response(id, result));
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_core::hash::BlockHash;

    const SIZE: usize = 2 << 20;

    fn blocks() -> Request {
        Request::Blocks(Vec::new())
    }

    /// Has a payer hold as many responses of 2 MiB, of a few that it asks for, as it may.
    fn hold(unsent: &mut Unsent, payer: u64) -> usize {
        let reserve = |_: &usize| {
            let may = unsent.reserve(Payer(payer), &blocks());
            if may {
                unsent.settle(Payer(payer), most(&blocks()), SIZE);
            }
            may
        };
        (0..HEAVY).filter(reserve).count()
    }

    #[test]
    fn peers_that_ask_for_much_at_once_wait_for_memory() {
        let mut unsent = Unsent::default();
        let passed = (0..100).filter(|payer| unsent.reserve(Payer(*payer), &blocks())).count();
        assert_eq!(
            passed,
            (UNSENT - RESERVE) / Response::MOST_BYTES,
            "of 100 requests, those whose longest responses fit"
        );
        unsent.settle(Payer(0), most(&blocks()), 100);
        assert!(!unsent.reserve(Payer(100), &blocks()), "a short response holds its own bytes until it is read");
        unsent.settle(Payer(0), 100, 0);
        assert!(unsent.reserve(Payer(100), &blocks()));
    }

    #[test]
    fn a_peer_that_is_alone_has_two_responses_made_at_a_time() {
        let mut unsent = Unsent::default();
        assert!(unsent.reserve(Payer(1), &blocks()) && unsent.reserve(Payer(1), &blocks()));
        assert!(!unsent.reserve(Payer(1), &blocks()), "a third one waits, also if it is of another connection");
        assert!(unsent.reserve(Payer(2), &blocks()));
    }

    #[test]
    fn as_many_slow_readers_as_are_let_in_keep_blocks_from_nobody() {
        let mut unsent = Unsent::default();
        let held: usize = (0..42).map(|payer| hold(&mut unsent, payer)).sum();
        assert!(held > 42, "the first have two each: {held}");
        assert_eq!(hold(&mut unsent, 100), 1);
    }

    #[test]
    fn slow_readers_of_blocks_leave_room_for_missing_transactions() {
        let mut unsent = Unsent::default();
        (0..1_000).for_each(|payer| _ = hold(&mut unsent, payer));
        assert!(!unsent.reserve(Payer(1_000), &blocks()));
        let missing = Request::BlockTransactions { block: BlockHash([0; 32]), positions: vec![1] };
        assert!(unsent.reserve(Payer(1_000), &missing));
        unsent.settle(Payer(1_000), most(&missing), 0);
        assert_eq!(unsent.payers.values().sum::<usize>(), unsent.all);
    }
}
