//! `debug_trace*`: what transactions did, instruction by instruction or call by call, as geth tells it.

mod calls;
mod steps;

use chain_core::{
    Address,
    account::AccountTransaction,
    block::Block,
    execute::{BlockContext, Outcome, Replay},
    hash::TxId,
    transaction::Transaction,
    units::{Gas, Height},
    vm::Silent,
};
use serde_json::{Value, json};

use super::{
    Context, Method,
    error::{RpcResult, internal, invalid, not_found, over_limit, unavailable},
    eth::{data, state_after},
    eth_call::{Asked, Trial, failed},
    eth_fees::base_fee,
    params::{Args, BlockTag, Object, Options},
    read::{body, header, read, resolve},
    render,
};
use crate::store::{BlockRef, Historic, Snapshot};
use calls::Calls;
use steps::{Steps, StepsConfig};

pub(super) const METHODS: &[Method] = &[
    Method::new("debug_traceTransaction", &["hash", "options"], trace_transaction),
    Method::new("debug_traceCall", &["transaction", "block", "options"], trace_call),
    Method::new("debug_traceBlockByNumber", &["block", "options"], trace_block_by_number),
    Method::new("debug_traceBlockByHash", &["hash", "options"], trace_block_by_hash),
];

/// How far below the tip transactions are traced.
const MOST_BELOW: Height = 1_024;
/// Most bytes of one answer, counted roughly.
const MOST_BYTES: usize = 24 << 20;

/// Which tracer, and how it is set.
#[derive(Clone, Copy)]
enum Tracer {
    Steps(StepsConfig),
    Calls { only_top: bool, logs: bool },
}

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
        let flag = |name: &str| Ok::<_, super::RpcError>(options.get::<bool>(name)?.unwrap_or(false));
        match options.get::<String>("tracer")?.as_deref() {
            None | Some("") => Ok(Self::Steps(StepsConfig {
                memory: flag("enableMemory")?,
                stack: !flag("disableStack")?,
                storage: !flag("disableStorage")?,
                return_data: flag("enableReturnData")?,
                limit: options.get::<u64>("limit")?.filter(|limit| *limit > 0),
            })),
            Some("callTracer") => {
                let config = Options::new(
                    "options.tracerConfig",
                    options.get::<Object>("tracerConfig")?,
                    &["onlyTopCall", "withLog"],
                )?;
                Ok(Self::Calls {
                    only_top: config.get("onlyTopCall")?.unwrap_or(false),
                    logs: config.get("withLog")?.unwrap_or(false),
                })
            }
            Some(other) => Err(invalid(format!(
                "options.tracer: {:?} is not known; there is \"callTracer\", and struct logs without any",
                other.chars().take(40).collect::<String>()
            ))),
        }
    }

    /// Has something run under a tracer of this kind.
    fn trace(self, gas_limit: Gas, run: impl FnOnce(Watch<'_>) -> RpcResult<Outcome>) -> RpcResult<Value> {
        let too_long = || {
            over_limit(format!(
                "the trace is longer than {} MB: set `limit`, disable the stack and storage, or use the callTracer",
                MOST_BYTES >> 20
            ))
        };
        match self {
            Self::Steps(config) => {
                let mut steps = Steps::new(config, MOST_BYTES);
                let outcome = run(Watch::Steps(&mut steps))?;
                steps.finish(&outcome).ok_or_else(too_long)
            }
            Self::Calls { only_top, logs } => {
                let mut calls = Calls::new(only_top, logs, MOST_BYTES);
                let outcome = run(Watch::Calls(&mut calls))?;
                calls.finish(gas_limit, &outcome).ok_or_else(too_long)
            }
        }
    }
}

/// A tracer at work.
enum Watch<'a> {
    Steps(&'a mut Steps),
    Calls(&'a mut Calls),
}

/// A block of the active chain with the accounts before it.
struct Past {
    at: BlockRef,
    block: Block,
    context: BlockContext,
    before: Historic,
    senders: Vec<(u32, Address)>,
}

impl Past {
    fn load(context: &Context, snapshot: Snapshot, at: BlockRef) -> RpcResult<Self> {
        let Some(below) = at.height.checked_sub(1) else {
            return Err(unavailable("the genesis block has no transactions to trace"));
        };
        let record = header(&snapshot, at)?;
        let block = body(&snapshot, at)?;
        let receipts = read(snapshot.receipts(at))?.unwrap_or_default();
        Ok(Self {
            at,
            block,
            context: BlockContext {
                genesis: context.genesis,
                height: at.height,
                time: record.header.time,
                base_fee: base_fee(context, &record),
                difficulty: render::difficulty(record.header.bits),
                parent: record.header.prev,
            },
            before: state_after(snapshot, below, MOST_BELOW)?,
            senders: receipts.iter().map(|receipt| (receipt.position, receipt.sender)).collect(),
        })
    }

    fn sender(&self, position: u32) -> Option<Address> {
        self.senders.iter().find(|(at, _)| *at == position).map(|(_, sender)| *sender)
    }

    /// Traces the account transactions that are wanted; stops behind the last of them.
    fn trace(&self, context: &Context, tracer: Tracer, only: Option<u32>) -> RpcResult<Vec<Value>> {
        let Some(Transaction::Coinbase(coinbase)) = self.block.transactions.first() else {
            return Err(internal(format!("block {} has no coinbase", self.at.hash)));
        };
        let mut replay = read(Replay::begin(&context.spec, &self.context, &self.before, coinbase.beneficiary))?;
        let mut traces = Vec::new();
        let mut bytes = 0;
        for (position, transaction) in (0..).zip(&self.block.transactions) {
            let sender = self.sender(position);
            match transaction {
                Transaction::Account(tx) if only.is_none_or(|only| only == position) => {
                    let trace = trace_next(&mut replay, transaction, tx, sender, tracer)?;
                    bytes += if only.is_none() { trace.to_string().len() } else { 0 };
                    if bytes > MOST_BYTES {
                        return Err(over_limit(
                            "the traces of the block are too long: trace its transactions one by one",
                        ));
                    }
                    traces.push(json!({ "txHash": data(tx.hash().as_slice()), "result": trace }));
                }
                _ => drop(replay.transaction(transaction, sender, &mut Silent).map_err(failed)?),
            }
            if only == Some(position) {
                break;
            }
        }
        Ok(traces)
    }
}

fn trace_next(
    replay: &mut Replay<'_>,
    transaction: &Transaction,
    tx: &AccountTransaction,
    sender: Option<Address>,
    tracer: Tracer,
) -> RpcResult<Value> {
    tracer.trace(tx.fields().gas_limit, |watch| {
        let outcome = match watch {
            Watch::Steps(steps) => replay.transaction(transaction, sender, steps),
            Watch::Calls(calls) => replay.transaction(transaction, sender, calls),
        };
        outcome.map_err(failed)?.ok_or_else(|| internal("an account transaction has an outcome"))
    })
}

fn trace_transaction(context: &Context, mut args: Args) -> RpcResult<Value> {
    let txid: TxId = args.required()?;
    let tracer = Tracer::read(&mut args)?;
    let snapshot = context.snapshot()?;
    let place = read(snapshot.transaction(&txid))?
        .ok_or_else(|| not_found(format!("transaction {txid} is not on the chain")))?;
    let past = Past::load(context, snapshot, place.block)?;
    let traced = past.trace(context, tracer, Some(place.position))?.pop();
    let mut traced =
        traced.ok_or_else(|| invalid("hash: a coin transaction runs no code; there is nothing to trace"))?;
    Ok(traced["result"].take())
}

fn trace_block(context: &Context, tag: BlockTag, mut args: Args) -> RpcResult<Value> {
    let tracer = Tracer::read(&mut args)?;
    let snapshot = context.snapshot()?;
    let at = resolve(context, &snapshot, tag)?.ok_or_else(|| not_found("no such block on the active chain"))?;
    Ok(Past::load(context, snapshot, at)?.trace(context, tracer, None)?.into())
}

fn trace_block_by_number(context: &Context, mut args: Args) -> RpcResult<Value> {
    let tag = args.required()?;
    trace_block(context, tag, args)
}

fn trace_block_by_hash(context: &Context, mut args: Args) -> RpcResult<Value> {
    let hash = args.required()?;
    trace_block(context, BlockTag::Hash(hash), args)
}

fn trace_call(context: &Context, mut args: Args) -> RpcResult<Value> {
    let mut asked = Asked::read(context, &mut args)?;
    let trial = Trial::new(context, &mut args, &mut asked)?;
    let gas_limit = asked.fields.gas_limit;
    Tracer::read(&mut args)?.trace(gas_limit, |watch| match watch {
        Watch::Steps(steps) => trial.watch(&asked, gas_limit, steps),
        Watch::Calls(calls) => trial.watch(&asked, gas_limit, calls),
    })
}
