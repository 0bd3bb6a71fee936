//! `debug_trace*`: what transactions did, instruction by instruction or call by call, as geth tells it.

mod calls;
mod limit;
mod raw;
mod steps;

use alloy_primitives::B256;
use chain_core::{
    Address,
    block::Block,
    execute::{BlockContext, Outcome, Replay},
    hash::{BlockHash, TxId},
    transaction::{Transaction, account::AccountTransaction},
    units::{Gas, Height},
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::time::Duration;

use super::base::{
    Args, BlockTag, Call, CallRequest, Context, Guard, Method, Object, Options, Overrides, Param, RpcError, RpcResult,
    Simulation, base_fee, failed, header, internal, invalid, no_header, not_found, over_limit, param, receipts,
    resolve, state_after, unavailable,
};
use crate::store::{BlockRef, HistoricalState, Snapshot};
use calls::Calls;
use limit::Limit;
use steps::{Steps, StepsConfig};

pub const TABLES: &[&[Method]] = &[METHODS, raw::METHODS];

const METHODS: &[Method] = &[
    Method::raw("debug_traceTransaction", &["hash", "options"], trace_transaction).code(),
    Method::raw("debug_traceCall", &["transaction", "block", "options"], trace_call).code(),
    Method::raw("debug_traceBlockByNumber", &["block", "options"], trace_block::<BlockTag>).code(),
    Method::raw("debug_traceBlockByHash", &["hash", "options"], trace_block::<BlockHash>).code(),
];

/// How far below the tip transactions are traced.
const MOST_BELOW: Height = 1_024;
/// Most bytes of one answer. Some copies are made of it, so a trace holds some 100 MB at most.
const MOST_BYTES: usize = 24 << 20;
/// How long a trace takes if `timeout` says nothing else, as in geth; and at most.
const TIMEOUT: Duration = Duration::from_secs(5);
const MOST_TIMEOUT: Duration = Duration::from_secs(30);

/// Which tracer, how it is set, and when it ends.
struct Tracer {
    kind: Kind,
    call: Call,
}

#[derive(Clone, Copy)]
enum Kind {
    Steps(StepsConfig),
    Calls { only_top: bool, logs: bool },
}

/// A duration as Go writes it: `5s`, `300ms`, `1m`.
struct Timeout(Duration);

param!(Timeout, "a duration such as \"5s\" or \"300ms\"", |value| {
    let text = value.as_str()?;
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let number = number.parse::<u32>().ok()?;
    Some(Self(match unit {
        "ms" => Duration::from_millis(number.into()),
        "s" => Duration::from_secs(number.into()),
        "m" => Duration::from_secs(60 * u64::from(number)),
        _ => return None,
    }))
});

const OPTIONS: &[&str] = &[
    "tracer",
    "tracerConfig",
    "timeout",
    "reexec",
    "limit",
    "enableMemory",
    "disableStack",
    "disableStorage",
    "enableReturnData",
    "disableMemory",
    "disableReturnData",
];

impl Tracer {
    fn read(args: &mut Args) -> RpcResult<Self> {
        let options = Options::new("options", args.optional()?, OPTIONS)?;
        let flag = |name: &str| Ok::<_, RpcError>(options.get::<bool>(name)?.unwrap_or(false));
        let timeout = options.get::<Timeout>("timeout")?.map_or(TIMEOUT, |timeout| timeout.0);
        let call = args.call().within(timeout.min(MOST_TIMEOUT));
        let kind = match options.get::<String>("tracer")?.as_deref() {
            None | Some("") => Kind::Steps(StepsConfig {
                memory: flag("enableMemory")?,
                stack: !flag("disableStack")?,
                storage: !flag("disableStorage")?,
                return_data: flag("enableReturnData")?,
                limit: options.get::<u64>("limit")?.filter(|limit| *limit > 0),
            }),
            Some("callTracer") => {
                let config = Options::new(
                    "options.tracerConfig",
                    options.get::<Object>("tracerConfig")?,
                    &["onlyTopCall", "withLog"],
                )?;
                Kind::Calls {
                    only_top: config.get("onlyTopCall")?.unwrap_or(false),
                    logs: config.get("withLog")?.unwrap_or(false),
                }
            }
            Some(other) => {
                return Err(invalid(format!(
                    "options.tracer: {:?} is not known; there is \"callTracer\", and struct logs without any",
                    other.chars().take(40).collect::<String>()
                )));
            }
        };
        Ok(Self { kind, call })
    }

    /// Has something run under a tracer of this kind that writes at most so many bytes.
    fn trace(
        &self,
        most_bytes: usize,
        gas_limit: Gas,
        run: impl FnOnce(Watch<'_, '_>) -> RpcResult<Outcome>,
    ) -> RpcResult<Box<RawValue>> {
        // A run that was ended has failed: the reason comes first.
        let fits = |limit: &Limit<'_>| match limit.is_full() {
            true => Err(too_long()),
            false => self.call.check(),
        };
        let limit = Limit::new(&self.call, most_bytes);
        match self.kind {
            Kind::Steps(config) => {
                let mut steps = Steps::new(config, limit);
                let outcome = run(Watch::Steps(&mut steps));
                fits(steps.limit())?;
                steps.finish(&outcome?).map_err(internal)
            }
            Kind::Calls { only_top, logs } => {
                let mut calls = Calls::new(only_top, logs, limit);
                let outcome = run(Watch::Calls(&mut calls));
                fits(calls.limit())?;
                let trace = calls.finish(gas_limit, &outcome?).map_err(internal)?;
                trace.ok_or_else(|| internal("a transaction has a call"))
            }
        }
    }
}

fn too_long() -> RpcError {
    over_limit(format!(
        "the trace is longer than {} MB: set `limit`, disable the stack and storage, or use the callTracer",
        MOST_BYTES >> 20
    ))
}

/// A tracer at work.
enum Watch<'a, 'c> {
    Steps(&'a mut Steps<'c>),
    Calls(&'a mut Calls<'c>),
}

/// A block of the active chain with the accounts before it.
struct TraceBlock {
    at: BlockRef,
    block: Block,
    context: BlockContext,
    before: HistoricalState,
    senders: Vec<(u32, Address)>,
}

impl TraceBlock {
    fn load(context: &Context, snapshot: Snapshot, at: BlockRef) -> RpcResult<Self> {
        let Some(below) = at.height.checked_sub(1) else {
            return Err(unavailable("the genesis block has no transactions to trace"));
        };
        let record = header(&snapshot, at)?;
        let block = snapshot.body(at)?;
        let senders = receipts(&snapshot, at)?.iter().map(|receipt| (receipt.position, receipt.sender)).collect();
        Ok(Self {
            at,
            block,
            context: BlockContext::new(context.genesis, at.height, base_fee(context, &record), &record.header)
                .map_err(internal)?,
            before: state_after(snapshot, below, MOST_BELOW)?,
            senders,
        })
    }

    fn sender(&self, position: u32) -> Option<Address> {
        self.senders.iter().find(|(at, _)| *at == position).map(|(_, sender)| *sender)
    }

    /// Traces the account transactions that are wanted; stops behind the last of them.
    fn trace(&self, context: &Context, tracer: &Tracer, only: Option<u32>) -> RpcResult<Vec<Traced>> {
        let Some(Transaction::Coinbase(coinbase)) = self.block.transactions.first() else {
            return Err(internal(format!("block {} has no coinbase", self.at.hash)));
        };
        let mut replay = Replay::begin(&context.spec, &self.context, &self.before, coinbase.beneficiary)?;
        let mut traces = Vec::new();
        let mut left = MOST_BYTES;
        for (position, transaction) in (0..).zip(&self.block.transactions) {
            let sender = self.sender(position);
            match transaction {
                Transaction::Account(tx) if only.is_none_or(|only| only == position) => {
                    let result = trace_next(&mut replay, transaction, tx, sender, tracer, left)?;
                    left = left.saturating_sub(result.get().len());
                    traces.push(Traced { tx_hash: tx.hash(), result });
                }
                _ => {
                    let ran = replay.transaction(transaction, sender, &mut Guard::new(&tracer.call));
                    tracer.call.check()?;
                    ran.map_err(failed)?;
                }
            }
            if only == Some(position) {
                break;
            }
        }
        Ok(traces)
    }
}

/// A transaction of a block with its trace.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Traced {
    tx_hash: B256,
    result: Box<RawValue>,
}

fn trace_next(
    replay: &mut Replay<'_>,
    transaction: &Transaction,
    tx: &AccountTransaction,
    sender: Option<Address>,
    tracer: &Tracer,
    most_bytes: usize,
) -> RpcResult<Box<RawValue>> {
    tracer.trace(most_bytes, tx.fields().gas_limit, |watch| {
        let outcome = match watch {
            Watch::Steps(steps) => replay.transaction(transaction, sender, steps),
            Watch::Calls(calls) => replay.transaction(transaction, sender, calls),
        };
        outcome.map_err(failed)?.ok_or_else(|| internal("an account transaction has an outcome"))
    })
}

fn trace_transaction(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let txid: TxId = args.required()?;
    let tracer = Tracer::read(&mut args)?;
    let snapshot = context.snapshot()?;
    let place =
        snapshot.transaction(&txid)?.ok_or_else(|| not_found(format!("transaction {txid} is not on the chain")))?;
    let block = TraceBlock::load(context, snapshot, place.block)?;
    let traced = block.trace(context, &tracer, Some(place.position))?.pop();
    let traced = traced.ok_or_else(|| invalid("hash: a coin transaction runs no code; there is nothing to trace"))?;
    Ok(traced.result)
}

fn trace_block<T: Param + Into<BlockTag>>(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let tag = args.required::<T>()?.into();
    let tracer = Tracer::read(&mut args)?;
    let snapshot = context.snapshot()?;
    let at = resolve(context, &snapshot, tag)?.ok_or_else(|| no_header(&snapshot, tag))?;
    let traces = TraceBlock::load(context, snapshot, at)?.trace(context, &tracer, None)?;
    to_raw_value(&traces).map_err(internal)
}

fn trace_call(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let mut request = CallRequest::read(context, &mut args)?;
    let tag = args.optional()?;
    let simulation = Simulation::new(context, tag, &Overrides::default(), &mut request, args.call())?;
    let gas_limit = request.fields.gas_limit;
    let tracer = Tracer::read(&mut args)?;
    tracer.trace(MOST_BYTES, gas_limit, |watch| match watch {
        Watch::Steps(steps) => simulation.watch(&request, gas_limit, steps),
        Watch::Calls(calls) => simulation.watch(&request, gas_limit, calls),
    })
}
