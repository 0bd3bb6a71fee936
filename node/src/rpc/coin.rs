//! `coin_*`: the coin side of the ledger.

use chain_core::{
    address, codec,
    execute::withdrawals,
    hash::TxId,
    state::StateView,
    transaction::{
        Transaction,
        coin::{Coin, Lock, OutPoint},
    },
    units::{Amount, Height},
};
use serde_json::{Value, json};
use std::collections::HashMap;

use super::{
    Context, Method,
    call::Call,
    error::{RpcResult, internal, invalid, submit_error},
    history,
    params::{Addresses, Args, HexBytes, Options},
    read::{self, Spent, header, read},
    render,
};
use crate::{
    engine::SubmitError,
    mempool::{LockPending, MempoolError},
    store::{CoinPlace, HistoryPlace, PlacedCoin, Snapshot, StoredReceipt, TxPlace},
};

pub(super) const METHODS: &[Method] = &[
    Method::new("coin_getCoins", &["address", "options"], get_coins).reads(),
    Method::new("coin_getBalance", &["address"], get_balance).reads(),
    Method::new("coin_getCoin", &["txid", "index", "mempool"], get_coin),
    Method::new("coin_sendRawTransaction", &["transaction"], send_raw_transaction),
    Method::new("coin_testTransaction", &["transaction"], test_transaction),
    Method::new("coin_getTransaction", &["txid"], get_transaction),
    Method::new("coin_decodeTransaction", &["transaction"], decode_transaction),
    Method::new("coin_getHistory", &["address", "options"], history::get_coin_history).reads(),
    Method::new("coin_estimateFee", &[], estimate_fee),
    Method::new("coin_validateAddress", &["address"], validate_address),
];

/// Most coins in one page.
const MAX_PAGE: u32 = 10_000;

/// The lock that a coin address stands for.
pub(super) fn lock_of(context: &Context, text: &str) -> RpcResult<Lock> {
    address::parse_coin_address(&context.spec.hrp, text).map_err(|error| invalid(format!("address: {error}")))
}

fn locks_of(context: &Context, Addresses(texts): Addresses) -> RpcResult<Vec<Lock>> {
    let mut locks = Vec::with_capacity(texts.len());
    for text in &texts {
        let lock = lock_of(context, text)?;
        if !locks.contains(&lock) {
            locks.push(lock);
        }
    }
    Ok(locks)
}

/// Where a page of coins goes on: in which address, after which coin.
type Cursor = (usize, Option<CoinPlace>);

fn parse_cursor(text: &str) -> RpcResult<Cursor> {
    let parsed = || {
        let mut parts = text.split(':');
        let address = parts.next()?.parse().ok()?;
        let transaction = HistoryPlace { height: parts.next()?.parse().ok()?, position: parts.next()?.parse().ok()? };
        let place = CoinPlace { transaction, index: parts.next()?.parse().ok()? };
        parts.next().is_none().then_some((address, Some(place)))
    };
    parsed().ok_or_else(|| invalid("options.cursor: expected the \"next\" of an earlier page"))
}

fn write_cursor(number: usize, CoinPlace { transaction, index }: CoinPlace) -> String {
    format!("{number}:{}:{}:{index}", transaction.height, transaction.position)
}

fn get_coins(context: &Context, mut args: Args) -> RpcResult<Value> {
    let locks = locks_of(context, args.required()?)?;
    let options = Options::new("options", args.optional()?, &["mempool", "limit", "cursor"])?;
    let mempool = options.get("mempool")?.unwrap_or(true);
    let limit = options.get::<u32>("limit")?.unwrap_or(MAX_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(invalid(format!("options.limit: expected 1 to {MAX_PAGE}, got {limit}")));
    }
    let cursor = options.get::<String>("cursor")?.map(|text| parse_cursor(&text)).transpose()?;
    let call = args.call();
    let snapshot = context.snapshot()?;
    let (coins, next) = page_of_coins(&call, &snapshot, &locks, cursor.unwrap_or_default(), limit as usize)?;
    let pending = match mempool {
        true => pending_of(context, &locks)?,
        false => LockPending::default(),
    };
    let mut coins = render_coins(context, snapshot.tip().height, &coins, &pending);
    if cursor.is_none() {
        coins.extend(pending_coins(context, &pending)?);
    }
    Ok(json!({ "height": snapshot.tip().height, "coins": coins, "next": next }))
}

/// The coins that mempool transactions make, those included that others of the mempool spend: who replaces the one that
/// makes a coin asks here what is dropped with it.
fn pending_coins(context: &Context, pending: &LockPending) -> RpcResult<Vec<Value>> {
    let parents = pending.spent.iter().map(|(at, ..)| at.txid).collect();
    let made_here = context.ask(context.engine.mempool_holds(parents))?;
    let hrp = &context.spec.hrp;
    let unspent = pending.incoming.iter().map(|(at, output)| render::pending_coin(hrp, at, output));
    let spent = pending.spent.iter().zip(made_here).filter(|(_, made_here)| *made_here).map(|((at, output, by), _)| {
        let mut fields = render::pending_coin(hrp, at, output);
        fields.insert("spentBy".into(), by.to_string().into());
        fields
    });
    Ok(unspent.chain(spent).map(Value::Object).collect())
}

fn render_coins(context: &Context, tip: Height, coins: &[(OutPoint, Coin)], pending: &LockPending) -> Vec<Value> {
    let spenders: HashMap<OutPoint, TxId> = pending.spent.iter().map(|(at, _, by)| (*at, *by)).collect();
    let one = |(at, coin): &(OutPoint, Coin)| {
        let mut fields = render::coin(&context.spec.hrp, context.spec.coinbase_maturity, tip, at, coin);
        fields.insert("spentBy".into(), spenders.get(at).map(TxId::to_string).into());
        Value::Object(fields)
    };
    coins.iter().map(one).collect()
}

/// Coins, and the cursor of what comes after them.
type CoinsPage = (Vec<(OutPoint, Coin)>, Option<String>);

fn page_of_coins(
    call: &Call,
    snapshot: &Snapshot,
    locks: &[Lock],
    (first, mut after): Cursor,
    limit: usize,
) -> RpcResult<CoinsPage> {
    let mut coins = Vec::new();
    for (number, lock) in locks.iter().enumerate().skip(first) {
        loop {
            call.check()?;
            let found = read(snapshot.coins_of(lock, after.take(), limit - coins.len()))?;
            coins.extend(found.coins.iter().map(|coin| (coin.outpoint, coin.coin)));
            let Some(next) = found.next else { break };
            if coins.len() == limit {
                return Ok((coins, Some(write_cursor(number, next))));
            }
            after = Some(next);
        }
    }
    Ok((coins, None))
}

fn pending_of(context: &Context, locks: &[Lock]) -> RpcResult<LockPending> {
    let mut all = LockPending::default();
    if context.engine.mempool_stats().transactions == 0 {
        return Ok(all);
    }
    for one in context.ask(context.engine.mempool_of_locks(locks.to_vec()))? {
        all.incoming.extend(one.incoming);
        all.spent.extend(one.spent);
    }
    Ok(all)
}

fn get_balance(context: &Context, mut args: Args) -> RpcResult<Value> {
    let locks = locks_of(context, args.required()?)?;
    let call = args.call();
    let snapshot = context.snapshot()?;
    let pending = pending_of(context, &locks)?;
    let (mut confirmed, mut immature, mut count) = (Amount::ZERO, Amount::ZERO, 0usize);
    let add = |sum: Amount, more: Amount| sum.add(more).map_err(internal);
    for lock in &locks {
        let mut after = None;
        loop {
            call.check()?;
            let page = read(snapshot.coins_of(lock, after, usize::MAX))?;
            count += page.coins.len();
            for PlacedCoin { coin, .. } in &page.coins {
                match render::is_mature(context.spec.coinbase_maturity, snapshot.tip().height, coin) {
                    true => confirmed = add(confirmed, coin.output.amount)?,
                    false => immature = add(immature, coin.output.amount)?,
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    let mut pending_out = Amount::ZERO;
    for (at, output, _) in &pending.spent {
        if read(snapshot.coin(at))?.is_some() {
            pending_out = add(pending_out, output.amount)?;
        }
    }
    let pending_in = Amount::sum(pending.incoming.iter().map(|(_, output)| output.amount)).map_err(internal)?;
    let spendable = add(Amount(confirmed.0.saturating_sub(pending_out.0)), pending_in)?;
    Ok(json!({
        "confirmed": confirmed.0,
        "immature": immature.0,
        "pendingIn": pending_in.0,
        "pendingOut": pending_out.0,
        "spendable": spendable.0,
        "coins": count,
    }))
}

fn get_coin(context: &Context, mut args: Args) -> RpcResult<Value> {
    let at = OutPoint { txid: args.required()?, index: args.required()? };
    let mempool = args.optional()?.unwrap_or(true);
    if mempool && context.ask(context.engine.mempool_spender(at))?.is_some() {
        return Ok(Value::Null);
    }
    let snapshot = context.snapshot()?;
    if let Some(coin) = read(snapshot.coin(&at))? {
        let tip = snapshot.tip().height;
        let mut fields = render::coin(&context.spec.hrp, context.spec.coinbase_maturity, tip, &at, &coin);
        fields.insert("madeBy".into(), maker(&snapshot, &at, &coin)?.to_string().into());
        return Ok(fields.into());
    }
    if !mempool {
        return Ok(Value::Null);
    }
    let made = context.ask(context.engine.mempool_transaction(at.txid))?;
    let output = made.as_ref().and_then(|entry| match entry.transaction.as_ref() {
        Transaction::Coin(coin) => coin.outputs.get(at.index as usize),
        _ => None,
    });
    let coin = output.filter(|output| !matches!(output.lock, Lock::Account(_)));
    Ok(coin
        .map(|output| {
            let mut fields = render::pending_coin(&context.spec.hrp, &at, output);
            fields.insert("madeBy".into(), at.txid.to_string().into());
            fields
        })
        .into())
}

/// The transaction that made a coin: the one that its outpoint names, or the account transaction that withdrew it (GW-6).
fn maker(snapshot: &Snapshot, at: &OutPoint, coin: &Coin) -> RpcResult<TxId> {
    let Some(block) = read(snapshot.at_height(coin.height))?.filter(|_| !coin.coinbase) else { return Ok(at.txid) };
    let receipts = read(snapshot.receipts(block))?.unwrap_or_default();
    if receipts.is_empty() {
        return Ok(at.txid);
    }
    let body = read::body(snapshot, block)?;
    for stored in &receipts {
        let Some(txid) = body.transactions.get(stored.position as usize).map(Transaction::txid) else { continue };
        if withdrawals(txid, &stored.receipt.logs).iter().any(|(made, _)| made == at) {
            return Ok(txid);
        }
    }
    Ok(at.txid)
}

fn decode(args: &mut Args) -> RpcResult<Transaction> {
    let HexBytes(bytes) = args.required()?;
    codec::decode(&bytes).map_err(|error| invalid(format!("transaction: {error}")))
}

fn send_raw_transaction(context: &Context, mut args: Args) -> RpcResult<Value> {
    let transaction = decode(&mut args)?;
    match context.wait(context.engine.submit_transaction(transaction)) {
        Ok(txid) | Err(SubmitError::Mempool(MempoolError::AlreadyKnown(txid))) => Ok(txid.to_string().into()),
        Err(error) => Err(submit_error(error)),
    }
}

fn test_transaction(context: &Context, mut args: Args) -> RpcResult<Value> {
    let transaction = decode(&mut args)?;
    let txid = transaction.txid().to_string();
    Ok(match context.wait(context.engine.test_transaction(transaction)) {
        Ok(tested) => json!({
            "txid": txid, "allowed": true, "reason": null, "fee": tested.fee.0, "gas": tested.gas,
            "tipPerGas": render::tip(tested.tip_per_gas),
        }),
        Err(error @ (SubmitError::Rule(_) | SubmitError::Mempool(_))) => json!({
            "txid": txid, "allowed": false, "reason": error.to_string(), "fee": null, "gas": null, "tipPerGas": null,
        }),
        Err(error) => return Err(submit_error(error)),
    })
}

fn decode_transaction(context: &Context, mut args: Args) -> RpcResult<Value> {
    Ok(Value::Object(render::transaction(&context.spec.hrp, &decode(&mut args)?, None)))
}

fn get_transaction(context: &Context, mut args: Args) -> RpcResult<Value> {
    let txid: TxId = args.required()?;
    if let Some(entry) = context.ask(context.engine.mempool_transaction(txid))? {
        let fields = render::transaction(&context.spec.hrp, &entry.transaction, entry.sender);
        let is_coin = matches!(entry.transaction.as_ref(), Transaction::Coin(_));
        let rest = json!({
            "blockHash": null, "height": null, "position": null, "time": null, "confirmations": 0,
            "fee": is_coin.then_some(entry.fee.0), "success": null, "hex": hex::encode(entry.transaction.encode()),
        });
        return Ok(render::join(fields, rest));
    }
    let snapshot = context.snapshot()?;
    let Some((place, block)) = read::transaction(&snapshot, &txid)? else {
        return Ok(Value::Null);
    };
    let tx = &block.transactions[place.position as usize];
    let receipt = receipt(&snapshot, place)?;
    let (sender, success) = receipt.as_ref().map_or((None, true), |of| (Some(of.sender), of.receipt.success));
    let fee = match tx {
        Transaction::Coin(coin) => Spent::of(&snapshot, place.block, &block)?.fee(coin).map(|fee| fee.0),
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
    let mut fields = render::transaction(&context.spec.hrp, tx, sender);
    if let Some(stored) = &receipt {
        let withdrawn = withdrawals(txid, &stored.receipt.logs);
        let withdrawn = withdrawn.iter().map(|(at, output)| render::withdrawn(&context.spec.hrp, at, output));
        fields.insert("withdrawals".into(), withdrawn.collect());
    }
    Ok(render::join(fields, rest))
}

/// The receipt of a transaction, if it is an account transaction.
fn receipt(snapshot: &Snapshot, place: TxPlace) -> RpcResult<Option<StoredReceipt>> {
    let receipts = read(snapshot.receipts(place.block))?.unwrap_or_default();
    Ok(receipts.into_iter().find(|receipt| receipt.position == place.position))
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

fn validate_address(context: &Context, mut args: Args) -> RpcResult<Value> {
    let text: String = args.required()?;
    Ok(match address::parse_destination(&context.spec.hrp, &text) {
        Ok(lock) => json!({
            "valid": true,
            "address": address::encode(&context.spec.hrp, &lock),
            "lock": render::lock(&lock),
            "error": null,
        }),
        Err(error) => json!({ "valid": false, "address": null, "lock": null, "error": error.to_string() }),
    })
}
