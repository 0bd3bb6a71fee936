//! The state that a call is about: that of the tip or of an older block.

use chain_core::{
    Address,
    state::{Account, StateView},
    units::Height,
};

use super::{
    block_name::BlockTag,
    context::Context,
    error::{RpcError, RpcResult, cannot},
    read::resolve,
};
use crate::store::{HistoricalState, Snapshot};

/// The state after the block that a tag names.
pub fn state_at(context: &Context, tag: Option<BlockTag>) -> RpcResult<HistoricalState> {
    let snapshot = context.snapshot()?;
    let tag = tag.unwrap_or(BlockTag::Latest);
    match resolve(context, &snapshot, tag)? {
        Some(at) => state_after(snapshot, at.height),
        None => Err(no_header(&snapshot, tag)),
    }
}

/// The error for a block that is not on the active chain, in geth's words.
pub fn no_header(snapshot: &Snapshot, tag: BlockTag) -> RpcError {
    let tip = snapshot.tip().height;
    match tag {
        BlockTag::Hash(hash) | BlockTag::ActiveHash(hash) => cannot(format!(
            "header for hash not found: block {hash} is not on the active chain, whose tip is block {tip}"
        )),
        BlockTag::Number(number) => {
            cannot(format!("header not found: there is no block {number}, the tip is block {tip}"))
        }
        _ => cannot(format!("header not found: the tip is block {tip}")),
    }
}

/// The state after a block of the active chain.
///
/// # Errors
/// -32000 if it is not kept, in geth's words.
pub fn state_after(snapshot: Snapshot, height: Height) -> RpcResult<HistoricalState> {
    match snapshot.clone().after(height)? {
        Some(state) => Ok(state),
        None => Err(no_state(&snapshot, height)?),
    }
}

fn no_state(snapshot: &Snapshot, height: Height) -> RpcResult<RpcError> {
    let oldest = snapshot.oldest_state()?;
    let why = match snapshot.history() {
        Some(most) => format!(
            "this node keeps those of the last {most} blocks, from block {oldest} on; start it with --history BLOCKS to \
             keep more, or with --archive to keep all"
        ),
        None => format!(
            "this node has those from block {oldest} on, since older blocks were pruned; `cairn-node reindex --force` \
             makes all of them"
        ),
    };
    Ok(cannot(format!("missing trie node: historical state of block {height} is not available: {why}")))
}

/// An account; an empty one if it does not exist.
pub fn account(view: &dyn StateView, address: &Address) -> RpcResult<Account> {
    Ok(view.account(address)?.unwrap_or_default())
}
