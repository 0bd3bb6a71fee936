//! Blocks as Otterscan shows them: without what it does not, with fees and what was issued, and in pages.

use alloy_primitives::U256;
use chain_core::hash::BlockHash;
use serde_json::{Value, json};

use super::number::Number;
use crate::rpc::{
    base::{Args, BlockTag, Context, Count, Method, RpcResult, quantity},
    eth::FullBlock,
};

pub const METHODS: &[Method] = &[
    Method::new("ots_getHeaderByNumber", &["block"], header).reads(),
    Method::new("ots_getBlockDetails", &["block"], |context, mut args| {
        let Number(tag) = args.required()?;
        details(context, tag)
    })
    .reads(),
    Method::new("ots_getBlockDetailsByHash", &["hash"], |context, mut args| {
        let hash: BlockHash = args.required()?;
        details(context, hash.into())
    })
    .reads(),
    Method::new("ots_getBlockTransactions", &["block", "page", "size"], transactions).reads(),
];

/// Bytes of calldata that a list shows: which function is called.
const SELECTOR: usize = "0x".len() + 2 * 4;

pub fn header(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Number(tag) = args.required()?;
    let Some(block) = FullBlock::named(context, tag)? else { return Ok(Value::Null) };
    let mut shown = block.render(false)?;
    for key in ["transactions", "uncles", "size"] {
        remove(&mut shown, key);
    }
    Ok(shown)
}

fn remove(object: &mut Value, key: &str) -> Option<Value> {
    object.as_object_mut().and_then(|fields| fields.remove(key))
}

/// A block with the number of its transactions, but without its bloom.
fn counted(mut block: Value, transactions: usize) -> Value {
    block["transactionCount"] = transactions.into();
    block["logsBloom"] = Value::Null;
    block
}

fn details(context: &Context, tag: BlockTag) -> RpcResult<Value> {
    let Some(block) = FullBlock::named(context, tag)? else { return Ok(Value::Null) };
    let mut shown = block.render(false)?;
    let transactions = remove(&mut shown, "transactions");
    let count = transactions.and_then(|list| list.as_array().map(Vec::len)).unwrap_or_default();
    let minted = block.record.executed.map_or(U256::ZERO, |executed| executed.minted);
    Ok(json!({
        "block": counted(shown, count),
        "issuance": { "blockReward": quantity(minted), "uncleReward": "0x0", "issuance": quantity(minted) },
        "totalFees": quantity(block.account_fees()),
    }))
}

/// A page of a block's transactions, the last ones first; within the page they are in order.
fn transactions(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (Number(tag), Count(page), Count(size)) = (args.required()?, args.required()?, args.required()?);
    let Some(block) = FullBlock::named(context, tag)? else { return Ok(Value::Null) };
    let (mut shown, mut receipts) = (block.render(true)?, block.receipts());
    let Some(Value::Array(mut all)) = remove(&mut shown, "transactions") else { return Ok(Value::Null) };
    let count = all.len();
    let skipped = usize::try_from(page.saturating_mul(size)).unwrap_or(usize::MAX);
    let end = count.saturating_sub(skipped);
    let start = end.saturating_sub(usize::try_from(size).unwrap_or(usize::MAX));
    all = all.drain(start..end).collect();
    receipts = receipts.drain(start.min(receipts.len())..end.min(receipts.len())).collect();
    for transaction in &mut all {
        if let Some(input) = transaction["input"].as_str() {
            transaction["input"] = input.get(..SELECTOR).unwrap_or(input).into();
        }
    }
    for receipt in &mut receipts {
        (receipt["logs"], receipt["logsBloom"]) = (Value::Null, Value::Null);
        receipt["timestamp"] = shown["timestamp"].clone();
    }
    let mut shown = counted(shown, count);
    shown["transactions"] = all.into();
    Ok(json!({ "fullblock": shown, "receipts": receipts }))
}
