//! When something came to be, by the states after the blocks.

use chain_core::units::Height;

use crate::{
    rpc::{
        base::{Call, Context, RpcResult, cannot, state_after},
        tracer::MOST_BELOW,
    },
    store::{BlockRef, HistoricalState, Snapshot},
};

/// The lowest height whose state can be asked for.
pub fn lowest(snapshot: &Snapshot) -> Height {
    snapshot.tip().height.saturating_sub(MOST_BELOW).max(snapshot.pruned())
}

/// The first height from `low` to the tip whose state has a property that no later one loses, and that the tip has.
///
/// # Errors
/// -32002 where the state is not kept; -32000 if the tip changes meanwhile.
pub fn first_height(
    context: &Context,
    tip: BlockRef,
    low: Height,
    call: &Call,
    has: impl Fn(&HistoricalState) -> RpcResult<bool>,
) -> RpcResult<Height> {
    let holds = |height: Height| {
        call.check()?;
        let snapshot = context.snapshot()?;
        if snapshot.at_height(tip.height)? != Some(tip) {
            return Err(cannot("a reorg replaced the blocks that were searched: ask again"));
        }
        has(&state_after(snapshot, height, 2 * MOST_BELOW)?)
    };
    if holds(low)? {
        return Ok(low);
    }
    let (mut without, mut with) = (low, tip.height);
    while without + 1 < with {
        let middle = without + (with - without) / 2;
        match holds(middle)? {
            true => with = middle,
            false => without = middle,
        }
    }
    Ok(with)
}
