//! Logs of blocks that joined the active chain, and of those that left it.

use std::sync::Arc;

use super::{path::Path, subscribers::Subscribers, topic::Kind};
use crate::{
    rpc::base::{Context, LogsOfBlock, RpcResult, internal},
    store::{BlockRef, LogFilter, Snapshot},
};

/// Publishes logs: first those of disconnected blocks, as removed and newest first, then those of connected ones.
///
/// # Errors
/// If a block cannot be read.
pub fn publish(context: &Context, snapshot: &Snapshot, path: &Path) -> RpcResult<()> {
    for at in &path.disconnected {
        of_block(&context.subscribers, snapshot, *at, true)?;
    }
    for at in &path.connected {
        of_block(&context.subscribers, snapshot, *at, false)?;
    }
    Ok(())
}

fn of_block(subscribers: &Subscribers, snapshot: &Snapshot, at: BlockRef, removed: bool) -> RpcResult<()> {
    if !subscribers.has(Kind::Logs) {
        return Ok(());
    }
    let block = LogsOfBlock::read(snapshot, at, &LogFilter::default(), removed)?;
    let mut logs: Vec<_> = block.logs.iter().zip(block.views()).collect();
    if removed {
        logs.reverse();
    }
    for (placed, view) in logs {
        let render = || serde_json::to_string(&view).map(Arc::from).map_err(internal);
        subscribers.publish_log(&placed.log, at.height.into(), render)?;
    }
    Ok(())
}
