//! `coin_*` about coins and the addresses that hold them.

use chain_core::{
    address,
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

use crate::{
    mempool::LockPending,
    rpc::base::{Addresses, Args, Call, Context, Method, Options, RpcResult, internal, invalid, receipts, render},
    store::{CoinPlace, HistoryPlace, PlacedCoin, Snapshot},
};

pub const METHODS: &[Method] = &[
    Method::new("coin_getCoins", &["address", "options"], get_coins).reads(),
    Method::new("coin_getBalance", &["address", "most"], get_balance).reads(),
    Method::new("coin_getCoin", &["txid", "index", "mempool"], get_coin),
    Method::new("coin_validateAddress", &["address"], validate_address),
];

/// Most coins in one page.
const MAX_PAGE: u32 = 10_000;

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
    let locks = args.required::<Addresses>()?.locks(&context.spec.hrp)?;
    let options = Options::new("options", args.optional()?, &["mempool", "limit", "cursor"])?;
    let mempool = options.get("mempool")?.unwrap_or(true);
    let limit = options.limit(MAX_PAGE, MAX_PAGE)?;
    let cursor = options.get::<String>("cursor")?.map(|text| parse_cursor(&text)).transpose()?;
    let call = args.call();
    let snapshot = context.snapshot()?;
    let (coins, next) = page_of_coins(&call, &snapshot, &locks, cursor.unwrap_or_default(), limit)?;
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
            let found = snapshot.coins_of(lock, after.take(), limit - coins.len())?;
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
    if context.engine.mempool_stats().transactions == 0 {
        return Ok(LockPending::default());
    }
    let locks = locks.to_vec();
    context.query(move |engine| {
        let mut all = LockPending::default();
        for one in locks.iter().map(|lock| engine.mempool().of_lock(lock)) {
            all.incoming.extend(one.incoming);
            all.spent.extend(one.spent);
        }
        all
    })
}

fn get_balance(context: &Context, mut args: Args) -> RpcResult<Value> {
    let locks = args.required::<Addresses>()?.locks(&context.spec.hrp)?;
    let mut left = args.optional::<u32>()?.map_or(usize::MAX, |most| most as usize);
    let call = args.call();
    let snapshot = context.snapshot()?;
    let pending = pending_of(context, &locks)?;
    let (mut confirmed, mut immature, mut count, mut complete) = (Amount::ZERO, Amount::ZERO, 0usize, true);
    let add = |sum: Amount, more: Amount| sum.add(more).map_err(internal);
    for lock in &locks {
        let mut after = None;
        loop {
            call.check()?;
            if left == 0 {
                complete = false;
                break;
            }
            let page = snapshot.coins_of(lock, after, usize::MAX)?;
            left = left.saturating_sub(page.read);
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
        if snapshot.coin(at)?.is_some() {
            pending_out = add(pending_out, output.amount)?;
        }
    }
    let pending_in = Amount::sum(pending.incoming.iter().map(|(_, output)| output.amount)).map_err(internal)?;
    let spendable = add(Amount::from_grains(confirmed.grains().saturating_sub(pending_out.grains())), pending_in)?;
    Ok(json!({
        "confirmed": confirmed.grains(),
        "immature": immature.grains(),
        "pendingIn": pending_in.grains(),
        "pendingOut": pending_out.grains(),
        "spendable": spendable.grains(),
        "coins": count,
        "complete": complete,
    }))
}

fn get_coin(context: &Context, mut args: Args) -> RpcResult<Value> {
    let at = OutPoint { txid: args.required()?, index: args.required()? };
    let mempool = args.optional()?.unwrap_or(true);
    if mempool && context.query(move |engine| engine.mempool().spender(&at))?.is_some() {
        return Ok(Value::Null);
    }
    let snapshot = context.snapshot()?;
    if let Some(coin) = snapshot.coin(&at)? {
        let tip = snapshot.tip().height;
        let mut fields = render::coin(&context.spec.hrp, context.spec.coinbase_maturity, tip, &at, &coin);
        fields.insert("madeBy".into(), maker(&snapshot, &at, &coin)?.to_string().into());
        return Ok(fields.into());
    }
    if !mempool {
        return Ok(Value::Null);
    }
    let made = context.query(move |engine| engine.mempool().get(&at.txid))?;
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
    let Some(block) = snapshot.at_height(coin.height)?.filter(|_| !coin.coinbase) else { return Ok(at.txid) };
    let receipts = receipts(snapshot, block)?;
    if receipts.is_empty() {
        return Ok(at.txid);
    }
    let body = snapshot.body(block)?;
    for stored in &receipts {
        let Some(txid) = body.transactions.get(stored.position as usize).map(Transaction::txid) else { continue };
        if withdrawals(txid, &stored.receipt.logs).iter().any(|(made, _)| made == at) {
            return Ok(txid);
        }
    }
    Ok(at.txid)
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
