//! What a transaction called, moved and failed with.

use alloy_primitives::{Address, Bytes, U256};
use chain_core::{
    execute::{Outcome, Status},
    hash::TxId,
    vm::FrameKind,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::rpc::{
    base::{Args, Context, Method, RpcResult, internal},
    tracer::{CallConfig, Calls, Frame, MOST_BYTES, Recorder, TraceBlock, Tracing, Watch},
};

pub const METHODS: &[Method] = &[
    Method::raw("ots_traceTransaction", &["hash"], trace_transaction).code(),
    Method::raw("ots_getInternalOperations", &["hash"], internal_operations).code(),
    Method::raw("ots_getTransactionError", &["hash"], transaction_error).code(),
];

/// One call of a list.
#[derive(Serialize)]
struct Entry<'a> {
    r#type: &'static str,
    depth: usize,
    from: Address,
    to: Address,
    value: Option<U256>,
    input: &'a Bytes,
    output: &'a Bytes,
}

/// Wei that code moved: 0 by a call, 1 by SELFDESTRUCT, 2 by CREATE, 3 by CREATE2.
#[derive(Serialize)]
struct Operation {
    r#type: u8,
    from: Address,
    to: Address,
    value: U256,
}

/// The calls and the outcome of an account transaction; `None` if the chain has none of this hash.
fn run(context: &Context, mut args: Args) -> RpcResult<Option<(Frame, Outcome)>> {
    let txid: TxId = args.required()?;
    let call = args.call();
    let snapshot = context.snapshot()?;
    let Some(place) = snapshot.transaction(&txid)? else { return Ok(None) };
    let block = TraceBlock::load(context, snapshot, place.block)?;
    let ran = block.each(context, &call, Some(place.position), |tx: &mut Tracing<'_, '_>| {
        let recorders = vec![Recorder::Calls(Calls::new(CallConfig::default(), 0))];
        let mut watch = Watch::new(&call, MOST_BYTES, recorders);
        let outcome = tx.run(&mut watch)?;
        let top = watch.take_calls().and_then(Calls::top).ok_or_else(|| internal("a transaction has a call"))?;
        Ok((top, outcome))
    })?;
    Ok(ran.into_iter().next())
}

fn trace_transaction(context: &Context, args: Args) -> RpcResult<Box<RawValue>> {
    let ran = run(context, args)?;
    let entries = ran.as_ref().map(|(top, _)| {
        let mut entries = Vec::new();
        list(top, 0, &mut entries);
        entries
    });
    to_raw_value(&entries).map_err(internal)
}

fn list<'a>(frame: &'a Frame, depth: usize, entries: &mut Vec<Entry<'a>>) {
    // These move nothing themselves.
    let has_value = !matches!(frame.kind, FrameKind::DelegateCall | FrameKind::StaticCall);
    entries.push(Entry {
        r#type: frame.name(),
        depth,
        from: frame.from,
        to: frame.to,
        value: has_value.then_some(frame.value),
        input: &frame.input,
        output: &frame.output,
    });
    frame.calls.iter().filter(|call| !call.is_precompile()).for_each(|call| list(call, depth + 1, entries));
}

fn internal_operations(context: &Context, args: Args) -> RpcResult<Box<RawValue>> {
    let mut operations = Vec::new();
    if let Some((top, _)) = run(context, args)? {
        operate(&top, &mut operations);
    }
    to_raw_value(&operations).map_err(internal)
}

/// What the calls of a call moved. What failed has moved nothing in the end.
fn operate(frame: &Frame, operations: &mut Vec<Operation>) {
    if frame.status != Status::Success {
        return;
    }
    for call in frame.calls.iter().filter(|call| call.status == Status::Success) {
        let kind = match call.kind {
            FrameKind::Call if !call.value.is_zero() => Some(0),
            FrameKind::SelfDestruct => Some(1),
            FrameKind::Create => Some(2),
            FrameKind::Create2 => Some(3),
            _ => None,
        };
        operations.extend(kind.map(|r#type| Operation { r#type, from: call.from, to: call.to, value: call.value }));
        operate(call, operations);
    }
}

fn transaction_error(context: &Context, args: Args) -> RpcResult<Box<RawValue>> {
    let error = run(context, args)?.map(|(_, outcome)| match outcome.status {
        Status::Revert => outcome.output,
        _ => Bytes::new(),
    });
    to_raw_value(&error).map_err(internal)
}
