//! Responses to what peers ask of the chain and the pool, and what they cost.

use chain_core::{
    Bytes,
    block::{Block, check::decode_block, header::Header},
    codec,
    hash::{BlockHash, TxId},
    headers::{HeaderInfo, Status},
};
use std::borrow::Cow;

use super::peers::PeerWork;
use crate::{
    engine::Chain,
    mempool::Mempool,
    store::BlockRef,
    wire::{BLOCKS, BLOCKS_TRANSACTIONS, Body, HEADERS, Request, Response},
};

/// Bytes from which on a response is long enough. One item is always in it.
pub(super) const LONG: usize = 2 << 20;

/// Most bytes of the items of a response.
const MOST: usize = codec::MAX_ENCODED - (32 << 10);

/// What receiving a request costs, in units; the rest depends on what the response touches.
pub(super) fn base(request: &Request) -> u64 {
    match request {
        Request::Blocks(_) | Request::Transactions(_) => 2,
        // Four lookups for each name, and what is remembered of it.
        Request::Announce(names) => 2 + names.len() as u64 / 10,
        Request::ShortTransactions { ids, .. } => 10 + ids.len() as u64 / 20,
        Request::Headers { .. } | Request::BlockTransactions { .. } => 20,
        Request::Status(_) => 50,
        Request::Pool { .. } => 100,
        // Comparing them with what is known. Verified signatures are charged apart.
        Request::Finality { votes, evidence, .. } => 4 + votes.len() as u64 + evidence.len() as u64,
    }
}

/// Bytes of a response's items.
pub(super) fn copied(response: &Response) -> u64 {
    let bytes: usize = match response {
        Response::Headers(headers) => headers.len() * Header::SIZE,
        Response::Blocks(bodies) => bodies.iter().map(|body| body.bytes().len()).sum(),
        Response::Transactions(encoded) => encoded.iter().map(|bytes| bytes.len()).sum(),
        Response::Status(_) | Response::ShortIds(_) | Response::Ack | Response::Unknown | Response::Certificate(_) => 0,
    };
    bytes as u64
}

/// Headers of the active chain that peers were told: all of them were executed.
pub(super) fn headers(locator: &[BlockHash], most: u16, chain: &Chain) -> Response {
    let tip = chain.told_tip();
    let fork = chain.tree().find_fork(locator, &tip);
    Response::Headers(chain.tree().headers_after(&fork, &tip, usize::from(most).min(HEADERS)))
}

/// Bodies as they are stored, of blocks that were executed. One that the disk does not give back is not known: a peer that
/// asks for it must not stop the node.
pub(super) fn blocks(hashes: &[BlockHash], chain: &Chain, work: &mut PeerWork) -> Response {
    let (mut bodies, mut bytes, mut transactions) = (Vec::new(), 0, 0);
    for hash in hashes.iter().take(BLOCKS) {
        let Some(info) = chain.tree().get(hash).filter(|info| info.status == Status::Valid) else { break };
        work.rows += 1;
        let at = BlockRef { height: info.height, hash: *hash };
        let Some(body) = chain.store().body_for_others(at) else { break };
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

/// Transactions of the pool, as far as they fit into a response.
pub(super) fn encoded<'a>(txids: impl Iterator<Item = &'a TxId>, pool: &Mempool) -> Response {
    let (mut encoded, mut bytes) = (Vec::new(), 0);
    for txid in txids {
        let Some(transaction) = pool.transaction(txid) else { continue };
        let transaction = transaction.encode();
        bytes += transaction.len();
        encoded.push(Bytes::from(transaction));
        if bytes >= LONG {
            break;
        }
    }
    Response::Transactions(encoded)
}

/// A block that is whole here; `None` also if the disk does not give it back.
pub(super) fn whole<'a>(hash: BlockHash, chain: &'a Chain, work: &mut PeerWork) -> Option<Cow<'a, Block>> {
    let stored = |info: &HeaderInfo| matches!(info.status, Status::Valid | Status::BodyStored);
    let info = chain.tree().get(&hash).filter(stored)?;
    if let Some(checked) = chain.ready(&hash) {
        return Some(Cow::Borrowed(checked.block()));
    }
    let at = BlockRef { height: info.height, hash };
    let bytes = chain.store().body_for_others(at)?;
    work.rows += 1;
    work.decoded += bytes.len() as u64;
    match decode_block(&bytes) {
        Ok(block) => Some(Cow::Owned(block.into_block())),
        Err(error) => {
            chain.store().note_unreadable(at, &error.to_string());
            None
        }
    }
}

/// Transactions of a block that is whole here. Positions beyond it prove nothing against a peer.
pub(super) fn block_transactions(hash: BlockHash, positions: &[u32], chain: &Chain, work: &mut PeerWork) -> Response {
    let Some(block) = whole(hash, chain, work) else { return Response::Unknown };
    let (mut encoded, mut bytes, mut next) = (Vec::new(), 0, 0);
    for position in positions {
        let transaction = block.transactions.get(*position as usize).filter(|_| *position >= next);
        let Some(transaction) = transaction.map(|transaction| Bytes::from(transaction.encode())) else {
            return Response::Unknown;
        };
        next = position + 1;
        bytes += transaction.len() + 8;
        if bytes > MOST {
            return Response::Unknown;
        }
        encoded.push(transaction);
    }
    Response::Transactions(encoded)
}
