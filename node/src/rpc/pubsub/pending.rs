//! Account transactions that the mempool may mine.

use chain_core::{hash::TxId, transaction::Transaction};
use std::sync::Arc;

use super::topic::Kind;
use crate::rpc::{
    base::{Context, read},
    eth::pending_transaction,
};

/// Publishes transactions whose nonces are next.
pub fn publish(context: &Context, txids: Vec<TxId>) {
    let subscribers = &context.subscribers;
    if txids.is_empty() {
        return;
    }
    context.filters.note_pending(&txids);
    if subscribers.has(Kind::PendingHashes) {
        for txid in &txids {
            subscribers.publish(Kind::PendingHashes, &Arc::from(format!("\"0x{txid}\"")));
        }
    }
    if subscribers.has(Kind::PendingTransactions) {
        // The engine has ended, or there is nothing to publish.
        let asked = txids.clone();
        let entries: Vec<_> = context
            .query(move |engine| asked.iter().map(|txid| engine.mempool().get(txid)).collect())
            .unwrap_or_default();
        for (txid, entry) in txids.iter().zip(entries) {
            let entry = entry.map(|entry| (entry.transaction, entry.sender));
            let found = entry.or_else(|| mined(context, txid).map(|transaction| (Arc::new(transaction), None)));
            if let Some((transaction, sender)) = found
                && let Transaction::Account(transaction) = transaction.as_ref()
            {
                let sender = sender.or_else(|| context.spec.sender_of(transaction).ok());
                let result = pending_transaction(transaction, sender).to_string();
                subscribers.publish(Kind::PendingTransactions, &Arc::from(result));
            }
        }
    }
}

/// A transaction that a block took before it was looked for.
fn mined(context: &Context, txid: &TxId) -> Option<Transaction> {
    let snapshot = context.snapshot().ok()?;
    let (place, mut block) = read::transaction(&snapshot, txid).ok()??;
    Some(block.transactions.swap_remove(place.position as usize))
}
