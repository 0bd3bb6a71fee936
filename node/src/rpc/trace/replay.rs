//! `trace_call` and `trace_replay*`: a run, and what was asked for of it.

use alloy_primitives::{B256, Bytes};
use chain_core::{
    execute::Outcome,
    gas::TRANSACTION,
    hash::TxId,
    state::{Overlay, StateView},
};
use serde::Serialize;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use super::rows::{recorder, rows};
use crate::rpc::{
    base::{
        Any, Args, BlockTag, CallRequest, Context, MOST_GAS, Method, Options, Overrides, RpcResult, Simulation,
        internal, invalid, over_limit, resolve,
    },
    tracer::{
        MOST_BYTES, Recorder, Row, StateDiff, Touched, TouchedConfig, TraceBlock, Watch, run_again, run_call,
        state_diff,
    },
};

pub const METHODS: &[Method] = &[
    Method::raw("trace_call", &["transaction", "types", "block"], trace_call).code(),
    Method::raw("trace_callMany", &["calls", "block"], trace_call_many).code(),
    Method::raw("trace_replayTransaction", &["hash", "types"], replay_transaction).code(),
    Method::raw("trace_replayBlockTransactions", &["block", "types"], replay_block).code(),
];

/// Calls of one `trace_callMany`.
const MOST_CALLS: usize = 1_000;

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
        let Any(list) = args.required()?;
        Self::of("types", &list)
    }

    /// Reads a value of this name.
    fn of(called: &str, list: &Value) -> RpcResult<Self> {
        let wrong = || invalid(format!("{called}: expected an array of \"trace\" and \"stateDiff\""));
        let mut types = Self::default();
        for name in list.as_array().ok_or_else(wrong)? {
            match name.as_str() {
                Some("trace") => types.trace = true,
                Some("stateDiff") => types.state_diff = true,
                Some("vmTrace") => {
                    return Err(invalid(format!(
                        "{called}: vmTrace is not supported; debug_traceTransaction without a tracer shows instructions"
                    )));
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

/// Reads pairs of a transaction object and what is asked for of it.
fn planned(context: &Context, args: &mut Args) -> RpcResult<Vec<(CallRequest, Types)>> {
    let wrong = || invalid(format!("calls: expected an array of at most {MOST_CALLS} [transaction, types]"));
    let Any(list) = args.required()?;
    let pairs = list.as_array().filter(|pairs| pairs.len() <= MOST_CALLS).ok_or_else(wrong)?;
    let one = |(index, pair): (usize, &Value)| {
        let [call, types] = pair.as_array().map(Vec::as_slice).ok_or_else(wrong)? else { return Err(wrong()) };
        let name = format!("calls[{index}]");
        let request = CallRequest::of(context, &name, &Options::nested(name.as_str(), call.clone())?)?;
        Ok((request, Types::of(&name, types)?))
    };
    pairs.iter().enumerate().map(one).collect()
}

/// Runs calls one after another, each on what those before it left.
fn trace_call_many(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let calls = planned(context, &mut args)?;
    let (tag, call) = (args.optional()?, args.call());
    let mut simulation = Simulation::at(context, tag, call.clone())?;
    let base_fee = simulation.environment.base_fee;
    let (mut left, mut gas, mut all) = (MOST_BYTES, MOST_GAS, Vec::with_capacity(calls.len()));
    let mut overlay = Overlay::new(&simulation.state);
    for (mut request, types) in calls {
        if gas < TRANSACTION {
            return Err(over_limit(format!("calls: all together may use {MOST_GAS} gas; trace fewer at a time")));
        }
        // Without a price nothing is paid, as in other clients.
        simulation.environment.base_fee = if request.priced { base_fee } else { 0 };
        request.fields.gas_limit = request.fields.gas_limit.min(context.spec.gas_limit).min(gas);
        let mut watch = Watch::new(&call, left, types.recorders());
        let outcome = run_call(&simulation, &mut overlay, &request, &mut watch)?;
        gas = gas.saturating_sub(outcome.gas_used);
        let (one, rest) = Replayed::new(watch, outcome, None)?;
        left = rest;
        all.push(one);
    }
    to_raw_value(&all).map_err(internal)
}

fn replay_transaction(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let txid: TxId = args.required()?;
    let types = Types::read(&mut args)?;
    let call = args.call();
    let (replayed, _) = run_again(context, &txid, &call, |tx| {
        let mut watch = Watch::new(&call, MOST_BYTES, types.recorders());
        let outcome = tx.run(&mut watch)?;
        Replayed::new(watch, outcome, None)
    })?;
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
