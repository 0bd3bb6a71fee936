//! A filter of logs, for logs that are still to come.

use super::topic::LogTopic;
use crate::rpc::base::{BlockTag, Context, LogBlocks, LogSearch, Options, RpcResult, invalid, read::number_of};

/// The blocks from one to another.
pub type Range = (Option<BlockTag>, Option<BlockTag>);

/// The filter of an object for blocks to come, and its range as it was given: `latest` bounds nothing, others the heights
/// that they stand for now.
///
/// # Errors
/// -32602 for a single block, or a range that ends before it begins.
pub fn log_topic(context: &Context, options: &Options) -> RpcResult<(LogTopic, Range)> {
    let search = LogSearch::parse(options)?;
    let LogBlocks::Range(from, to) = search.blocks else {
        let name = options.name_of("blockHash");
        return Err(invalid(format!("{name}: expected fromBlock and toBlock, for logs that are still to come")));
    };
    let snapshot = context.snapshot()?;
    let height = |tag: Option<BlockTag>| match tag {
        None | Some(BlockTag::Latest) => Ok(None),
        Some(tag) => number_of(context, &snapshot, tag),
    };
    let (first, last) = (height(from)?, height(to)?);
    if first.zip(last).is_some_and(|(first, last)| first > last) {
        return Err(invalid("invalid block range params"));
    }
    Ok((LogTopic { filter: search.filter, from: first, to: last }, (from, to)))
}
