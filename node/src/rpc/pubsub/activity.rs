//! Coins that come under watched locks and leave them: in the mempool, in blocks, and undone.

use chain_core::{
    address,
    execute::withdrawals,
    hash::TxId,
    transaction::{
        Transaction,
        coin::{Lock, OutPoint, Output},
    },
};
use serde_json::json;
use std::{collections::HashMap, sync::Arc};

use super::{path::Path, topic::Kind};
use crate::{
    mempool::RemovalReason,
    rpc::base::{Context, RpcResult, receipts},
    store::{BlockRef, Snapshot},
};

/// Movements of watched coins in the mempool that are remembered, to be undone when their transaction leaves it.
const MOST_REMEMBERED: usize = 100_000;

/// A coin that comes under its lock or leaves it.
#[derive(Clone, Copy, Debug)]
struct Movement {
    /// The transaction that moves it.
    txid: TxId,
    outpoint: OutPoint,
    output: Output,
    received: bool,
}

/// Where a movement happened, and whether it still holds.
#[derive(Clone, Copy, Debug)]
enum State {
    Pending,
    /// The transaction left the mempool, and no block holds it.
    Dropped(RemovalReason),
    Confirmed(BlockRef),
    /// The block was disconnected.
    Undone(BlockRef),
}

/// See the module's first lines.
#[derive(Default)]
pub struct Activity {
    remembered: HashMap<TxId, Vec<Movement>>,
    count: usize,
}

impl Activity {
    /// Transactions came into the mempool.
    pub fn added(&mut self, context: &Context, txids: Vec<TxId>) {
        if txids.is_empty() || !context.subscribers.has(Kind::Coins) {
            return;
        }
        let found: RpcResult<Vec<_>> = context.query(move |engine| {
            let pool = engine.mempool();
            txids.into_iter().filter_map(|txid| Some((txid, pool.get(&txid)?, pool.spent_by(&txid)))).collect()
        });
        for (txid, entry, spent) in found.unwrap_or_default() {
            let movements = watched(context, of_transaction(txid, &entry.transaction, &spent));
            movements.iter().for_each(|movement| tell(context, movement, State::Pending));
            self.remember(context, txid, movements);
        }
    }

    fn remember(&mut self, context: &Context, txid: TxId, movements: Vec<Movement>) {
        if movements.is_empty() {
            return;
        }
        self.count += movements.len();
        self.remembered.insert(txid, movements);
        if self.count > MOST_REMEMBERED {
            self.clear();
            let reason = "lagged: too many coins of the subscribed addresses move in the mempool; subscribe again";
            context.subscribers.end_all(Kind::Coins, reason);
        }
    }

    /// A transaction left the mempool.
    pub fn removed(&mut self, context: &Context, txid: TxId, reason: RemovalReason) {
        let Some(movements) = self.remembered.remove(&txid) else { return };
        self.count -= movements.len();
        if reason != RemovalReason::Mined {
            movements.iter().rev().for_each(|movement| tell(context, movement, State::Dropped(reason)));
        }
    }

    /// Forgets what is in the mempool.
    pub fn clear(&mut self) {
        (self.remembered, self.count) = (HashMap::new(), 0);
    }

    /// The chain moved.
    ///
    /// # Errors
    /// If a block cannot be read.
    pub fn moved(&self, context: &Context, snapshot: &Snapshot, path: &Path) -> RpcResult<()> {
        let undone = path.disconnected.iter().map(|at| (*at, State::Undone(*at)));
        for (at, state) in undone.chain(path.connected.iter().map(|at| (*at, State::Confirmed(*at)))) {
            if !context.subscribers.has(Kind::Coins) {
                continue;
            }
            let mut movements = watched(context, of_block(snapshot, at)?);
            if let State::Undone(_) = state {
                movements.reverse();
            }
            movements.iter().for_each(|movement| tell(context, movement, state));
        }
        Ok(())
    }
}

fn watched(context: &Context, movements: Vec<Movement>) -> Vec<Movement> {
    let locks = context.subscribers.watched(movements.iter().map(|movement| movement.output.lock));
    movements.into_iter().filter(|movement| locks.contains(&movement.output.lock)).collect()
}

fn of_transaction(txid: TxId, transaction: &Transaction, spent: &[(OutPoint, Output)]) -> Vec<Movement> {
    // What an account transaction withdraws is known when it has run.
    if matches!(transaction, Transaction::Account(_)) {
        return Vec::new();
    }
    let spent =
        spent.iter().map(|(outpoint, output)| Movement { txid, outpoint: *outpoint, output: *output, received: false });
    let made = transaction.outputs().map(|(index, output)| Movement {
        txid,
        outpoint: OutPoint { txid, index },
        output: *output,
        received: true,
    });
    // What pays an account is no coin.
    spent.chain(made.filter(|movement| !matches!(movement.output.lock, Lock::Account(_)))).collect()
}

fn of_block(snapshot: &Snapshot, at: BlockRef) -> RpcResult<Vec<Movement>> {
    let block = snapshot.body(at)?;
    let mut spends = snapshot.spends(at, &block)?.unwrap_or_default().into_iter().peekable();
    let mut receipts = receipts(snapshot, at)?.into_iter().peekable();
    let mut movements = Vec::new();
    for (position, transaction) in (0..).zip(&block.transactions) {
        let txid = transaction.txid();
        let mut spent = Vec::new();
        while let Some(spend) = spends.next_if(|spend| spend.position == position) {
            spent.push((spend.outpoint, spend.coin.output));
        }
        movements.extend(of_transaction(txid, transaction, &spent));
        if let Some(stored) = receipts.next_if(|stored| stored.position == position) {
            let withdrawn = withdrawals(txid, &stored.receipt.logs).into_iter();
            movements.extend(withdrawn.map(|(outpoint, output)| Movement { txid, outpoint, output, received: true }));
        }
    }
    Ok(movements)
}

fn tell(context: &Context, movement: &Movement, state: State) {
    let (name, at, reason) = match state {
        State::Pending => ("pending", None, None),
        State::Dropped(reason) => ("dropped", None, Some(reason_name(reason))),
        State::Confirmed(at) => ("confirmed", Some(at), None),
        State::Undone(at) => ("undone", Some(at), None),
    };
    let Movement { txid, outpoint, output, received } = movement;
    let result = json!({
        "address": address::encode(&context.spec.hrp, &output.lock),
        "change": if *received { "received" } else { "spent" },
        "state": name,
        "txid": txid.to_string(),
        "coin": { "txid": outpoint.txid.to_string(), "index": outpoint.index, "amount": output.amount.grains() },
        "height": at.map(|at| at.height),
        "blockHash": at.map(|at| at.hash.to_string()),
        "reason": reason,
    });
    context.subscribers.publish_of_lock(&output.lock, &Arc::from(result.to_string()));
}

fn reason_name(reason: RemovalReason) -> &'static str {
    match reason {
        RemovalReason::Mined => "mined",
        RemovalReason::Conflict => "conflict",
        RemovalReason::Replaced(_) => "replaced",
        RemovalReason::Evicted => "evicted",
        RemovalReason::Expired => "expired",
        RemovalReason::ParentRemoved => "parentRemoved",
        RemovalReason::Invalid => "invalid",
        RemovalReason::Unpaid => "unpaid",
    }
}
