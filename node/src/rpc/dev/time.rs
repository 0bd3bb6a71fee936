//! The clock of a development chain.

use serde_json::Value;

use super::params::{Small, Word};
use crate::rpc::base::{Args, Context, Method, RpcResult, invalid};

pub const METHODS: &[Method] = &[
    Method::new("evm_increaseTime", &["seconds"], increase),
    Method::new("anvil_increaseTime", &["seconds"], increase),
    Method::new("evm_setTime", &["timestamp"], set_time),
    Method::new("anvil_setTime", &["timestamp"], set_time),
    Method::new("evm_setNextBlockTimestamp", &["timestamp"], set_next_time),
    Method::new("anvil_setNextBlockTimestamp", &["timestamp"], set_next_time),
    Method::new("anvil_setBlockTimestampInterval", &["seconds"], set_step),
    Method::new("anvil_removeBlockTimestampInterval", &[], remove_step),
    Method::new("anvil_setNextBlockBaseFeePerGas", &["baseFee"], set_next_base_fee),
    Method::new("hardhat_setNextBlockBaseFeePerGas", &["baseFee"], set_next_base_fee),
    Method::new("evm_setBlockGasLimit", &["gasLimit"], set_gas_limit),
    Method::new("anvil_setBlockGasLimit", &["gasLimit"], set_gas_limit),
];

/// Most wei per gas of a base fee (DEV-4).
const MOST_BASE_FEE: u64 = 1_000_000_000_000_000;

fn increase(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Small(seconds) = args.required()?;
    Ok(context.mining.increase_time(seconds)?.into())
}

fn set_time(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Small(time) = args.required()?;
    Ok(context.mining.set_time(time).into())
}

fn set_next_time(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Small(time) = args.required()?;
    let last = context.engine.chain_info().header.time;
    if time < last {
        return Err(invalid(format!("timestamp: {time} is lower than the previous block's timestamp {last}")));
    }
    context.mining.set_next_time(time);
    Ok(true.into())
}

fn set_step(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Small(seconds) = args.required()?;
    context.mining.set_step(Some(seconds));
    Ok(true.into())
}

fn remove_step(context: &Context, _: Args) -> RpcResult<Value> {
    Ok(context.mining.set_step(None).is_some().into())
}

fn set_next_base_fee(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Word(base_fee) = args.required()?;
    let base_fee = u64::try_from(base_fee).ok().filter(|base_fee| *base_fee <= MOST_BASE_FEE);
    let base_fee = base_fee.ok_or_else(|| invalid(format!("baseFee: expected at most {MOST_BASE_FEE} wei per gas")))?;
    context.ask(context.mining.set_next_base_fee(base_fee))?;
    Ok(true.into())
}

/// The limit is a number of the spec, and the genesis hash commits to that.
fn set_gas_limit(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Word(wanted) = args.required()?;
    let limit = context.spec.gas_limit;
    if u64::try_from(wanted).is_ok_and(|wanted| wanted == limit) {
        return Ok(true.into());
    }
    Err(crate::rpc::base::cannot(format!(
        "the block gas limit is {limit}, a part of the chain's spec: for another, change gas_limit in the output of \
         `cairn-node chain dump-spec dev` and start with --chain FILE"
    )))
}
