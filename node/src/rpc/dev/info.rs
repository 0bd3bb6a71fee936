//! What a development chain is like now.

use alloy_primitives::U256;
use chain_core::state::StateView;
use serde_json::{Map, Value, json};

use crate::{
    dev::ACCOUNTS,
    rpc::{
        base::{Args, Context, Method, RpcResult, data, internal, quantity, render},
        web3::web3_version,
    },
};

pub const METHODS: &[Method] = &[
    Method::new("dev_accounts", &[], accounts),
    Method::new("anvil_nodeInfo", &[], node_info),
    Method::new("anvil_metadata", &[], metadata),
    Method::new("hardhat_metadata", &[], metadata),
    Method::new("anvil_setLoggingEnabled", &["on"], set_logging),
    Method::new("hardhat_setLoggingEnabled", &["on"], set_logging),
];

/// Added to the base fee for a price at which a transaction is mined.
const TIP: u64 = 1_000_000_000;

fn accounts(context: &Context, _: Args) -> RpcResult<Value> {
    let snapshot = context.snapshot()?;
    let mut all = Vec::new();
    for account in ACCOUNTS.iter() {
        let balance = snapshot.account(&account.address)?.map_or(U256::ZERO, |found| found.balance);
        all.push(json!({
            "account": render::account(&account.address),
            "privateKey": account.private_key,
            "balanceWei": render::wei(balance),
        }));
    }
    Ok(all.into())
}

/// A block hash as `eth_*` shows it.
fn shown(hash: &chain_core::hash::BlockHash) -> Value {
    format!("0x{hash}").into()
}

fn node_info(context: &Context, _: Args) -> RpcResult<Value> {
    let info = context.engine.chain_info();
    Ok(json!({
        "currentBlockNumber": quantity(info.height),
        "currentBlockTimestamp": info.header.time,
        "currentBlockHash": shown(&info.hash),
        "hardFork": "osaka",
        "transactionOrder": "fees",
        "environment": {
            "baseFee": quantity(info.next_base_fee),
            "chainId": context.spec.chain_id,
            "gasLimit": quantity(context.spec.gas_limit),
            "gasPrice": quantity(info.next_base_fee.saturating_add(TIP)),
        },
        "forkConfig": { "forkUrl": null, "forkBlockNumber": null, "forkRetryBackoff": null },
    }))
}

fn metadata(context: &Context, _: Args) -> RpcResult<Value> {
    let info = context.engine.chain_info();
    let snapshot = context.snapshot()?;
    let mut snapshots = Map::new();
    for (id, hash) in context.mining.snapshots() {
        if let Some(record) = snapshot.header(&hash)? {
            snapshots.insert(format!("{id:#x}"), json!([record.height, shown(&hash)]));
        }
    }
    Ok(json!({
        "clientVersion": web3_version(context),
        "chainId": context.spec.chain_id,
        "instanceId": data(&context.mining.instance().map_err(internal)?),
        "latestBlockNumber": info.height,
        "latestBlockHash": shown(&info.hash),
        "forkedNetwork": null,
        "snapshots": snapshots,
    }))
}

/// What is logged is a matter of `--log.level`.
fn set_logging(_: &Context, mut args: Args) -> RpcResult<Value> {
    args.required::<bool>()?;
    Ok(true.into())
}
