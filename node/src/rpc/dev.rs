//! `dev_*` and `evm_*`: blocks on demand, on a development chain only.

use alloy_primitives::U256;
use chain_core::{hash::BlockHash, state::StateView};
use serde_json::{Value, json};

use super::base::{Any, Args, Context, Method, Object, Options, Param, Quantity, RpcResult, invalid, param, render};

pub const METHODS: &[Method] = &[
    Method::new("evm_mine", &["options"], evm_mine),
    Method::new("evm_setAutomine", &["on"], set_automine),
    Method::new("dev_mine", &["blocks"], dev_mine),
    Method::new("dev_setAutomine", &["on"], set_automine),
    Method::new("dev_accounts", &[], accounts),
];

/// Most blocks of one call.
const MAX_BLOCKS: u32 = 1_000;

fn mine(context: &Context, count: u32, time: Option<u32>) -> RpcResult<Vec<BlockHash>> {
    if !(1..=MAX_BLOCKS).contains(&count) {
        return Err(invalid(format!("blocks: expected 1 to {MAX_BLOCKS}, got {count}")));
    }
    context.ask(context.mining.mine_now(count, time))
}

/// A number as tools of Ethereum send it: a QUANTITY or an integer.
struct Loose(u32);

param!(Loose, "an integer from 0 to 2^32-1 or such a quantity", |value| {
    u32::parse(value).or_else(|| u32::try_from(Quantity::parse(value)?.0).ok()).map(Self)
});

/// As in Hardhat and Anvil: a time, or an object with `timestamp` and `blocks`.
fn evm_mine(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (mut count, mut time) = (1, None);
    if let Some(Any(given)) = args.optional()? {
        match Loose::parse(&given) {
            Some(Loose(at)) => time = Some(at),
            None => {
                let object = Object::parse(&given).ok_or_else(|| invalid("options: expected a time or an object"))?;
                let options = Options::new("options", Some(object), &["timestamp", "blocks"])?;
                count = options.get::<Loose>("blocks")?.map_or(1, |blocks| blocks.0);
                time = options.get::<Loose>("timestamp")?.map(|at| at.0);
            }
        }
    }
    mine(context, count, time)?;
    Ok("0x0".into())
}

fn dev_mine(context: &Context, mut args: Args) -> RpcResult<Value> {
    let hashes = mine(context, args.optional()?.unwrap_or(1), None)?;
    Ok(hashes.iter().map(BlockHash::to_string).collect())
}

fn set_automine(context: &Context, mut args: Args) -> RpcResult<Value> {
    context.mining.set_automine(args.required()?);
    Ok(true.into())
}

fn accounts(context: &Context, _: Args) -> RpcResult<Value> {
    let snapshot = context.snapshot()?;
    let mut all = Vec::new();
    for account in crate::dev::ACCOUNTS {
        let balance = snapshot.account(&account.address)?.map_or(U256::ZERO, |found| found.balance);
        all.push(json!({
            "account": render::account(&account.address),
            "privateKey": account.private_key,
            "balanceWei": render::wei(balance),
        }));
    }
    Ok(all.into())
}
