//! Answers to what peers ask.

use chain_core::{
    Bytes,
    block::header::Header,
    codec,
    hash::{BlockHash, TxId},
    headers::Status,
};

use std::collections::VecDeque;

use super::{peers::Peer, work::PeerWork};
use crate::{
    engine::{Engine, InboundId, Offence, Payer, PeerAction, PeerId, Time, error::Fatal},
    store::BlockRef,
    wire::{BLOCKS, BLOCKS_TRANSACTIONS, Body, HEADERS, Request, Response},
};

/// Bytes from which on an answer is long enough. One item is always in it.
pub(super) const LONG: usize = 2 << 20;

/// Most bytes of the items of an answer.
pub(super) const MOST: usize = codec::MAX_ENCODED - (32 << 10);

/// Questions of a peer that wait until its budget has recovered. An honest node has never so many open, however fast it asks:
/// a flood is not kept in memory, and costs points.
pub(super) const WAITING: usize = 24;

/// Milliseconds that a question waits: the peer waits no longer for any answer.
const LONGEST_WAIT: u64 = 30_000;

/// Questions that wait, with the times at which they came.
pub(super) type Waiting = VecDeque<(Time, InboundId, Request)>;

/// What taking a question in costs, in units; the rest depends on what the answer touches.
fn base(request: &Request) -> u64 {
    match request {
        Request::Blocks(_) | Request::Transactions(_) => 2,
        // Four lookups for each name, and what is remembered of it.
        Request::Announce(names) => 2 + names.len() as u64 / 10,
        Request::ShortTransactions { ids, .. } => 10 + ids.len() as u64 / 20,
        Request::Headers { .. } | Request::BlockTransactions { .. } => 20,
        Request::Status(_) => 50,
        Request::Pool { .. } => 100,
    }
}

/// Bytes of an answer's items.
fn copied(response: &Response) -> u64 {
    let bytes: usize = match response {
        Response::Headers(headers) => headers.len() * Header::SIZE,
        Response::Blocks(bodies) => bodies.iter().map(|body| body.bytes().len()).sum(),
        Response::Transactions(encoded) => encoded.iter().map(|bytes| bytes.len()).sum(),
        Response::Status(_) | Response::ShortIds(_) | Response::Ack | Response::Unknown => 0,
    };
    bytes as u64
}

impl Engine {
    /// A peer asks. What it costs is charged afterwards. A peer that owes something waits for the answer until its budget has
    /// recovered, and so asks as fast as it is served, which is no offence.
    pub(super) fn on_request(&mut self, peer: PeerId, id: InboundId, request: Request) -> Result<(), Fatal> {
        if !self.is_introduced(peer, &request) {
            self.tell_peer(PeerAction::Respond(peer, id, Response::Unknown));
            return Ok(());
        }
        let (now, open) = (self.steady, self.may_cost(peer));
        let Some(known) = self.relay.peers.get_mut(&peer) else { return Ok(()) };
        if open && known.waiting.is_empty() {
            return self.serve(peer, id, request);
        }
        if known.waiting.len() < WAITING {
            known.waiting.push_back((now, id, request));
        } else {
            self.turn_away(peer, id, &request);
            self.penalize(peer, Offence::TooMany("questions"));
        }
        Ok(())
    }

    /// Answers a question without a look at it. Names that are not read are lost to us alone.
    fn turn_away(&mut self, peer: PeerId, id: InboundId, request: &Request) {
        let announces = matches!(request, Request::Announce(_));
        let response = if announces { Response::Ack } else { Response::Unknown };
        self.tell_peer(PeerAction::Respond(peer, id, response));
    }

    /// The next question that waits and may be answered now: the one that waited longest.
    fn next_waiting(&self) -> Option<PeerId> {
        let first = |(id, peer): (&PeerId, &Peer)| peer.waiting.front().map(|(since, ..)| (*since, *id));
        let able = self.relay.peers.iter().filter(|(id, _)| self.may_cost(**id));
        able.filter_map(first).min().map(|(_, id)| id)
    }

    /// When the next question that waits may be answered, or has waited long enough.
    pub(super) fn serves_at(&self) -> Option<Time> {
        let waiting = self.relay.peers.values().filter_map(|peer| Some((peer.payer, peer.waiting.front()?)));
        let at = |(payer, (since, ..)): (Payer, &(Time, InboundId, Request))| {
            self.relay.accounts.opens_at(payer, self.steady).min(since.after(LONGEST_WAIT))
        };
        waiting.map(at).min()
    }

    /// Time passed: answers questions whose peers' budgets have recovered.
    pub(super) fn serve_waiting(&mut self) -> Result<(), Fatal> {
        let now = self.steady;
        let mut late = Vec::new();
        for (peer, known) in &mut self.relay.peers {
            while known.waiting.front().is_some_and(|(since, ..)| now.since(*since) >= LONGEST_WAIT) {
                late.extend(known.waiting.pop_front().map(|(_, id, request)| (*peer, id, request)));
            }
        }
        late.into_iter().for_each(|(peer, id, request)| self.turn_away(peer, id, &request));
        while let Some(peer) = self.next_waiting()
            && let Some((_, id, request)) = self.relay.peers.get_mut(&peer).and_then(|peer| peer.waiting.pop_front())
        {
            self.serve(peer, id, request)?;
        }
        Ok(())
    }

    fn serve(&mut self, peer: PeerId, id: InboundId, request: Request) -> Result<(), Fatal> {
        let mut work = PeerWork { base: base(&request), ..PeerWork::default() };
        let response = match request {
            Request::Status(status) => {
                self.charge(peer, &work);
                return self.on_status_request(peer, id, &status);
            }
            Request::Announce(names) => {
                self.charge(peer, &work);
                self.on_announce(peer, id, &names);
                return Ok(());
            }
            Request::Headers { locator, most } => self.serve_headers(&locator, most),
            Request::Blocks(hashes) => self.serve_blocks(&hashes, &mut work),
            Request::BlockTransactions { block, positions } => {
                self.serve_block_transactions(block, &positions, &mut work)
            }
            Request::Transactions(txids) => self.encoded(txids.iter()),
            Request::Pool { salt } => self.serve_pool(peer, salt, &mut work),
            Request::ShortTransactions { salt, ids } => self.serve_short_transactions(peer, salt, &ids),
        };
        work.copied += copied(&response);
        self.charge(peer, &work);
        self.tell_peer(PeerAction::Respond(peer, id, response));
        Ok(())
    }

    /// Headers of the active chain that peers were told: all of them were executed.
    fn serve_headers(&self, locator: &[BlockHash], most: u16) -> Response {
        let tip = self.told_tip();
        let fork = self.tree.find_fork(locator, &tip);
        Response::Headers(self.tree.headers_after(&fork, &tip, usize::from(most).min(HEADERS)))
    }

    /// Bodies as they are stored, of blocks that were executed. One that the disk does not give back is not known: a peer that
    /// asks for it must not stop the node.
    fn serve_blocks(&self, hashes: &[BlockHash], work: &mut PeerWork) -> Response {
        let (mut bodies, mut bytes, mut transactions) = (Vec::new(), 0, 0);
        for hash in hashes.iter().take(BLOCKS) {
            let Some(info) = self.tree.get(hash).filter(|info| info.status == Status::Valid) else { break };
            work.rows += 1;
            let at = BlockRef { height: info.height, hash: *hash };
            let Some(body) = self.store.body_for_others(at) else { break };
            let body = Body::new(body);
            bytes += body.bytes().len();
            transactions += body.claimed_transactions();
            if (bytes > MOST || transactions > BLOCKS_TRANSACTIONS) && !bodies.is_empty() {
                break;
            }
            bodies.push(body);
            if bytes >= LONG {
                break;
            }
        }
        if bodies.is_empty() { Response::Unknown } else { Response::Blocks(bodies) }
    }

    pub(super) fn encoded<'a>(&self, txids: impl Iterator<Item = &'a TxId>) -> Response {
        let (mut encoded, mut bytes) = (Vec::new(), 0);
        for txid in txids {
            let Some(transaction) = self.mempool.transaction(txid) else { continue };
            let transaction = transaction.encode();
            bytes += transaction.len();
            encoded.push(Bytes::from(transaction));
            if bytes >= LONG {
                break;
            }
        }
        Response::Transactions(encoded)
    }
}
