//! Reading the store for methods: blocks by name, transactions, what blocks spent.

use chain_core::{
    block::Block,
    hash::{BlockHash, TxId},
    transaction::coin::{CoinTransaction, OutPoint},
    units::{Amount, Height},
};
use std::collections::HashMap;

use super::{
    block_name::{BlockName, BlockTag},
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
    let tip = snapshot.tip();
    let height = match tag {
        BlockTag::Latest | BlockTag::Pending => return Ok(Some(tip)),
        BlockTag::Earliest => 0,
        BlockTag::Safe => tip.height.saturating_sub(context.spec.safe_depth),
        BlockTag::Finalized => tip.height.saturating_sub(context.spec.finalized_depth),
        BlockTag::Number(number) => match Height::try_from(number) {
            Ok(height) => height,
            Err(_) => return Ok(None),
        },
        BlockTag::Hash(hash) => return active_by_hash(snapshot, &hash),
        BlockTag::ActiveHash(hash) => {
            return match active_by_hash(snapshot, &hash)? {
                None if snapshot.header(&hash)?.is_some() => Err(cannot(format!(
                    "hash is not currently canonical: block {hash} is on a branch that lost, or was not connected yet"
                ))),
                found => Ok(found),
            };
        }
    };
    Ok(snapshot.at_height(height)?)
}

fn active_by_hash(snapshot: &Snapshot, hash: &BlockHash) -> RpcResult<Option<BlockRef>> {
    let Some(record) = snapshot.header(hash)? else {
        return Ok(None);
    };
    Ok(is_active(snapshot, record.at())?.then_some(record.at()))
}

/// The receipts of a block, in the order of its account transactions; none of a block that was never connected.
pub fn receipts(snapshot: &Snapshot, at: BlockRef) -> RpcResult<Vec<StoredReceipt>> {
    Ok(snapshot.receipts(at)?.unwrap_or_default())
}

/// The header of a block that should be stored.
pub fn header(snapshot: &Snapshot, at: BlockRef) -> RpcResult<HeaderRecord> {
    snapshot.header(&at.hash)?.ok_or_else(|| not_found(format!("block {} is unknown", at.hash)))
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
