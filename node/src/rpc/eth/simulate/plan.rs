//! The order of simulated blocks: their numbers and times, and the empty blocks between.

use super::{
    error::{number_order, time_order, too_many_blocks},
    payload::{BlockCalls, MAX_BLOCKS},
};
use crate::rpc::base::RpcResult;

/// Seconds to the next block where no time is given, as in other clients.
const INTERVAL: u64 = 12;

/// Gives each block a number and a time, and fills gaps between numbers with empty blocks.
///
/// # Errors
/// -38020, -38021 and -38026.
pub fn in_order(blocks: Vec<BlockCalls>, base: u64, time: u64) -> RpcResult<Vec<BlockCalls>> {
    let (mut last, mut last_time) = (base, time);
    let mut all = Vec::with_capacity(blocks.len());
    for mut block in blocks {
        let wanted = &mut block.overrides.block;
        let number = wanted.number.unwrap_or(last.saturating_add(1));
        if number <= last {
            return Err(number_order(number, last));
        }
        if number - base > MAX_BLOCKS as u64 {
            return Err(too_many_blocks());
        }
        for between in last + 1..number {
            last_time = last_time.saturating_add(INTERVAL);
            let mut empty = BlockCalls::default();
            (empty.overrides.block.number, empty.overrides.block.time) = (Some(between), Some(last_time));
            all.push(empty);
        }
        let time = wanted.time.unwrap_or(last_time.saturating_add(INTERVAL));
        if time <= last_time {
            return Err(time_order(time, last_time));
        }
        (wanted.number, wanted.time) = (Some(number), Some(time));
        (last, last_time) = (number, time);
        all.push(block);
    }
    Ok(all)
}
