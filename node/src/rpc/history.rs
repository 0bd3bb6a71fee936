//! What happened to an address or an account, newest first, in pages.

use alloy_primitives::{Address, U256};
use chain_core::{
    block::Block,
    execute::GATEWAY,
    hash::TxId,
    transaction::{Transaction, account::AccountTransaction, coin::Lock},
    units::{Amount, Height},
};
use serde_json::{Value, json};

use super::{
    Context,
    error::{RpcResult, internal, invalid},
    eth_fees::effective_price,
    params::{Args, Options},
    read::{header, read, sized_body},
    render::{self, Fields},
};
use crate::{
    mempool::MempoolEntry,
    store::{BlockRef, HeaderRecord, HistoryPlace, Snapshot, StoredReceipt},
};

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1_000;
/// Bytes of blocks that one page reads: entries may lie in as many full blocks. The page ends early then.
const MOST_READ: usize = 64 << 20;

/// Where a page starts, and how long it is.
struct Page {
    before: Option<HistoryPlace>,
    limit: usize,
}

impl Page {
    fn read(args: &mut Args) -> RpcResult<Self> {
        let options = Options::new("options", args.optional()?, &["cursor", "limit"])?;
        let limit = options.get::<u32>("limit")?.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(invalid(format!("options.limit: expected 1 to {MAX_LIMIT}, got {limit}")));
        }
        let before = options.get::<String>("cursor")?.map(|text| parse_cursor(&text)).transpose()?;
        Ok(Self { before, limit: limit as usize })
    }
}

fn parse_cursor(text: &str) -> RpcResult<HistoryPlace> {
    let parsed = text.split_once(':').and_then(|(height, position)| {
        Some(HistoryPlace { height: height.parse().ok()?, position: position.parse().ok()? })
    });
    parsed.ok_or_else(|| invalid("options.cursor: expected the \"next\" of an earlier page"))
}

fn cursor(places: &[HistoryPlace], limit: usize) -> Option<String> {
    places.last().filter(|_| places.len() == limit).map(|place| format!("{}:{}", place.height, place.position))
}

/// Reads blocks for a history, keeping the last one, since neighbours often share it.
struct Blocks<'a> {
    snapshot: &'a Snapshot,
    last: Option<Loaded>,
    /// Bytes of bodies that may still be read; the block that passes the limit is read to its end.
    left: usize,
}

struct Loaded {
    at: BlockRef,
    record: HeaderRecord,
    block: Block,
    receipts: Vec<StoredReceipt>,
}

impl<'a> Blocks<'a> {
    fn new(snapshot: &'a Snapshot, most: usize) -> Self {
        Self { snapshot, last: None, left: most }
    }

    fn at(&mut self, height: Height) -> RpcResult<&Loaded> {
        let loaded = match self.last.take() {
            Some(loaded) if loaded.at.height == height => loaded,
            _ => self.load(height)?,
        };
        Ok(self.last.insert(loaded))
    }

    fn load(&mut self, height: Height) -> RpcResult<Loaded> {
        let at = at_height(self.snapshot, height)?;
        let (block, size) = sized_body(self.snapshot, at)?;
        self.left = self.left.saturating_sub(size);
        Ok(Loaded {
            at,
            record: header(self.snapshot, at)?,
            block,
            receipts: read(self.snapshot.receipts(at))?.unwrap_or_default(),
        })
    }
}

impl Loaded {
    fn transaction(&self, place: HistoryPlace) -> RpcResult<&Transaction> {
        self.block.transactions.get(place.position as usize).ok_or_else(|| {
            internal(format!("the index names transaction {} of block {}", place.position, self.at.hash))
        })
    }

    fn fields(&self, txid: TxId, tip: Height) -> Fields {
        mined_fields(txid, self.at, &self.record, tip)
    }
}

fn mined_fields(txid: TxId, at: BlockRef, record: &HeaderRecord, tip: Height) -> Fields {
    render::fields(json!({
        "txid": txid.to_string(),
        "height": at.height,
        "blockHash": at.hash.to_string(),
        "time": record.header.time,
        "confirmations": tip - at.height + 1,
    }))
}

/// A block of the active chain that an index names.
fn at_height(snapshot: &Snapshot, height: Height) -> RpcResult<BlockRef> {
    read(snapshot.at_height(height))?
        .ok_or_else(|| internal(format!("the index names height {height}, which the chain does not have")))
}

fn pending_fields(txid: TxId) -> Fields {
    render::fields(json!({
        "txid": txid.to_string(), "height": null, "blockHash": null, "time": null, "confirmations": 0,
    }))
}

/// `coin_getHistory`
pub(super) fn get_coin_history(context: &Context, mut args: Args) -> RpcResult<Value> {
    let lock = super::coin::lock_of(context, &args.required::<String>()?)?;
    let page = Page::read(&mut args)?;
    let snapshot = context.snapshot()?;
    let tip = snapshot.tip().height;
    let events = read(snapshot.lock_history(&lock, page.before, page.limit))?;
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
        let amounts = json!({ "kind": kind, "received": event.received.0, "sent": event.sent.0 });
        entries.push(render::join(mined_fields(event.txid, at, &header(&snapshot, at)?, tip), amounts));
    }
    let places: Vec<_> = events.iter().map(|event| event.place).collect();
    Ok(json!({ "entries": entries, "next": cursor(&places, page.limit) }))
}

fn pending_of_lock(context: &Context, lock: Lock) -> RpcResult<Vec<Value>> {
    let pending = context.ask(context.engine.mempool_of_locks(vec![lock]))?.pop().unwrap_or_default();
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
        render::join(pending_fields(txid), json!({ "kind": "coin", "received": received.0, "sent": sent.0 }))
    };
    Ok(sums.into_iter().map(entry).collect())
}

/// `chain_getAccountHistory`
pub(super) fn get_account_history(context: &Context, args: Args) -> RpcResult<Value> {
    account_history(context, args, MOST_READ)
}

/// The same, reading so many bytes of blocks at most.
pub(super) fn account_history(context: &Context, mut args: Args, most_read: usize) -> RpcResult<Value> {
    let address: Address = args.required()?;
    let page = Page::read(&mut args)?;
    let call = args.call();
    let snapshot = context.snapshot()?;
    let tip = snapshot.tip().height;
    let events = read(snapshot.account_history(&address, page.before, page.limit))?;
    let mut entries = Vec::new();
    if page.before.is_none() {
        let pending = context.ask(context.engine.mempool_of_sender(address))?;
        entries.extend(pending.iter().rev().filter_map(|entry| pending_of_account(address, entry)));
        entries.extend(pending_deposits(context, address)?);
    }
    let mut blocks = Blocks::new(&snapshot, most_read);
    let mut places = Vec::with_capacity(events.len());
    for event in &events {
        if blocks.left == 0 {
            break;
        }
        call.check()?;
        let loaded = blocks.at(event.place.height)?;
        let tx = loaded.transaction(event.place)?;
        entries.push(render::join(loaded.fields(tx.txid(), tip), on_account(address, loaded, event.place, tx)));
        places.push(event.place);
    }
    let limit = if places.len() < events.len() { places.len() } else { page.limit };
    Ok(json!({ "entries": entries, "next": cursor(&places, limit) }))
}

fn pending_of_account(address: Address, entry: &MempoolEntry) -> Option<Value> {
    let Transaction::Account(tx) = entry.transaction.as_ref() else {
        return None;
    };
    let from = entry.sender.unwrap_or(address);
    Some(render::join(pending_fields(entry.txid), moved(address, from, tx, None)))
}

/// What coin transactions of the mempool pay to an account.
fn pending_deposits(context: &Context, address: Address) -> RpcResult<Vec<Value>> {
    let pending = context.ask(context.engine.mempool_of_locks(vec![Lock::Account(address)]))?.pop().unwrap_or_default();
    let mut sums: Vec<(TxId, U256)> = Vec::new();
    for (outpoint, output) in &pending.incoming {
        let value = output.amount.to_wei();
        match sums.last_mut().filter(|(txid, _)| *txid == outpoint.txid) {
            Some((_, sum)) => *sum += value,
            None => sums.push((outpoint.txid, value)),
        }
    }
    let entry = |(txid, value): (TxId, U256)| {
        let mut deposit = credit("deposit", address, value);
        deposit["success"] = Value::Null;
        render::join(pending_fields(txid), deposit)
    };
    Ok(sums.into_iter().map(entry).collect())
}

fn on_account(address: Address, loaded: &Loaded, place: HistoryPlace, tx: &Transaction) -> Value {
    match tx {
        Transaction::Coinbase(_) => credit("reward", address, account_tips(loaded)),
        Transaction::Coin(coin) => {
            let paid = coin.outputs.iter().filter(|output| output.lock == Lock::Account(address));
            credit("deposit", address, paid.map(|output| output.amount.to_wei()).sum())
        }
        Transaction::Account(tx) => {
            let receipt = loaded.receipts.iter().find(|receipt| receipt.position == place.position);
            let from = receipt.map(|receipt| receipt.sender).or_else(|| tx.recover_sender().ok()).unwrap_or_default();
            let base_fee = loaded.record.executed.map_or(0, |executed| executed.base_fee);
            moved(address, from, tx, receipt.map(|receipt| (receipt, base_fee)))
        }
    }
}

fn credit(kind: &str, to: Address, value: U256) -> Value {
    json!({
        "kind": kind, "direction": "in", "from": null, "to": render::account(&to), "valueWei": render::wei(value),
        "feeWei": "0", "success": true,
    })
}

/// Tips of all account transactions of a block.
fn account_tips(loaded: &Loaded) -> U256 {
    let base_fee = loaded.record.executed.map_or(0, |executed| executed.base_fee);
    let tip = |receipt: &StoredReceipt| match loaded.block.transactions.get(receipt.position as usize) {
        Some(Transaction::Account(tx)) => {
            let tip = effective_price(&tx.fields().fees, base_fee).saturating_sub(U256::from(base_fee));
            tip.saturating_mul(U256::from(receipt.gas_used))
        }
        _ => U256::ZERO,
    };
    loaded.receipts.iter().map(tip).sum()
}

/// What an account transaction did for one of its parties. Without a receipt it waits in the mempool.
fn moved(address: Address, from: Address, tx: &AccountTransaction, receipt: Option<(&StoredReceipt, u64)>) -> Value {
    let said = tx.fields();
    let kind = match said.to {
        None => "create",
        Some(to) if to == GATEWAY && !said.input.is_empty() => "withdrawal",
        Some(_) if said.input.is_empty() => "transfer",
        Some(_) => "call",
    };
    let direction = match (from == address, said.to == Some(address)) {
        (true, true) => "self",
        (true, false) => "out",
        _ => "in",
    };
    let fee = receipt
        .map(|(receipt, base_fee)| effective_price(&said.fees, base_fee).saturating_mul(U256::from(receipt.gas_used)));
    json!({
        "kind": kind,
        "direction": direction,
        "from": render::account(&from),
        "to": said.to.as_ref().map(render::account),
        "valueWei": render::wei(said.value),
        "feeWei": fee.map(render::wei),
        "success": receipt.map(|(receipt, _)| receipt.receipt.success),
    })
}
