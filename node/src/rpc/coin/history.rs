//! What happened to an address.

use chain_core::{hash::TxId, transaction::coin::Lock, units::Amount};
use serde_json::{Value, json};

use crate::rpc::base::{
    Args, Context, Method, Page, RpcResult, at_height, cursor, header, internal, lock_of, mined_fields, pending_fields,
    render,
};

pub const METHODS: &[Method] = &[Method::new("coin_getHistory", &["address", "options"], get_history).reads()];

fn get_history(context: &Context, mut args: Args) -> RpcResult<Value> {
    let lock = lock_of(&context.spec.hrp, &args.required::<String>()?)?;
    let page = Page::read(&mut args)?;
    let snapshot = context.snapshot()?;
    let tip = snapshot.tip().height;
    let events = snapshot.lock_history(&lock, page.before, page.limit)?;
    let mut entries = match page.before {
        None => pending_of_lock(context, lock)?,
        Some(_) => Vec::new(),
    };
    for event in &events {
        let at = at_height(&snapshot, event.place.height)?;
        let kind = match (event.place.position, event.withdrawal) {
            (0, _) => "coinbase",
            (_, false) => "coin",
            (_, true) => "withdrawal",
        };
        let amounts = json!({ "kind": kind, "received": event.received.grains(), "sent": event.sent.grains() });
        entries.push(render::join(mined_fields(event.txid, at, &header(&snapshot, at)?, tip), amounts));
    }
    let places: Vec<_> = events.iter().map(|event| event.place).collect();
    Ok(json!({ "entries": entries, "next": cursor(&places, page.limit) }))
}

fn pending_of_lock(context: &Context, lock: Lock) -> RpcResult<Vec<Value>> {
    let pending = context.query(move |engine| engine.mempool().of_lock(&lock))?;
    let spent = pending.spent.iter().map(|(outpoint, ..)| outpoint.txid).collect();
    let made_here = context.ask(context.engine.mempool_holds(spent))?;
    let mut sums: Vec<(TxId, Amount, Amount)> = Vec::new();
    let mut add = |txid: TxId, received: Amount, sent: Amount| -> RpcResult<()> {
        let sum = |a: Amount, b: Amount| a.add(b).map_err(internal);
        match sums.iter_mut().find(|entry| entry.0 == txid) {
            Some(entry) => *entry = (txid, sum(entry.1, received)?, sum(entry.2, sent)?),
            None => sums.push((txid, received, sent)),
        }
        Ok(())
    };
    for ((outpoint, output, spender), made_here) in pending.spent.iter().zip(made_here) {
        add(*spender, Amount::ZERO, output.amount)?;
        // A coin that the mempool both makes and spends is not among the incoming ones.
        if made_here {
            add(outpoint.txid, output.amount, Amount::ZERO)?;
        }
    }
    for (outpoint, output) in &pending.incoming {
        add(outpoint.txid, output.amount, Amount::ZERO)?;
    }
    let entry = |(txid, received, sent): (TxId, Amount, Amount)| {
        render::join(
            pending_fields(txid),
            json!({ "kind": "coin", "received": received.grains(), "sent": sent.grains() }),
        )
    };
    Ok(sums.into_iter().map(entry).collect())
}
