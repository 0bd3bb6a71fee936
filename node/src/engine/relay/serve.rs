//! Answers to what peers ask.

use chain_core::{
    Bytes, codec,
    hash::{BlockHash, TxId},
    headers::Status,
};

use crate::{
    engine::{Engine, InboundId, PeerAction, PeerId, error::Fatal},
    store::BlockRef,
    wire::{BLOCKS, Body, HEADERS, Request, Response, ShortId, ShortIds},
};

/// Bytes from which on an answer is long enough. One item is always in it.
pub(super) const LONG: usize = 2 << 20;

/// Most bytes of the items of an answer.
pub(super) const MOST: usize = codec::MAX_ENCODED - (32 << 10);

impl Engine {
    /// A peer asks.
    pub(super) fn on_request(&mut self, peer: PeerId, id: InboundId, request: Request) -> Result<(), Fatal> {
        let response = if self.admit(peer, &request) {
            match request {
                Request::Status(status) => return self.on_status_request(peer, id, &status),
                Request::Headers { locator, most } => self.serve_headers(&locator, most),
                Request::Blocks(hashes) => self.serve_blocks(&hashes)?,
                Request::BlockTransactions { block, positions } => {
                    return self.on_block_transactions_request(peer, id, block, positions);
                }
                Request::Announce(names) => self.on_announce(peer, names),
                Request::Transactions(txids) => self.serve_transactions(&txids),
                Request::Pool { salt } => self.serve_pool(peer, salt),
                Request::ShortTransactions { salt, ids } => self.serve_short_transactions(salt, &ids),
            }
        } else {
            Response::Unknown
        };
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
    fn serve_blocks(&self, hashes: &[BlockHash]) -> Result<Response, Fatal> {
        let (mut bodies, mut bytes) = (Vec::new(), 0);
        for hash in hashes.iter().take(BLOCKS) {
            let Some(info) = self.tree.get(hash).filter(|info| info.status == Status::Valid) else { break };
            let Some(body) = self.store.body_bytes(BlockRef { height: info.height, hash: *hash })? else { break };
            bytes += body.len();
            if bytes > MOST && !bodies.is_empty() {
                break;
            }
            bodies.push(Body::new(body));
            if bytes >= LONG {
                break;
            }
        }
        Ok(if bodies.is_empty() { Response::Unknown } else { Response::Blocks(bodies) })
    }

    fn serve_transactions(&self, txids: &[TxId]) -> Response {
        self.encoded(txids.iter())
    }

    fn encoded<'a>(&self, txids: impl Iterator<Item = &'a TxId>) -> Response {
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

    /// Transactions of the pool whose short ids were asked for.
    fn serve_short_transactions(&self, salt: u64, ids: &[ShortId]) -> Response {
        let mut wanted = ids.to_vec();
        wanted.sort_unstable();
        let short = ShortIds::of_salt(salt);
        let found = self.mempool.leaves().filter(|(_, leaf)| wanted.binary_search(&short.id(leaf)).is_ok());
        let found: Vec<TxId> = found.map(|(txid, _)| *txid).collect();
        self.encoded(found.iter())
    }
}
