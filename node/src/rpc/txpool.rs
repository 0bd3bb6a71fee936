//! `txpool_*`: account transactions as in geth, and coin transactions beside them.

use alloy_primitives::Address;
use chain_core::transaction::{Transaction, account::AccountTransaction};
use serde_json::{Map, Value, json};

use super::{
    base::{Args, Context, Method, RpcResult, effective_price, quantity, render},
    eth::pending_transaction,
};
use crate::mempool::{EntryStatus, MempoolEntry};

pub const METHODS: &[Method] = &[
    Method::new("txpool_status", &[], status),
    Method::new("txpool_content", &[], content).reads(),
    Method::new("txpool_contentFrom", &["account"], content_from),
    Method::new("txpool_inspect", &[], inspect).reads(),
    Method::new("txpool_coins", &[], coins).reads(),
];

/// Most transactions that one answer lists.
const MAX_LISTED: usize = 10_000;

fn status(context: &Context, _: Args) -> RpcResult<Value> {
    let stats = context.engine.mempool_stats();
    Ok(json!({
        "pending": quantity(stats.pending.saturating_sub(stats.coins)),
        "queued": quantity(stats.transactions.saturating_sub(stats.pending)),
        "coins": quantity(stats.coins),
    }))
}

/// Groups account transactions as geth does: status, sender, nonce.
fn grouped(all: &[MempoolEntry], show: fn(&AccountTransaction, Address) -> Value) -> Value {
    let (mut pending, mut queued) = (Map::new(), Map::new());
    for entry in all {
        let (Transaction::Account(tx), Some(sender)) = (entry.transaction.as_ref(), entry.sender) else {
            continue;
        };
        let group = match entry.status {
            EntryStatus::Pending => &mut pending,
            EntryStatus::Queued => &mut queued,
        };
        let of_sender = group.entry(sender.to_checksum(None)).or_insert_with(|| json!({}));
        of_sender[tx.fields().nonce.to_string()] = show(tx, sender);
    }
    json!({ "pending": pending, "queued": queued })
}

fn content(context: &Context, _: Args) -> RpcResult<Value> {
    let all = context.query(|engine| engine.mempool().best(MAX_LISTED))?;
    Ok(grouped(&all, |tx, sender| pending_transaction(tx, Some(sender))))
}

fn content_from(context: &Context, mut args: Args) -> RpcResult<Value> {
    let sender: Address = args.required()?;
    let of_sender = context.query(move |engine| engine.mempool().of_sender(&sender))?;
    let mut groups = grouped(&of_sender, |tx, sender| pending_transaction(tx, Some(sender)));
    let key = sender.to_checksum(None);
    let mut take =
        |group: &str| groups[group].as_object_mut().and_then(|group| group.remove(&key)).unwrap_or(json!({}));
    Ok(json!({ "pending": take("pending"), "queued": take("queued") }))
}

fn inspect(context: &Context, _: Args) -> RpcResult<Value> {
    let all = context.query(|engine| engine.mempool().best(MAX_LISTED))?;
    Ok(grouped(&all, |tx, _| {
        let said = tx.fields();
        let to = said.to.map_or("contract creation".to_owned(), |to| to.to_checksum(None));
        let price = effective_price(&said.fees, u64::MAX);
        format!("{to}: {} wei + {} gas × {price} wei", said.value, said.gas_limit).into()
    }))
}

fn coins(context: &Context, _: Args) -> RpcResult<Value> {
    let coins = context.query(|engine| engine.mempool().best_coins(MAX_LISTED))?;
    let one = |entry: &MempoolEntry| {
        json!({
            "txid": entry.txid.to_string(),
            "size": entry.size,
            "gas": entry.gas,
            "fee": entry.fee.grains(),
            "tipPerGas": render::tip(entry.tip_per_gas),
            "ancestors": entry.ancestors,
            "descendants": entry.descendants,
            "time": entry.time,
        })
    };
    Ok(coins.iter().map(one).collect())
}
