//! `eth_newFilter` and the methods around it.

use parking_lot::Mutex;
use serde_json::{Value, value::RawValue};
use std::{sync::Arc, time::Instant};

use super::{filters::Polled, id::Id, path::Path};
use crate::{
    rpc::base::{Args, Call, Context, Method, RpcResult, internal},
    store::BlockRef,
};

/// Methods of `eth`.
pub const METHODS: &[Method] = &[
    Method::new("eth_newBlockFilter", &[], new_block_filter),
    Method::new("eth_newPendingTransactionFilter", &[], new_pending_filter),
    Method::raw("eth_getFilterChanges", &["filter"], changes),
    Method::new("eth_uninstallFilter", &["filter"], uninstall),
];

fn add(context: &Context, args: &Args, content: Polled) -> RpcResult<Value> {
    context.filters.add(content, args.call().who().network, Instant::now()).map(Value::from)
}

fn new_block_filter(context: &Context, args: Args) -> RpcResult<Value> {
    add(context, &args, Polled::Blocks(context.snapshot()?.tip()))
}

fn new_pending_filter(context: &Context, args: Args) -> RpcResult<Value> {
    add(context, &args, Polled::Pending(context.filters.next_pending()))
}

fn named(context: &Context, args: &mut Args) -> RpcResult<Arc<Mutex<Polled>>> {
    let Id(id) = args.required()?;
    context.filters.get(id, Instant::now())
}

fn changes(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let filter = named(context, &mut args)?;
    let mut filter = filter.lock();
    let texts: Vec<String> = match &mut *filter {
        Polled::Pending(from) => {
            let (start, next) = (*from, context.filters.next_pending());
            // What is lost is said once; the filter goes on from here.
            *from = next;
            let txids = context.filters.pending_from(start)?;
            let count = usize::try_from(next - start).unwrap_or(usize::MAX);
            txids.iter().take(count).map(|txid| format!("\"0x{txid}\"")).collect()
        }
        Polled::Blocks(seen) => {
            let path = since(context, seen, &args.call())?;
            path.connected.iter().map(|at| format!("\"0x{}\"", at.hash)).collect()
        }
    };
    RawValue::from_string(format!("[{}]", texts.join(","))).map_err(internal)
}

/// How the chain moved since a filter saw this block, which becomes the tip.
fn since(context: &Context, seen: &mut BlockRef, call: &Call) -> RpcResult<Path> {
    let snapshot = context.snapshot()?;
    let path = Path::between(&snapshot, *seen, snapshot.tip(), || call.check())?;
    *seen = snapshot.tip();
    Ok(path)
}

fn uninstall(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Id(id) = args.required()?;
    Ok(context.filters.remove(id, Instant::now()).into())
}
