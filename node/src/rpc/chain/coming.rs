//! The mempool as the blocks to come.

use serde_json::{Value, json};
use std::time::Instant;

use crate::{
    mempool::{ComingBlock, ComingTransaction},
    rpc::base::{Args, Context, Method, RpcResult, invalid, render},
};

pub const METHODS: &[Method] = &[Method::new("chain_getNextBlocks", &["transactions"], get_next_blocks).reads()];

/// Most transactions that are named.
const MOST_NAMED: usize = 100;

fn get_next_blocks(context: &Context, mut args: Args) -> RpcResult<Value> {
    let named = args.optional::<u32>()?.unwrap_or(0) as usize;
    if named > MOST_NAMED {
        return Err(invalid(format!("transactions: expected 0 to {MOST_NAMED}, got {named}")));
    }
    let (gas, bytes) = (context.spec.gas_limit, context.spec.max_block_bytes);
    let ask = || context.query(move |engine| engine.mempool().coming(gas, bytes, MOST_NAMED));
    let coming = context.next_blocks.get(context.engine.chain_info().hash, Instant::now(), ask)?;
    Ok(json!({
        "blocks": coming.blocks.iter().map(block).collect::<Vec<_>>(),
        "transactions": coming.first.iter().take(named).map(transaction).collect::<Vec<_>>(),
        "left": coming.left,
    }))
}

fn block(block: &ComingBlock) -> Value {
    let at = |index: usize| block.tips_per_gas.get(index).map(|tip| render::tip(*tip));
    let count = block.tips_per_gas.len();
    json!({
        "transactions": block.transactions,
        "coins": block.coins,
        "gas": block.gas,
        "size": block.bytes,
        "tipsWei": block.tips.to_string(),
        "tipPerGas": { "least": at(0), "median": at(count / 2), "most": at(count.saturating_sub(1)) },
    })
}

fn transaction(one: &ComingTransaction) -> Value {
    json!({
        "txid": one.txid.to_string(),
        "kind": if one.coin { "coin" } else { "account" },
        "gas": one.gas,
        "size": one.bytes,
        "tipPerGas": render::tip(one.tip_per_gas),
    })
}
