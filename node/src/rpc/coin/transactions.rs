//! `coin_*` about transactions: reading, trying and broadcasting them, and what they cost.

use chain_core::{codec, execute::withdrawals, hash::TxId, transaction::Transaction};
use serde_json::{Value, json};

use crate::{
    engine::SubmitError,
    mempool::MempoolError,
    rpc::base::{Args, Context, HexBytes, Method, RpcResult, Spent, header, invalid, read, receipts, render},
};

pub const METHODS: &[Method] = &[
    Method::new("coin_sendRawTransaction", &["transaction"], send_raw_transaction),
    Method::new("coin_testTransaction", &["transaction"], test_transaction),
    Method::new("coin_getTransaction", &["txid"], get_transaction),
    Method::new("coin_decodeTransaction", &["transaction"], decode_transaction),
    Method::new("coin_estimateFee", &[], estimate_fee),
];

fn decode(args: &mut Args) -> RpcResult<Transaction> {
    let HexBytes(bytes) = args.required()?;
    codec::decode(&bytes).map_err(|error| invalid(format!("transaction: {error}")))
}

fn send_raw_transaction(context: &Context, mut args: Args) -> RpcResult<Value> {
    let transaction = decode(&mut args)?;
    if let Transaction::Account(transaction) = &transaction {
        context.check_sender(transaction, &args.call())?;
    }
    match context.wait(context.engine.submit_transaction(transaction)) {
        Ok(txid) | Err(SubmitError::Mempool(MempoolError::AlreadyKnown(txid))) => Ok(txid.to_string().into()),
        Err(error) => Err(error.into()),
    }
}

fn test_transaction(context: &Context, mut args: Args) -> RpcResult<Value> {
    let transaction = decode(&mut args)?;
    let txid = transaction.txid().to_string();
    Ok(match context.wait(context.engine.test_transaction(transaction)) {
        Ok(tested) => json!({
            "txid": txid, "allowed": true, "reason": null, "fee": tested.fee.grains(), "gas": tested.gas,
            "tipPerGas": render::tip(tested.tip_per_gas),
        }),
        Err(error @ (SubmitError::Rule(_) | SubmitError::Mempool(_))) => json!({
            "txid": txid, "allowed": false, "reason": error.to_string(), "fee": null, "gas": null, "tipPerGas": null,
        }),
        Err(error) => return Err(error.into()),
    })
}

fn decode_transaction(context: &Context, mut args: Args) -> RpcResult<Value> {
    Ok(Value::Object(render::transaction(&context.spec, &decode(&mut args)?, None)))
}

fn get_transaction(context: &Context, mut args: Args) -> RpcResult<Value> {
    let txid: TxId = args.required()?;
    if let Some(entry) = context.query(move |engine| engine.mempool().get(&txid))? {
        let fields = render::transaction(&context.spec, &entry.transaction, entry.sender);
        let is_coin = matches!(entry.transaction.as_ref(), Transaction::Coin(_));
        let rest = json!({
            "blockHash": null, "height": null, "position": null, "time": null, "confirmations": 0,
            "fee": is_coin.then_some(entry.fee.grains()), "success": null, "hex": hex::encode(entry.transaction.encode()),
        });
        return Ok(render::join(fields, rest));
    }
    let snapshot = context.snapshot()?;
    let Some((place, block)) = read::transaction(&snapshot, &txid)? else {
        return Ok(Value::Null);
    };
    let tx = &block.transactions[place.position as usize];
    let receipt = receipts(&snapshot, place.block)?.into_iter().find(|receipt| receipt.position == place.position);
    let (sender, success) = receipt.as_ref().map_or((None, true), |of| (Some(of.sender), of.receipt.success));
    let fee = match tx {
        Transaction::Coin(coin) => Spent::of(&snapshot, place.block, &block)?.fee(coin).map(|fee| fee.grains()),
        _ => None,
    };
    let rest = json!({
        "blockHash": place.block.hash.to_string(),
        "height": place.block.height,
        "position": place.position,
        "time": header(&snapshot, place.block)?.header.time,
        "confirmations": snapshot.tip().height - place.block.height + 1,
        "fee": fee,
        "success": success,
        "hex": hex::encode(tx.encode()),
    });
    let mut fields = render::transaction(&context.spec, tx, sender);
    if let Some(stored) = &receipt {
        let withdrawn = withdrawals(txid, &stored.receipt.logs);
        let withdrawn = withdrawn.iter().map(|(at, output)| render::withdrawn(&context.spec.hrp, at, output));
        fields.insert("withdrawals".into(), withdrawn.collect());
    }
    Ok(render::join(fields, rest))
}

fn estimate_fee(context: &Context, _: Args) -> RpcResult<Value> {
    let estimate = context.ask(context.engine.estimate_fee())?;
    Ok(json!({
        "baseFee": estimate.base_fee,
        "nextBaseFeeMax": estimate.base_fee.saturating_add(estimate.base_fee / 8),
        "tipPerGas": { "slow": estimate.slow, "normal": estimate.normal, "fast": estimate.fast },
        "minReplacementPercent": 10,
    }))
}
