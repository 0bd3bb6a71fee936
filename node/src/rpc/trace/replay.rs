//! `trace_call` and `trace_replay*`: a run, and what was asked for of it.

use alloy_primitives::{B256, Bytes};
use chain_core::{
    execute::Outcome,
    hash::TxId,
    state::{Overlay, StateView},
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::rows::{recorder, rows};
use crate::rpc::{
    base::{
        Any, Args, BlockTag, CallRequest, Context, Method, Overrides, RpcResult, Simulation, internal, invalid,
        not_found, resolve,
    },
    tracer::{
        MOST_BYTES, Recorder, Row, StateDiff, Touched, TouchedConfig, TraceBlock, Tracing, Watch, run_call, state_diff,
    },
};

pub const METHODS: &[Method] = &[
    Method::raw("trace_call", &["transaction", "types", "block"], trace_call).code(),
    Method::raw("trace_replayTransaction", &["hash", "types"], replay_transaction).code(),
    Method::raw("trace_replayBlockTransactions", &["block", "types"], replay_block).code(),
];

/// What is asked for of a run.
#[derive(Clone, Copy, Default)]
struct Types {
    trace: bool,
    state_diff: bool,
}

/// What a run came to.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replayed {
    output: Bytes,
    state_diff: Option<StateDiff>,
    trace: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_hash: Option<B256>,
    vm_trace: Option<()>,
}

impl Types {
    fn read(args: &mut Args) -> RpcResult<Self> {
        let wrong = || invalid("types: expected an array of \"trace\" and \"stateDiff\"");
        let Any(list) = args.required()?;
        let mut types = Self::default();
        for name in list.as_array().ok_or_else(wrong)? {
            match name.as_str() {
                Some("trace") => types.trace = true,
                Some("stateDiff") => types.state_diff = true,
                Some("vmTrace") => {
                    return Err(invalid(
                        "types: vmTrace is not supported; debug_traceTransaction without a tracer shows instructions",
                    ));
                }
                _ => return Err(wrong()),
            }
        }
        Ok(types)
    }

    fn recorders(self) -> Vec<Recorder> {
        let touched = || Recorder::Touched(Touched::new(TouchedConfig { code: true, storage: true }));
        self.trace.then(recorder).into_iter().chain(self.state_diff.then(touched)).collect()
    }
}

impl Replayed {
    fn new(mut watch: Watch<'_>, outcome: Outcome, transaction_hash: Option<B256>) -> RpcResult<(Self, usize)> {
        let mut replayed =
            Self { output: outcome.output, state_diff: None, trace: Vec::new(), transaction_hash, vm_trace: None };
        for recorder in std::mem::take(&mut watch.recorders) {
            match recorder {
                Recorder::Calls(calls) => replayed.trace = rows(calls, None, &mut watch)?,
                Recorder::Touched(touched) => replayed.state_diff = Some(state_diff(&touched)),
                Recorder::Steps(_) | Recorder::Selectors(_) => {}
            }
        }
        Ok((replayed, watch.limit.left()))
    }
}

fn trace_call(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let mut request = CallRequest::read(context, &mut args)?;
    let types = Types::read(&mut args)?;
    let (tag, call) = (args.optional()?, args.call());
    let simulation = Simulation::new(context, tag, &Overrides::default(), &mut request, call.clone())?;
    let mut watch = Watch::new(&call, MOST_BYTES, types.recorders());
    let view: &dyn StateView = &simulation.state;
    let outcome = run_call(&simulation, &mut Overlay::new(view), &request, &mut watch)?;
    to_raw_value(&Replayed::new(watch, outcome, None)?.0).map_err(internal)
}

fn replay_transaction(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let txid: TxId = args.required()?;
    let types = Types::read(&mut args)?;
    let call = args.call();
    let snapshot = context.snapshot()?;
    let place = snapshot
        .transaction(&txid)?
        .ok_or_else(|| not_found(format!("transaction not found: {txid} is not on the chain")))?;
    let block = TraceBlock::load(context, snapshot, place.block)?;
    let replay = |tx: &mut Tracing<'_, '_>| {
        let mut watch = Watch::new(&call, MOST_BYTES, types.recorders());
        let outcome = tx.run(&mut watch)?;
        Replayed::new(watch, outcome, None)
    };
    let replayed = block.each(context, &call, Some(place.position), replay)?.pop();
    let (replayed, _) =
        replayed.ok_or_else(|| invalid("hash: a coin transaction runs no code; there is nothing to trace"))?;
    to_raw_value(&replayed).map_err(internal)
}

fn replay_block(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let tag: BlockTag = args.required()?;
    let types = Types::read(&mut args)?;
    let call = args.call();
    let snapshot = context.snapshot()?;
    let Some(at) = resolve(context, &snapshot, tag)? else { return Ok(RawValue::NULL.to_owned()) };
    if at.height == 0 {
        return to_raw_value(&[(); 0]).map_err(internal);
    }
    let mut left = MOST_BYTES;
    let replayed = TraceBlock::load(context, snapshot, at)?.each(context, &call, None, |tx| {
        let mut watch = Watch::new(&call, left, types.recorders());
        let outcome = tx.run(&mut watch)?;
        let (replayed, rest) = Replayed::new(watch, outcome, Some(tx.account.hash()))?;
        left = rest;
        Ok(replayed)
    })?;
    to_raw_value(&replayed).map_err(internal)
}
