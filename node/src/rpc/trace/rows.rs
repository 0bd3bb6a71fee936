//! The calls of a block as rows.

use alloy_primitives::U256;

use crate::{
    rpc::{
        base::{Call, Context, RpcResult, coinbase, header, internal},
        tracer::{
            CallConfig, Calls, FlatConfig, Flattener, MOST_BYTES, Place, Recorder, Row, TraceBlock, Tracing, Watch,
            reward,
        },
    },
    store::{BlockRef, Snapshot},
};

/// How rows look here.
const SHOWN: FlatConfig = FlatConfig { parity_errors: true, precompiles: false, null_results: true };

/// What records a transaction's calls.
pub fn recorder() -> Recorder {
    Recorder::Calls(Calls::new(CallConfig::default(), 0))
}

/// The rows of a transaction that has run, within what the watch may still hold.
///
/// # Errors
/// -32005 beyond the limit.
pub fn rows(calls: Calls, place: Option<Place>, watch: &mut Watch<'_>) -> RpcResult<Vec<Row>> {
    let top = calls.top().ok_or_else(|| internal("a transaction has a call"))?;
    let rows = Flattener { config: SHOWN, place, limit: &mut watch.limit }.rows(&top);
    watch.limit.check()?;
    Ok(rows)
}

/// The rows of the next transaction of a block; `left` is what they may hold.
fn next(tracing: &mut Tracing<'_, '_>, call: &Call, left: &mut usize) -> RpcResult<Vec<Row>> {
    let mut watch = Watch::new(call, *left, vec![recorder()]);
    tracing.run(&mut watch)?;
    let calls = watch.take_calls().ok_or_else(|| internal("calls were recorded"))?;
    let rows = rows(calls, Some(tracing.place), &mut watch)?;
    *left = watch.limit.left();
    Ok(rows)
}

/// The rows of a block's transactions, or of the one at a position.
fn traced(block: &TraceBlock, context: &Context, call: &Call, only: Option<u32>) -> RpcResult<Vec<Row>> {
    let mut left = MOST_BYTES;
    let traced = block.each(context, call, only, |tx| next(tx, call, &mut left))?;
    Ok(traced.into_iter().flatten().collect())
}

/// The rows of a block's transaction at a position.
///
/// # Errors
/// -32005 beyond [`MOST_BYTES`] or the time of the call; -32002 where the state is not kept.
pub fn of_transaction(
    context: &Context,
    snapshot: Snapshot,
    at: BlockRef,
    call: &Call,
    position: u32,
) -> RpcResult<Vec<Row>> {
    traced(&TraceBlock::load(context, snapshot, at)?, context, call, Some(position))
}

/// The rows of a block: of its transactions, and what it mints. The genesis block has none.
///
/// # Errors
/// As [`of_transaction`].
pub fn of_block(context: &Context, snapshot: Snapshot, at: BlockRef, call: &Call) -> RpcResult<Vec<Row>> {
    if at.height == 0 {
        return Ok(Vec::new());
    }
    let minted = header(&snapshot, at)?.executed.map_or(U256::ZERO, |executed| executed.minted);
    let block = TraceBlock::load(context, snapshot, at)?;
    let mut rows = traced(&block, context, call, None)?;
    rows.push(reward(coinbase(&block.block, block.at)?.beneficiary, minted, block.place()));
    Ok(rows)
}
