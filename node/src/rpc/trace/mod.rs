//! `trace_*`: what transactions called, created, destroyed and changed, in the shape of Parity and OpenEthereum.

mod filter;
mod replay;
mod rows;

use chain_core::hash::TxId;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    base::{Any, Args, BlockTag, Context, Count, Method, Param, RpcResult, internal, invalid, resolve},
    tracer::Row,
};

pub const TABLES: &[&[Method]] = &[METHODS, filter::METHODS, replay::METHODS];

const METHODS: &[Method] = &[
    Method::raw("trace_block", &["block"], trace_block).code(),
    Method::raw("trace_transaction", &["hash"], trace_transaction).code(),
    Method::raw("trace_get", &["hash", "indices"], trace_get).code(),
];

/// Most numbers in the address of a call: none is deeper.
const MOST_DEPTH: usize = 1_024;

fn trace_block(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let tag: BlockTag = args.required()?;
    let snapshot = context.snapshot()?;
    let Some(at) = resolve(context, &snapshot, tag)? else { return Ok(RawValue::NULL.to_owned()) };
    let rows = rows::of_block(context, snapshot, at, &args.call())?;
    to_raw_value(&rows).map_err(internal)
}

/// The rows of a transaction; `None` if the chain has no such account transaction.
fn of_hash(context: &Context, args: &Args, txid: &TxId) -> RpcResult<Option<Vec<Row>>> {
    let snapshot = context.snapshot()?;
    let Some(place) = snapshot.transaction(txid)? else { return Ok(None) };
    let rows = rows::of_transaction(context, snapshot, place.block, &args.call(), place.position)?;
    // A coin transaction calls nothing, and is none of Ethereum's.
    Ok(Some(rows).filter(|rows| !rows.is_empty()))
}

fn trace_transaction(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let txid: TxId = args.required()?;
    to_raw_value(&of_hash(context, &args, &txid)?).map_err(internal)
}

fn trace_get(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let txid: TxId = args.required()?;
    let Any(indices) = args.required()?;
    let index = |index: &serde_json::Value| usize::try_from(Count::parse(index)?.0).ok();
    let address: Option<Vec<usize>> =
        indices.as_array().filter(|list| list.len() <= MOST_DEPTH).and_then(|list| list.iter().map(index).collect());
    let address = address.ok_or_else(|| invalid("indices: expected an array of quantities such as [\"0x0\"]"))?;
    let rows = of_hash(context, &args, &txid)?.unwrap_or_default();
    to_raw_value(&rows.iter().find(|row| row.address() == address)).map_err(internal)
}
