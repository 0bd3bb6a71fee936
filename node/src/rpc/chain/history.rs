//! What happened to an account.

use alloy_primitives::{Address, U256};
use chain_core::{
    block::Block,
    execute::GATEWAY,
    hash::TxId,
    spec::ChainSpec,
    transaction::{Transaction, account::AccountTransaction, coin::Lock},
    units::Height,
};
use serde_json::{Value, json};

use crate::{
    mempool::MempoolEntry,
    rpc::base::{
        Args, Context, Fields, Method, Page, RpcResult, at_height, cursor, effective_price, header, internal,
        mined_fields, pending_fields, receipts, render,
    },
    store::{BlockRef, HeaderRecord, HistoryPlace, Snapshot, StoredReceipt},
};

pub const METHODS: &[Method] = &[Method::new("chain_getAccountHistory", &["account", "options"], |context, args| {
    account_history(context, args, MOST_READ)
})
.reads()];

/// Bytes of blocks that one page reads: entries may lie in as many full blocks. The page ends early then.
const MOST_READ: usize = 64 << 20;

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
        let (block, size) = self.snapshot.sized_body(at)?;
        self.left = self.left.saturating_sub(size);
        Ok(Loaded { at, record: header(self.snapshot, at)?, block, receipts: receipts(self.snapshot, at)? })
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

/// `chain_getAccountHistory`, reading so many bytes of blocks at most.
pub fn account_history(context: &Context, mut args: Args, most_read: usize) -> RpcResult<Value> {
    let address: Address = args.required()?;
    let page = Page::read(&mut args)?;
    let call = args.call();
    let snapshot = context.snapshot()?;
    let tip = snapshot.tip().height;
    let all = snapshot.account_history(&address, page.before, page.limit)?;
    let mut entries = Vec::new();
    if page.before.is_none() {
        let pending = context.query(move |engine| engine.mempool().of_sender(&address))?;
        entries.extend(pending.iter().rev().filter_map(|entry| pending_of_account(address, entry)));
        entries.extend(pending_deposits(context, address)?);
    }
    let mut blocks = Blocks::new(&snapshot, most_read);
    let mut places = Vec::with_capacity(all.len());
    for place in &all {
        if blocks.left == 0 {
            break;
        }
        call.check()?;
        let loaded = blocks.at(place.height)?;
        let tx = loaded.transaction(*place)?;
        entries
            .push(render::join(loaded.fields(tx.txid(), tip), on_account(&context.spec, address, loaded, *place, tx)));
        places.push(*place);
    }
    let limit = if places.len() < all.len() { places.len() } else { page.limit };
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
    let pending = context.query(move |engine| engine.mempool().of_lock(&Lock::Account(address)))?;
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

fn on_account(spec: &ChainSpec, address: Address, loaded: &Loaded, place: HistoryPlace, tx: &Transaction) -> Value {
    match tx {
        Transaction::Coinbase(_) => credit("reward", address, account_tips(loaded)),
        Transaction::Coin(coin) => {
            let paid = coin.outputs.iter().filter(|output| output.lock == Lock::Account(address));
            credit("deposit", address, paid.map(|output| output.amount.to_wei()).sum())
        }
        Transaction::Account(tx) => {
            let receipt = loaded.receipts.iter().find(|receipt| receipt.position == place.position);
            let from = receipt.map(|receipt| receipt.sender).or_else(|| spec.sender_of(tx).ok()).unwrap_or_default();
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
