//! Reading the store for methods: snapshots, blocks by name, what blocks spent.

use chain_core::{
    block::Block,
    hash::{BlockHash, TxId},
    state::ViewError,
    transaction::coin::{CoinTransaction, OutPoint},
    units::{Amount, Height},
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{
    Context,
    error::{RpcError, RpcResult, internal, not_found, unavailable},
    params::{BlockRef as BlockName, BlockTag},
};
use crate::store::{BlockRef, HeaderRecord, Snapshot, StoreError, TxPlace};

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::IndexOff { .. }
            | StoreError::IndexMissing { .. }
            | StoreError::Pruned { .. }
            | StoreError::NoBody(_)
            | StoreError::Unreadable { .. } => Self(unavailable(error.to_string())),
            other => Self(failed(&other)),
        }
    }
}

impl From<ViewError> for Failed {
    fn from(error: ViewError) -> Self {
        Self(failed(&error))
    }
}

/// Between two lines of the log on reads that failed: each call could make one.
const QUIET: Duration = Duration::from_secs(60);

/// The disk did not give back what is stored: the operator has to hear of it, not only the caller.
fn failed(error: &dyn std::error::Error) -> RpcError {
    static SAID: Mutex<Option<Instant>> = Mutex::new(None);
    let mut said = SAID.lock();
    if said.is_none_or(|at| at.elapsed() >= QUIET) {
        *said = Some(Instant::now());
        tracing::error!("a call of the RPC failed: {error}");
    }
    internal(error)
}

/// A failure to read, on its way to becoming an answer.
pub struct Failed(RpcError);

impl From<Failed> for RpcError {
    fn from(failed: Failed) -> Self {
        failed.0
    }
}

/// Turns failures to read into answers.
pub fn read<T, E: Into<Failed>>(result: Result<T, E>) -> RpcResult<T> {
    result.map_err(|error| error.into().into())
}

/// A block with what is known of it.
pub struct Found {
    /// Its header and verdict.
    pub record: HeaderRecord,
    /// Whether it is on the active chain.
    pub active: bool,
}

impl Context {
    /// The state of the last flush.
    pub fn snapshot(&self) -> RpcResult<Snapshot> {
        read(self.reader.snapshot())
    }
}

/// The block that a height or hash names.
pub fn find(snapshot: &Snapshot, name: BlockName) -> RpcResult<Found> {
    let tip = snapshot.tip().height;
    let hash = match name {
        BlockName::Hash(hash) => hash,
        BlockName::Height(height) => match read(snapshot.at_height(height))? {
            Some(at) => at.hash,
            None => return Err(not_found(format!("no block at height {height}: the tip is at {tip}"))),
        },
    };
    let record = read(snapshot.header(&hash))?.ok_or_else(|| not_found(format!("block {hash} is unknown")))?;
    let active = is_active(snapshot, record.at())?;
    Ok(Found { record, active })
}

/// Whether a block is on the active chain.
pub fn is_active(snapshot: &Snapshot, at: BlockRef) -> RpcResult<bool> {
    Ok(read(snapshot.at_height(at.height))?.is_some_and(|active| active.hash == at.hash))
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
    };
    read(snapshot.at_height(height))
}

fn active_by_hash(snapshot: &Snapshot, hash: &BlockHash) -> RpcResult<Option<BlockRef>> {
    let Some(record) = read(snapshot.header(hash))? else {
        return Ok(None);
    };
    Ok(is_active(snapshot, record.at())?.then_some(record.at()))
}

/// The body of a block that should be stored.
pub fn body(snapshot: &Snapshot, at: BlockRef) -> RpcResult<Block> {
    read(snapshot.body(at))
}

/// As [`body`], and how many bytes it has.
pub fn sized_body(snapshot: &Snapshot, at: BlockRef) -> RpcResult<(Block, usize)> {
    read(snapshot.sized_body(at))
}

/// The header of a block that should be stored.
pub fn header(snapshot: &Snapshot, at: BlockRef) -> RpcResult<HeaderRecord> {
    read(snapshot.header(&at.hash))?.ok_or_else(|| not_found(format!("block {} is unknown", at.hash)))
}

/// Where a transaction stands, its block and the transaction itself.
pub fn transaction(snapshot: &Snapshot, txid: &TxId) -> RpcResult<Option<(TxPlace, Block)>> {
    let Some(place) = read(snapshot.transaction(txid))? else {
        return Ok(None);
    };
    let block = body(snapshot, place.block)?;
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
        let spends = read(snapshot.spends(at, block))?.unwrap_or_default();
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
