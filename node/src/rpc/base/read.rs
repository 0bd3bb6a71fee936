//! Reading the store for methods: blocks by name, transactions, what blocks spent.

use chain_core::{
    block::Block,
    hash::{BlockHash, TxId},
    transaction::{
        coin::{CoinTransaction, OutPoint},
        coinbase::Coinbase,
    },
    units::{Amount, Height},
};
use std::collections::HashMap;

use super::{
    block_name::{BlockName, BlockTag},
    call::Call,
    context::Context,
    error::{RpcResult, cannot, internal, not_found},
};
use crate::store::{BlockRef, HeaderRecord, Snapshot, StoredReceipt, TxPlace};

/// A block with what is known of it.
pub struct Found {
    /// Its header and verdict.
    pub record: HeaderRecord,
    /// Whether it is on the active chain.
    pub active: bool,
}

/// The block that a height or hash names.
pub fn find(snapshot: &Snapshot, name: BlockName) -> RpcResult<Found> {
    let tip = snapshot.tip().height;
    let hash = match name {
        BlockName::Hash(hash) => hash,
        BlockName::Height(height) => match snapshot.at_height(height)? {
            Some(at) => at.hash,
            None => return Err(not_found(format!("no block at height {height}: the tip is at {tip}"))),
        },
    };
    let record = snapshot.header(&hash)?.ok_or_else(|| not_found(format!("block {hash} is unknown")))?;
    let active = is_active(snapshot, record.at())?;
    Ok(Found { record, active })
}

/// Whether a block is on the active chain.
pub fn is_active(snapshot: &Snapshot, at: BlockRef) -> RpcResult<bool> {
    Ok(snapshot.at_height(at.height)?.is_some_and(|active| active.hash == at.hash))
}

/// The block that one of Ethereum's names stands for, on the active chain; `None` if there is none.
pub fn resolve(context: &Context, snapshot: &Snapshot, tag: BlockTag) -> RpcResult<Option<BlockRef>> {
    match tag {
        BlockTag::Hash(hash) => return active_by_hash(snapshot, &hash),
        BlockTag::ActiveHash(hash) => return canonical_by_hash(snapshot, &hash),
        _ => {}
    }
    match number_of(context, snapshot, tag)?.and_then(|number| Height::try_from(number).ok()) {
        Some(height) => Ok(snapshot.at_height(height)?),
        None => Ok(None),
    }
}

/// The number that one of Ethereum's names of a block stands for, which may be above the tip; `None` for a hash.
///
/// # Errors
/// If the store cannot be read.
pub fn number_of(context: &Context, snapshot: &Snapshot, tag: BlockTag) -> RpcResult<Option<u64>> {
    let tip = snapshot.tip().height;
    let height = match tag {
        BlockTag::Number(number) => return Ok(Some(number)),
        BlockTag::Hash(_) | BlockTag::ActiveHash(_) => return Ok(None),
        BlockTag::Latest | BlockTag::Pending => tip,
        BlockTag::Earliest => 0,
        BlockTag::Safe => safe(context, snapshot)?,
        BlockTag::Finalized => finalized(context, snapshot)?,
    };
    Ok(Some(height.into()))
}

/// Height of the newest finalized block: that of the newest certificate, or one so deep on a chain without finality.
///
/// # Errors
/// If the store cannot be read.
pub fn finalized(context: &Context, snapshot: &Snapshot) -> RpcResult<Height> {
    match context.spec.finality {
        Some(_) => Ok(snapshot.finalized()?.map_or(0, |certificate| certificate.height)),
        None => Ok(snapshot.tip().height.saturating_sub(context.spec.finalized_depth)),
    }
}

/// What is final is safe.
fn safe(context: &Context, snapshot: &Snapshot) -> RpcResult<Height> {
    let deep = snapshot.tip().height.saturating_sub(context.spec.safe_depth);
    Ok(finalized(context, snapshot)?.max(deep))
}

fn active_by_hash(snapshot: &Snapshot, hash: &BlockHash) -> RpcResult<Option<BlockRef>> {
    let Some(record) = snapshot.header(hash)? else {
        return Ok(None);
    };
    Ok(is_active(snapshot, record.at())?.then_some(record.at()))
}

fn canonical_by_hash(snapshot: &Snapshot, hash: &BlockHash) -> RpcResult<Option<BlockRef>> {
    match active_by_hash(snapshot, hash)? {
        None if snapshot.header(hash)?.is_some() => Err(cannot(format!(
            "hash is not currently canonical: block {hash} is on a branch that lost, or was not connected yet"
        ))),
        found => Ok(found),
    }
}

/// As [`resolve`], but a hash may be that of a losing branch, if it was connected once: of another block neither the receipts
/// nor the base fee are known.
pub fn executed(context: &Context, snapshot: &Snapshot, tag: BlockTag) -> RpcResult<Option<BlockRef>> {
    let BlockTag::Hash(hash) = tag else { return resolve(context, snapshot, tag) };
    let record = snapshot.header(&hash)?.filter(|record| record.executed.is_some());
    let Some(at) = record.map(|record| record.at()) else { return Ok(None) };
    // A crash may have lost the receipts of a block that is not on the active chain.
    Ok(snapshot.has_receipts(at)?.then_some(at))
}

/// The receipts of a block, in the order of its account transactions; none of a block that was never connected.
pub fn receipts(snapshot: &Snapshot, at: BlockRef) -> RpcResult<Vec<StoredReceipt>> {
    Ok(snapshot.receipts(at)?.unwrap_or_default())
}

/// The last block that a block's branch has in common with the active chain: itself if it is on that.
pub fn fork_point(snapshot: &Snapshot, block: BlockRef, call: &Call) -> RpcResult<BlockRef> {
    let mut at = block;
    while !is_active(snapshot, at)? {
        call.check()?;
        at = parent(snapshot, at)?;
    }
    Ok(at)
}

/// The block before one that is not genesis.
pub fn parent(snapshot: &Snapshot, at: BlockRef) -> RpcResult<BlockRef> {
    let height = at.height.checked_sub(1).ok_or_else(|| internal(format!("block {} has no parent", at.hash)))?;
    Ok(BlockRef { height, hash: header(snapshot, at)?.header.prev })
}

/// The header of a block that should be stored.
pub fn header(snapshot: &Snapshot, at: BlockRef) -> RpcResult<HeaderRecord> {
    snapshot.header(&at.hash)?.ok_or_else(|| not_found(format!("block {} is unknown", at.hash)))
}

/// The coinbase of a stored block.
pub fn coinbase(block: &Block, at: BlockRef) -> RpcResult<&Coinbase> {
    block.coinbase().ok_or_else(|| internal(format!("block {} has no coinbase", at.hash)))
}

/// Where a transaction stands, its block and the transaction itself.
pub fn transaction(snapshot: &Snapshot, txid: &TxId) -> RpcResult<Option<(TxPlace, Block)>> {
    let Some(place) = snapshot.transaction(txid)? else {
        return Ok(None);
    };
    let block = snapshot.body(place.block)?;
    if block.transactions.len() <= place.position as usize {
        return Err(internal(format!("the index names transaction {} of block {}", place.position, place.block.hash)));
    }
    Ok(Some((place, block)))
}

/// Amounts of all coins that the transactions of a block on the active chain may spend.
pub struct Spent(HashMap<OutPoint, Amount>);

impl Spent {
    /// Of all coins that the block spends.
    pub fn of(snapshot: &Snapshot, at: BlockRef, block: &Block) -> RpcResult<Self> {
        let spends = snapshot.spends(at, block)?.unwrap_or_default();
        Ok(Self(spends.into_iter().map(|spend| (spend.outpoint, spend.coin.output.amount)).collect()))
    }

    /// What a coin transaction pays; `None` if a coin is not known.
    pub fn fee(&self, tx: &CoinTransaction) -> Option<Amount> {
        let inputs = tx.inputs.iter().map(|input| self.0.get(input).copied()).collect::<Option<Vec<_>>>()?;
        let inputs = Amount::sum(inputs).ok()?;
        let outputs = Amount::sum(tx.outputs.iter().map(|output| output.amount)).ok()?;
        inputs.checked_sub(outputs)
    }
}
