//! Transactions of an account: in pages of whole blocks, and by nonce.

use alloy_primitives::{Address, B256};
use chain_core::{transaction::Transaction, units::Height};
use serde_json::{Value, json};

use super::{
    history::{Blocks, account_transaction},
    states::first_height,
};
use crate::{
    rpc::{
        base::{
            Args, Call, Context, Count, Method, RpcResult, account, at_height, data, invalid, over_limit, receipts,
        },
        eth::{FullBlock, pending_transaction},
    },
    store::{BlockRef, HistoricalState, HistoryPlace, Snapshot, StoredReceipt, kv::Order},
};

pub const METHODS: &[Method] = &[
    Method::new("ots_searchTransactionsBefore", &["account", "block", "size"], |context, args| {
        search(context, args, Order::Descending)
    })
    .reads(),
    Method::new("ots_searchTransactionsAfter", &["account", "block", "size"], |context, args| {
        search(context, args, Order::Ascending)
    })
    .reads(),
    Method::new("ots_getTransactionBySenderAndNonce", &["account", "nonce"], by_nonce).reads(),
];
/// Anvil's form of the last one.
pub const ETH: &[Method] =
    &[Method::new("eth_getTransactionBySenderAndNonce", &["account", "nonce"], whole_by_nonce).reads()];

/// Most transactions of a page; it goes on to the end of a block.
const MOST_SIZE: u64 = 1_000;
/// Bytes of blocks that one search reads: entries may lie in as many full blocks.
const MOST_READ: usize = 64 << 20;

/// Transactions of blocks below a height, or above it, newest first; 0 is beyond either end.
fn search(context: &Context, mut args: Args, order: Order) -> RpcResult<Value> {
    let (address, Count(block), Count(size)): (Address, _, _) = (args.required()?, args.required()?, args.required()?);
    if !(1..=MOST_SIZE).contains(&size) {
        return Err(invalid(format!("size: expected 1 to {MOST_SIZE}, got {size}")));
    }
    let (call, snapshot) = (args.call(), context.snapshot()?);
    let height = Height::try_from(block).unwrap_or(Height::MAX);
    let beyond = match order {
        Order::Descending => HistoryPlace { height, position: 0 },
        Order::Ascending => HistoryPlace { height, position: u32::MAX },
    };
    let mut blocks = Blocks::new(&snapshot, address, order, (block > 0).then_some(beyond), &call);
    let (mut txs, mut receipts, mut left, mut more) = (Vec::new(), Vec::new(), MOST_READ, false);
    while let Some((height, positions)) = blocks.next_block()? {
        call.check()?;
        let block = FullBlock::load(context, &snapshot, at_height(&snapshot, height)?)?;
        let found: Vec<(Value, Value)> = positions.into_iter().filter_map(|position| entry(&block, position)).collect();
        if found.is_empty() {
            continue;
        }
        if txs.len() as u64 >= size || left == 0 {
            more = true;
            break;
        }
        left = left.saturating_sub(block.size);
        let (of_block, their_receipts): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        txs.extend(of_block);
        receipts.extend(their_receipts);
    }
    let at_end = block == 0 || block > u64::from(snapshot.tip().height);
    let (first, last) = match order {
        Order::Descending => (at_end, !more),
        Order::Ascending => {
            txs.reverse();
            receipts.reverse();
            (!more, block == 0)
        }
    };
    Ok(json!({ "txs": txs, "receipts": receipts, "firstPage": first, "lastPage": last }))
}

/// An account transaction and its receipt with the time of its block.
fn entry(block: &FullBlock, position: u32) -> Option<(Value, Value)> {
    let transaction = block.at_position(position)?;
    let mut receipt = block.receipt_at(position)?;
    receipt["timestamp"] = transaction["blockTimestamp"].clone();
    Some((transaction, receipt))
}

/// A mined transaction: its block, its position in it and its hash.
type Mined = (BlockRef, u32, B256);

/// The hash of the mined transaction with this sender and nonce, or `null`.
fn by_nonce(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (address, Count(nonce)): (Address, _) = (args.required()?, args.required()?);
    Ok(find(&context.snapshot()?, address, nonce, &args.call())?.map(|(.., hash)| data(hash.as_slice())).into())
}

/// The transaction with this sender and nonce, mined or in the mempool, or `null`.
fn whole_by_nonce(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (address, Count(nonce)): (Address, _) = (args.required()?, args.required()?);
    for entry in context.query(move |engine| engine.mempool().of_sender(&address))? {
        if let Transaction::Account(tx) = &*entry.transaction
            && tx.fields().nonce == nonce
        {
            return Ok(pending_transaction(tx, Some(address)));
        }
    }
    let snapshot = context.snapshot()?;
    let Some((at, position, _)) = find(&snapshot, address, nonce, &args.call())? else { return Ok(Value::Null) };
    Ok(FullBlock::load(context, &snapshot, at)?.at_position(position).into())
}

/// The mined transaction with this sender and nonce.
fn find(snapshot: &Snapshot, address: Address, nonce: u64, call: &Call) -> RpcResult<Option<Mined>> {
    if account(snapshot, &address)?.nonce <= nonce {
        return Ok(None);
    }
    let low = snapshot.oldest_state()?;
    let used = |state: &HistoricalState| Ok(account(state, &address)?.nonce > nonce);
    let height = first_height(snapshot, low, call, used)?;
    if height > low {
        return in_block(snapshot, at_height(snapshot, height)?, address, nonce, None);
    }
    // It is in a block whose state is not kept: the index lists the candidates.
    let beyond = HistoryPlace { height: low, position: u32::MAX };
    let mut blocks = Blocks::new(snapshot, address, Order::Descending, Some(beyond), call);
    let mut left = MOST_READ;
    while let Some((height, positions)) = blocks.next_block()? {
        call.check()?;
        if left == 0 {
            return Err(over_limit(format!("nonce: more than {} MB of blocks would be read", MOST_READ >> 20)));
        }
        let at = at_height(snapshot, height)?;
        left = left.saturating_sub(snapshot.body_bytes(at)?.len());
        let found = in_block(snapshot, at, address, nonce, Some(&positions))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// A block's transaction with this sender and nonce, at one of these positions.
fn in_block(
    snapshot: &Snapshot,
    at: BlockRef,
    sender: Address,
    nonce: u64,
    positions: Option<&[u32]>,
) -> RpcResult<Option<Mined>> {
    let block = snapshot.body(at)?;
    let sent = receipts(snapshot, at)?
        .into_iter()
        .filter(|receipt| receipt.sender == sender && positions.is_none_or(|at| at.contains(&receipt.position)));
    let with_nonce = |receipt: StoredReceipt| {
        let transaction = account_transaction(&block.transactions, receipt.position)?;
        (transaction.fields().nonce == nonce).then(|| (at, receipt.position, transaction.hash()))
    };
    Ok(sent.into_iter().find_map(with_nonce))
}
