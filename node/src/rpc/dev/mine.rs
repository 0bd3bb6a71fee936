//! When blocks are mined: on demand, for each transaction, by the clock.

use chain_core::hash::BlockHash;
use serde_json::{Value, json};
use std::time::Duration;

use super::params::Small;
use crate::{
    mining::First,
    rpc::base::{Any, Args, Context, Method, Object, Options, Param, RpcResult, invalid},
};

pub const METHODS: &[Method] = &[
    Method::new("evm_mine", &["options"], evm_mine),
    Method::new("anvil_mine", &["blocks", "interval"], |context, args| mine_apart(context, args, First::Apart)),
    Method::new("hardhat_mine", &["blocks", "interval"], |context, args| mine_apart(context, args, First::Next)),
    Method::new("dev_mine", &["blocks"], dev_mine),
    Method::new("evm_setAutomine", &["on"], set_automine),
    Method::new("anvil_setAutomine", &["on"], set_automine),
    Method::new("dev_setAutomine", &["on"], set_automine),
    Method::new("anvil_getAutomine", &[], get_automine),
    Method::new("hardhat_getAutomine", &[], get_automine),
    Method::new("evm_setIntervalMining", &["interval"], set_interval),
    Method::new("anvil_setIntervalMining", &["seconds"], set_interval_of_seconds),
    Method::new("anvil_getIntervalMining", &[], get_interval),
];

/// Most blocks of one call: half a minute of work.
const MAX_BLOCKS: u32 = 100_000;

/// An interval from here on is meant in milliseconds.
const MILLISECONDS: u32 = 1_000;

fn checked(count: u32) -> RpcResult<u32> {
    match count {
        1..=MAX_BLOCKS => Ok(count),
        _ => Err(invalid(format!("blocks: expected 1 to {MAX_BLOCKS}, got {count}"))),
    }
}

fn mine(context: &Context, count: u32, time: Option<u32>) -> RpcResult<Vec<BlockHash>> {
    context.ask(context.mining.mine_now(checked(count)?, time))
}

/// As in Hardhat and Anvil: a time, or an object with `timestamp` and `blocks`.
fn evm_mine(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (mut count, mut time) = (1, None);
    if let Some(Any(given)) = args.optional()? {
        match Small::parse(&given) {
            Some(Small(at)) => time = Some(at),
            None => {
                let object = Object::parse(&given).ok_or_else(|| invalid("options: expected a time or an object"))?;
                let options = Options::new("options", Some(object), &["timestamp", "blocks"])?;
                count = options.get::<Small>("blocks")?.map_or(1, |blocks| blocks.0);
                time = options.get::<Small>("timestamp")?.map(|at| at.0);
            }
        }
    }
    mine(context, count, time)?;
    Ok("0x0".into())
}

/// As in Anvil and Hardhat, which differ in the first block's time. None are mined if none are asked for.
fn mine_apart(context: &Context, mut args: Args, first: First) -> RpcResult<Value> {
    let count = args.optional::<Small>()?.map_or(1, |blocks| blocks.0);
    let interval = args.optional::<Small>()?;
    if count == 0 {
        return Ok(true.into());
    }
    let count = checked(count)?;
    match interval {
        Some(Small(seconds)) => context.ask(context.mining.mine_apart(count, seconds, first))?,
        None => drop(mine(context, count, None)?),
    }
    Ok(true.into())
}

fn dev_mine(context: &Context, mut args: Args) -> RpcResult<Value> {
    let hashes = mine(context, args.optional()?.unwrap_or(1), None)?;
    Ok(hashes.iter().map(BlockHash::to_string).collect())
}

fn set_automine(context: &Context, mut args: Args) -> RpcResult<Value> {
    context.mining.set_automine(args.required()?);
    Ok(true.into())
}

fn get_automine(context: &Context, _: Args) -> RpcResult<Value> {
    Ok(context.mining.demand().automine.into())
}

/// Hardhat means milliseconds, Anvil seconds: nobody wants blocks more than a thousand times a second, or a quarter of an
/// hour apart.
fn set_interval(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Small(interval) = args.required()?;
    let interval = match interval {
        0..MILLISECONDS => Duration::from_secs(interval.into()),
        _ => Duration::from_millis(interval.into()),
    };
    mine_by_clock(context, interval)
}

fn set_interval_of_seconds(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Small(seconds) = args.required()?;
    mine_by_clock(context, Duration::from_secs(seconds.into()))
}

/// As in Anvil, transactions then wait for the clock.
fn mine_by_clock(context: &Context, interval: Duration) -> RpcResult<Value> {
    let on = !interval.is_zero();
    if on {
        context.mining.set_automine(false);
    }
    context.mining.set_interval(on.then_some(interval));
    Ok(true.into())
}

fn get_interval(context: &Context, _: Args) -> RpcResult<Value> {
    Ok(context.mining.demand().interval.map_or(json!(null), |interval| json!(interval.as_secs())))
}
