//! Transactions of peers on their way into the pool, and those whose parent is not here yet.

use chain_core::{
    error::{Penalty, RuleError},
    hash::TxId,
    transaction::Transaction,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crate::{
    engine::{Engine, Offence, PeerId, SubmitError, error::Fatal},
    mempool::MempoolError,
};

/// Most transactions that wait for a parent, of all peers and of one.
pub(super) const ORPHANS: usize = 256;
const ORPHANS_OF_PEER: usize = 32;

/// Most bytes of one that waits.
const ORPHAN_BYTES: usize = 32 << 10;

/// A transaction that waits for the one that it spends from.
#[derive(Debug)]
struct Orphan {
    transaction: Arc<Transaction>,
    peer: PeerId,
    parent: TxId,
}

/// All of them: at most [`ORPHANS`] of at most [`ORPHAN_BYTES`] each.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    waiting: BTreeMap<TxId, Orphan>,
    arrivals: VecDeque<TxId>,
}

impl Orphans {
    /// Holds a transaction; of the same peer, or of all, the oldest gives way.
    fn hold(&mut self, txid: TxId, orphan: Orphan) {
        let of_peer = |txid: &&TxId| self.waiting.get(*txid).is_some_and(|other| other.peer == orphan.peer);
        let own: Vec<TxId> = self.arrivals.iter().filter(of_peer).copied().collect();
        let oldest = match own.len() >= ORPHANS_OF_PEER {
            true => own.first().copied(),
            false => self.arrivals.front().copied().filter(|_| self.arrivals.len() >= ORPHANS),
        };
        if let Some(oldest) = oldest {
            self.forget(&oldest);
        }
        if self.waiting.insert(txid, orphan).is_none() {
            self.arrivals.push_back(txid);
        }
    }

    fn forget(&mut self, txid: &TxId) -> Option<Orphan> {
        self.arrivals.retain(|other| other != txid);
        self.waiting.remove(txid)
    }

    /// Takes out those that waited for one of these.
    fn children_of(&mut self, parents: &[TxId]) -> Vec<(TxId, Orphan)> {
        let fits = |orphan: &Orphan| parents.contains(&orphan.parent);
        let ready: Vec<TxId> =
            self.arrivals.iter().filter(|txid| self.waiting.get(*txid).is_some_and(fits)).copied().collect();
        ready.into_iter().filter_map(|txid| Some((txid, self.forget(&txid)?))).collect()
    }

    fn forget_peer(&mut self, peer: PeerId) {
        self.waiting.retain(|_, orphan| orphan.peer != peer);
        self.arrivals.retain(|txid| self.waiting.contains_key(txid));
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl Engine {
    /// Puts a peer's transactions into the pool, and those that waited for them.
    pub(super) fn take_transactions(
        &mut self,
        id: PeerId,
        transactions: Vec<(TxId, Arc<Transaction>)>,
    ) -> Result<(), Fatal> {
        let mut batch: Vec<(TxId, Arc<Transaction>, PeerId)> =
            transactions.into_iter().map(|(txid, transaction)| (txid, transaction, id)).collect();
        while !batch.is_empty() {
            let results = self.submit(batch.iter().map(|(_, transaction, _)| transaction.clone()).collect())?;
            let mut taken = Vec::new();
            for ((txid, transaction, peer), result) in batch.into_iter().zip(results) {
                match result {
                    Ok(_) => taken.push(txid),
                    Err(error) => self.on_refused_transaction(peer, txid, transaction, &error),
                }
            }
            let children = match self.relay.orphans.len() {
                0 => Vec::new(),
                _ => self.relay.orphans.children_of(&taken),
            };
            batch = children.into_iter().map(|(txid, orphan)| (txid, orphan.transaction, orphan.peer)).collect();
        }
        Ok(())
    }

    fn on_refused_transaction(&mut self, peer: PeerId, txid: TxId, transaction: Arc<Transaction>, error: &SubmitError) {
        match error {
            SubmitError::Mempool(MempoolError::MissingCoin(outpoint))
            | SubmitError::Rule(RuleError::MissingCoin(outpoint)) => {
                let parent = outpoint.txid;
                // A parent that is here does not have such an output, or that is spent.
                if self.mempool.contains(&parent) || transaction.encode().len() > ORPHAN_BYTES {
                    return;
                }
                self.relay.orphans.hold(txid, Orphan { transaction, peer, parent });
                self.want(peer, parent);
            }
            SubmitError::Rule(rule) if rule.penalty() != Penalty::None => {
                self.penalize(peer, Offence::InvalidTransaction(rule.clone()));
            }
            _ => {}
        }
    }

    /// A peer is gone, and what waits of it.
    pub(super) fn forget_orphans(&mut self, peer: PeerId) {
        self.relay.orphans.forget_peer(peer);
    }
}
