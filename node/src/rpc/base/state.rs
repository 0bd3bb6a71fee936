//! The state that a call is about: that of a block at or not far below the tip.

use chain_core::{
    Address,
    state::{Account, StateView},
    units::Height,
};

use super::{
    context::Context,
    error::{RpcResult, not_found, unavailable},
    params::BlockTag,
    read::resolve,
};
use crate::store::{HistoricalState, Snapshot};

/// How many states below the tip are served, as many as geth keeps.
const STATES: Height = 128;

/// The state after the block that a tag names.
pub fn state_at(context: &Context, tag: Option<BlockTag>) -> RpcResult<HistoricalState> {
    let snapshot = context.snapshot()?;
    match resolve(context, &snapshot, tag.unwrap_or(BlockTag::Latest))? {
        Some(at) => state_after(snapshot, at.height, STATES),
        None => Err(not_found("no such block on the active chain")),
    }
}

/// The state after a block at most so far below the tip.
pub fn state_after(snapshot: Snapshot, height: Height, most: Height) -> RpcResult<HistoricalState> {
    let tip = snapshot.tip().height;
    if tip.saturating_sub(height) > most {
        return Err(unavailable(format!(
            "the state of block {height} is too old: this node has states down to {most} blocks below the tip, block {tip}"
        )));
    }
    snapshot.after(height)?.ok_or_else(|| {
        unavailable(format!("the state of block {height} is not kept: the node stores no undo data of it"))
    })
}

/// An account; an empty one if it does not exist.
pub fn account(view: &dyn StateView, address: &Address) -> RpcResult<Account> {
    Ok(view.account(address)?.unwrap_or_default())
}
