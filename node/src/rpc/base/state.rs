//! The state that a call is about: that of a block at or not far below the tip.

use chain_core::{
    Address,
    spec::ChainSpec,
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

/// How many states below the tip are served: as many as geth keeps. Of a development chain all are, since tests look back and
/// it is short.
pub fn states(spec: &ChainSpec) -> Option<Height> {
    (!spec.is_dev()).then_some(128)
}

/// The state after the block that a tag names.
pub fn state_at(context: &Context, tag: Option<BlockTag>) -> RpcResult<HistoricalState> {
    let snapshot = context.snapshot()?;
    let tag = tag.unwrap_or(BlockTag::Latest);
    match resolve(context, &snapshot, tag)? {
        Some(at) => state_after(snapshot, at.height, states(&context.spec).unwrap_or(Height::MAX)),
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

/// The state after a block at most so far below the tip.
pub fn state_after(snapshot: Snapshot, height: Height, most: Height) -> RpcResult<HistoricalState> {
    let tip = snapshot.tip().height;
    if tip.saturating_sub(height) > most {
        return Err(cannot(format!(
            "missing trie node: the state of block {height} is too old, this node has states down to {most} blocks below \
             the tip, block {tip}"
        )));
    }
    snapshot.after(height)?.ok_or_else(|| {
        cannot(format!("missing trie node: the node stores no undo data of block {height}, so it has no state of it"))
    })
}

/// An account; an empty one if it does not exist.
pub fn account(view: &dyn StateView, address: &Address) -> RpcResult<Account> {
    Ok(view.account(address)?.unwrap_or_default())
}
