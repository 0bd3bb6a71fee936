//! `eth_newFilter` and the methods around it.

use serde_json::{Value, value::RawValue};
use std::{sync::Arc, time::Instant};

use super::{
    filters::{Polled, Since},
    id::Id,
    path::Path,
    range::log_topic,
    topic::LogTopic,
};
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
    let (topic, range) = log_topic(context, &Options::lenient("filter", args.required()?))?;
    add(context, &args, Polled::Logs { topic: Arc::new(topic), range, seen: context.snapshot()?.tip() })
}

fn new_block_filter(context: &Context, args: Args) -> RpcResult<Value> {
    add(context, &args, Polled::Blocks(context.snapshot()?.tip()))
}

fn new_pending_filter(context: &Context, args: Args) -> RpcResult<Value> {
    add(context, &args, Polled::Pending(context.filters.next_pending()))
}

/// The filter moves on before the search: another poll meanwhile waits for nothing, and returns what comes after. After a
/// search that failed it moves back, so that the next poll returns what this one did not.
fn changes(context: &Context, mut args: Args) -> RpcResult<Box<RawValue>> {
    let Id(id) = args.required()?;
    let (since, snapshot, number) = context.filters.advance(id, Instant::now(), || context.snapshot())?;
    let seen = since.seen();
    let found = found(&snapshot, since, &args.call());
    if let (Err(_), Some(seen)) = (&found, seen) {
        context.filters.put_back(id, seen, number);
    }
    RawValue::from_string(format!("[{}]", found??.join(","))).map_err(internal)
}

/// What came since, as JSON. The error within is of something that is lost for good, and is said once.
fn found(snapshot: &Snapshot, since: Since, call: &Call) -> RpcResult<RpcResult<Vec<String>>> {
    match since {
        Since::Pending(txids) => Ok(txids.map(|txids| txids.iter().map(|txid| format!("\"0x{txid}\"")).collect())),
        Since::Blocks(seen) => {
            let path = path_since(snapshot, seen, call)?;
            Ok(Ok(path.connected.iter().map(|at| format!("\"0x{}\"", at.hash)).collect()))
        }
        Since::Logs { topic, seen } => {
            let path = path_since(snapshot, seen, call)?;
            Ok(logs_along(snapshot, &topic, &path, call)?.ok_or_else(|| too_many(&path)))
        }
    }
}

/// How the chain moved since a filter saw this block.
fn path_since(snapshot: &Snapshot, seen: BlockRef, call: &Call) -> RpcResult<Path> {
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
    let (Id(id), call) = (args.required()?, args.call());
    match context.filters.get(id, Instant::now())? {
        Polled::Logs { topic, range: (from, to), .. } => {
            let search = LogSearch { filter: topic.filter.clone(), blocks: LogBlocks::Range(from, to) };
            search.run(context, &call)
        }
        _ => Err(cannot("filter not found")),
    }
}

fn uninstall(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Id(id) = args.required()?;
    Ok(context.filters.remove(id, Instant::now()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::testing::TestNode;
    use serde_json::json;

    fn filter(node: &TestNode) -> (u128, Value) {
        let shown = node.call("eth_newBlockFilter", json!([]));
        (u128::from_str_radix(&shown.as_str().unwrap()[2..], 16).unwrap(), shown)
    }

    fn advance(node: &TestNode, id: u128) -> (BlockRef, u64) {
        let (since, _, number) = node.context.filters.advance(id, Instant::now(), || node.context.snapshot()).unwrap();
        (since.seen().unwrap(), number)
    }

    #[test]
    fn a_poll_waits_for_no_other_and_returns_what_comes_after_it() {
        let node = TestNode::fresh();
        let (id, shown) = filter(&node);
        node.call("dev_mine", json!([2]));
        // A poll that still searches.
        assert_eq!(advance(&node, id).0.height, 0);
        assert_eq!(node.call("eth_getFilterChanges", json!([shown])), json!([]));
        let mined = node.call("dev_mine", json!([1]));
        let hash = format!("0x{}", mined[0].as_str().unwrap());
        assert_eq!(node.call("eth_getFilterChanges", json!([shown])), json!([hash]));
    }

    #[test]
    fn what_a_failed_poll_did_not_return_comes_with_the_next_one() {
        let node = TestNode::fresh();
        let (id, shown) = filter(&node);
        node.call("dev_mine", json!([2]));
        let (seen, number) = advance(&node, id);
        node.context.filters.put_back(id, seen, number);
        assert_eq!(node.call("eth_getFilterChanges", json!([shown])).as_array().unwrap().len(), 2);
    }

    #[test]
    fn of_two_polls_that_failed_nothing_is_lost_in_either_order() {
        for first_ends_first in [true, false] {
            let node = TestNode::fresh();
            let (id, shown) = filter(&node);
            node.call("dev_mine", json!([2]));
            let first = advance(&node, id);
            node.call("dev_mine", json!([1]));
            let second = advance(&node, id);
            let ends = if first_ends_first { [first, second] } else { [second, first] };
            ends.into_iter().for_each(|(seen, number)| node.context.filters.put_back(id, seen, number));
            assert_eq!(node.call("eth_getFilterChanges", json!([shown])).as_array().unwrap().len(), 3);
        }
    }
}
