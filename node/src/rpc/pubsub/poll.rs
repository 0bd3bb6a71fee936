//! `eth_newFilter` and the methods around it.

use parking_lot::Mutex;
use serde_json::{Value, value::RawValue};
use std::{sync::Arc, time::Instant};

use super::{filters::Polled, id::Id, path::Path, range::log_topic, topic::LogTopic};
use crate::{
    rpc::base::{
        Args, Call, Context, LogBlocks, LogSearch, LogsOfBlock, Method, Options, RpcError, RpcResult, cannot, internal,
        over_limit,
    },
    store::{BlockRef, Snapshot},
};

/// Methods of `eth`.
pub const METHODS: &[Method] = &[
    Method::new("eth_newFilter", &["filter"], new_filter),
    Method::new("eth_newBlockFilter", &[], new_block_filter),
    Method::new("eth_newPendingTransactionFilter", &[], new_pending_filter),
    Method::raw("eth_getFilterChanges", &["filter"], changes),
    Method::raw("eth_getFilterLogs", &["filter"], logs),
    Method::new("eth_uninstallFilter", &["filter"], uninstall),
];

/// Logs that one poll returns, and bytes of their text.
const MOST_LOGS: usize = 20_000;
const MOST_BYTES: usize = 24_000_000;

fn add(context: &Context, args: &Args, content: Polled) -> RpcResult<Value> {
    context.filters.add(content, args.call().who().network, Instant::now()).map(Value::from)
}

fn new_filter(context: &Context, mut args: Args) -> RpcResult<Value> {
    let search = LogSearch::parse(&Options::lenient("filter", args.required()?))?;
    let (topic, range) = log_topic(context, search)?;
    add(context, &args, Polled::Logs { topic, range, seen: context.snapshot()?.tip() })
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
            let snapshot = context.snapshot()?;
            let path = since(&snapshot, *seen, &args.call())?;
            *seen = snapshot.tip();
            path.connected.iter().map(|at| format!("\"0x{}\"", at.hash)).collect()
        }
        Polled::Logs { topic, seen, .. } => {
            let snapshot = context.snapshot()?;
            let path = since(&snapshot, *seen, &args.call())?;
            let texts = logs_along(&snapshot, topic, &path, &args.call())?;
            *seen = snapshot.tip();
            texts.ok_or_else(|| too_many(&path))?
        }
    };
    RawValue::from_string(format!("[{}]", texts.join(","))).map_err(internal)
}

/// How the chain moved since a filter saw this block.
fn since(snapshot: &Snapshot, seen: BlockRef, call: &Call) -> RpcResult<Path> {
    Path::between(snapshot, seen, snapshot.tip(), || call.check())
}

/// Logs that were removed, newest first, and then the new ones; `None` if there are too many.
fn logs_along(snapshot: &Snapshot, topic: &LogTopic, path: &Path, call: &Call) -> RpcResult<Option<Vec<String>>> {
    let (mut texts, mut bytes) = (Vec::new(), 0);
    let removed = path.disconnected.iter().map(|at| (*at, true));
    for (at, removed) in removed.chain(path.connected.iter().map(|at| (*at, false))) {
        call.check()?;
        if !topic.has_height(at.height.into()) {
            continue;
        }
        let block = LogsOfBlock::read(snapshot, at, &topic.filter, removed)?;
        bytes += block.bytes();
        if bytes > MOST_BYTES || texts.len() + block.logs.len() > MOST_LOGS {
            return Ok(None);
        }
        let text = |view| serde_json::to_string(&view).map_err(internal);
        let of_block = block.views().map(text).collect::<RpcResult<Vec<_>>>()?;
        match removed {
            true => texts.extend(of_block.into_iter().rev()),
            false => texts.extend(of_block),
        }
    }
    Ok(Some(texts))
}

/// Said once; the filter goes on from the tip.
fn too_many(path: &Path) -> RpcError {
    let ends = path.connected.first().zip(path.connected.last());
    let (from, to) = ends.map_or((0, 0), |(first, last)| (first.height, last.height));
    over_limit(format!(
        "more than {MOST_LOGS} logs or {MOST_BYTES} bytes since the last poll: call eth_getLogs for blocks {from:#x} to \
         {to:#x}; the filter goes on after them"
    ))
}

fn logs(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let (filter, call) = (named(context, &mut args)?, args.call());
    match &*filter.lock() {
        Polled::Logs { topic, range: (from, to), .. } => {
            let search = LogSearch { filter: topic.filter.clone(), blocks: LogBlocks::Range(*from, *to) };
            search.run(context, &call)
        }
        _ => Err(cannot("filter not found")),
    }
}

fn uninstall(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Id(id) = args.required()?;
    Ok(context.filters.remove(id, Instant::now()).into())
}
