//! `debug_trace*`: what transactions did, instruction by instruction or call by call, as geth shows it.

mod config;
mod raw;
mod result;

use alloy_primitives::B256;
use chain_core::{
    hash::{BlockHash, TxId},
    state::{Overlay, StateView},
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    base::{
        Args, BlockTag, CallRequest, Context, Method, Param, RpcResult, Simulation, internal, invalid, no_header,
        not_found, resolve,
    },
    tracer::{MOST_BYTES, Place, TraceBlock, Tracing, Watch, run_again, run_call},
};
use config::Tracer;
use result::{Ran, recorders, result};

pub const TABLES: &[&[Method]] = &[METHODS, raw::METHODS];

const METHODS: &[Method] = &[
    Method::raw("debug_traceTransaction", &["hash", "options"], trace_transaction).code(),
    Method::raw("debug_traceCall", &["transaction", "block", "options"], trace_call).code(),
    Method::raw("debug_traceBlockByNumber", &["block", "options"], trace_block::<BlockTag>).code(),
    Method::raw("debug_traceBlockByHash", &["hash", "options"], trace_block::<BlockHash>).code(),
];

/// A transaction of a block with its trace.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Traced {
    tx_hash: B256,
    result: Box<RawValue>,
}

/// Traces one transaction of a block into at most so many bytes.
fn trace_next(tracing: &mut Tracing<'_, '_>, tracer: &Tracer, most_bytes: usize) -> RpcResult<Box<RawValue>> {
    let mut watch = Watch::new(&tracer.call, most_bytes, recorders(&tracer.kind, tracing.logs_before));
    let outcome = tracing.run(&mut watch)?;
    let gas_limit = tracing.account.fields().gas_limit;
    result(&tracer.kind, watch, &Ran { outcome, gas_limit, place: tracing.place })
}

fn trace_transaction(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let txid: TxId = args.required()?;
    let tracer = Tracer::read(&mut args)?;
    run_again(context, &txid, &tracer.call, |tx| trace_next(tx, &tracer, MOST_BYTES))
}

fn trace_block<T: Param + Into<BlockTag>>(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let tag = args.required::<T>()?.into();
    let tracer = Tracer::read(&mut args)?;
    let snapshot = context.snapshot()?;
    let at = resolve(context, &snapshot, tag)?.ok_or_else(|| no_header(&snapshot, tag))?;
    let mut left = MOST_BYTES;
    let traces = TraceBlock::load(context, snapshot, at)?.each(context, &tracer.call, None, |tx| {
        let result = trace_next(tx, &tracer, left)?;
        left = left.saturating_sub(result.get().len());
        Ok(Traced { tx_hash: tx.account.hash(), result })
    })?;
    to_raw_value(&traces).map_err(internal)
}

fn trace_call(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let mut request = CallRequest::read(context, &mut args)?;
    let tag = args.optional()?;
    let (tracer, options) = Tracer::read_for_call(&mut args)?;
    let simulation = Simulation::new(context, tag, &options.overrides, &mut request, tracer.call.clone())?;
    let Some(index) = options.tx_index else {
        let view: &dyn StateView = &simulation.state;
        return trace_on(&mut Overlay::new(view), &simulation, &request, &tracer);
    };
    let snapshot = context.snapshot()?;
    let at = snapshot.at_height(simulation.state.height())?.ok_or_else(|| not_found("no such block"))?;
    let block = TraceBlock::load(context, snapshot, at)?;
    let position = usize::try_from(index)
        .ok()
        .and_then(|index| block.nth(index))
        .ok_or_else(|| invalid(format!("options.txIndex: {index} is out of range for block {}", at.hash)))?;
    let before = |tx: &mut Tracing<'_, '_>| trace_on(tx.state(), &simulation, &request, &tracer);
    let traced = block.each(context, &tracer.call, Some(position), before)?.pop();
    traced.ok_or_else(|| internal("the transaction is in the block"))
}

/// Traces a call on a state.
fn trace_on(
    state: &mut Overlay<'_>,
    simulation: &Simulation,
    request: &CallRequest,
    tracer: &Tracer,
) -> RpcResult<Box<RawValue>> {
    let mut watch = Watch::new(&tracer.call, MOST_BYTES, recorders(&tracer.kind, 0));
    let outcome = run_call(simulation, state, request, &mut watch)?;
    result(&tracer.kind, watch, &Ran { outcome, gas_limit: request.fields.gas_limit, place: Place::default() })
}
