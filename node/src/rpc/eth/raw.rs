//! `eth_getRawTransaction*`: the bytes that were signed.

use chain_core::{
    hash::{BlockHash, TxId},
    transaction::Transaction,
};
use serde_json::Value;

use crate::rpc::base::{Args, BlockTag, Context, Method, Param, Quantity, RpcResult, data, read, resolve};

pub const METHODS: &[Method] = &[
    Method::new("eth_getRawTransactionByHash", &["hash"], by_hash),
    Method::new("eth_getRawTransactionByBlockNumberAndIndex", &["block", "index"], at::<BlockTag>),
    Method::new("eth_getRawTransactionByBlockHashAndIndex", &["hash", "index"], at::<BlockHash>),
];

/// The bytes of an account transaction; `null` for any other.
fn raw(transaction: Option<&Transaction>) -> Value {
    match transaction {
        Some(Transaction::Account(transaction)) => data(transaction.raw()),
        _ => Value::Null,
    }
}

/// The bytes of a transaction of the chain or the mempool.
pub fn by_hash(context: &Context, mut args: Args) -> RpcResult<Value> {
    let txid: TxId = args.required()?;
    if let Some(entry) = context.query(move |engine| engine.mempool().get(&txid))? {
        return Ok(raw(Some(&entry.transaction)));
    }
    let found = read::transaction(&context.snapshot()?, &txid)?;
    Ok(found.map_or(Value::Null, |(place, block)| raw(block.transactions.get(place.position as usize))))
}

fn at<T: Param + Into<BlockTag>>(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (tag, Quantity(index)) = (args.required::<T>()?.into(), args.required()?);
    let snapshot = context.snapshot()?;
    let Some(at) = resolve(context, &snapshot, tag)?.filter(|_| tag != BlockTag::Pending) else {
        return Ok(Value::Null);
    };
    let block = snapshot.body(at)?;
    let mut accounts = block.transactions.iter().filter(|transaction| matches!(transaction, Transaction::Account(_)));
    Ok(raw(usize::try_from(index).ok().and_then(|index| accounts.nth(index))))
}
