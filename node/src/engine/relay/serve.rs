//! Answers to what peers ask.

use chain_core::{
    Bytes, codec,
    hash::{BlockHash, TxId},
    header::Header,
    headers::Status,
};

use super::work::PeerWork;
use crate::{
    engine::{Engine, InboundId, PeerAction, PeerId, error::Fatal},
    store::BlockRef,
    wire::{BLOCKS, BLOCKS_TRANSACTIONS, Body, HEADERS, Request, Response},
};

/// Bytes from which on an answer is long enough. One item is always in it.
pub(super) const LONG: usize = 2 << 20;

/// Most bytes of the items of an answer.
pub(super) const MOST: usize = codec::MAX_ENCODED - (32 << 10);

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
    /// A peer asks. What it costs is charged afterwards; a peer that owes too much is answered [`Response::Unknown`].
    pub(super) fn on_request(&mut self, peer: PeerId, id: InboundId, request: Request) -> Result<(), Fatal> {
        if !self.is_introduced(peer, &request) {
            self.tell_peer(PeerAction::Respond(peer, id, Response::Unknown));
            return Ok(());
        }
        if !self.may_ask(peer) {
            // Names that are not read are lost to us alone.
            let announces = matches!(request, Request::Announce(_));
            let response = if announces { Response::Ack } else { Response::Unknown };
            self.tell_peer(PeerAction::Respond(peer, id, response));
            return Ok(());
        }
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
            Request::Blocks(hashes) => self.serve_blocks(&hashes, &mut work)?,
            Request::BlockTransactions { block, positions } => {
                self.serve_block_transactions(block, &positions, &mut work)?
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

    /// Headers of the active chain: all of them were executed.
    fn serve_headers(&self, locator: &[BlockHash], most: u16) -> Response {
        let tip = self.store.tip().hash;
        let fork = self.tree.find_fork(locator, &tip);
        Response::Headers(self.tree.headers_after(&fork, &tip, usize::from(most).min(HEADERS)))
    }

    /// Bodies as they are stored, of blocks that were executed.
    fn serve_blocks(&self, hashes: &[BlockHash], work: &mut PeerWork) -> Result<Response, Fatal> {
        let (mut bodies, mut bytes, mut transactions) = (Vec::new(), 0, 0);
        for hash in hashes.iter().take(BLOCKS) {
            let Some(info) = self.tree.get(hash).filter(|info| info.status == Status::Valid) else { break };
            work.rows += 1;
            let Some(body) = self.store.body_bytes(BlockRef { height: info.height, hash: *hash })? else { break };
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
        Ok(if bodies.is_empty() { Response::Unknown } else { Response::Blocks(bodies) })
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
