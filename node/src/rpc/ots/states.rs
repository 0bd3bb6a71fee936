//! When something came to be, by the states after the blocks.

use chain_core::units::Height;

use crate::{
    rpc::base::{Call, RpcResult, state_after},
    store::{HistoricalState, Snapshot},
};

/// The first height from `low` to the tip whose state has a property that no later one loses, and that the tip has.
///
/// # Errors
/// -32000 where the state is not kept; -32005 at the end of the call.
pub fn first_height(
    snapshot: &Snapshot,
    low: Height,
    call: &Call,
    has: impl Fn(&HistoricalState) -> RpcResult<bool>,
) -> RpcResult<Height> {
    let holds = |height: Height| {
        call.check()?;
        has(&state_after(snapshot.clone(), height)?)
    };
    if holds(low)? {
        return Ok(low);
    }
    let (mut without, mut with) = (low, snapshot.tip().height);
    while without + 1 < with {
        let middle = without + (with - without) / 2;
        match holds(middle)? {
            true => with = middle,
            false => without = middle,
        }
    }
    Ok(with)
}
