//! Transactions of peers on their way into the pool, and those whose parent is not here yet.

use chain_core::{
    block::Block,
    error::{Penalty, RuleError},
    execute::ExecutedBlock,
    hash::TxId,
    transaction::Transaction,
};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
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
    parent: TxId,
}

/// Names do not commit to witnesses: a copy of one peer does not take the place of another's.
type OrphanId = (TxId, PeerId);

/// All of them: at most [`ORPHANS`] of at most [`ORPHAN_BYTES`] each.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    waiting: BTreeMap<OrphanId, Orphan>,
    arrivals: VecDeque<OrphanId>,
}

impl Orphans {
    /// Holds a transaction. If there is no room, the peer that has most of them loses its oldest: many peers together push out
    /// those of an honest one only when they have no more than it has.
    fn hold(&mut self, txid: TxId, peer: PeerId, orphan: Orphan) {
        let copy = (txid, peer);
        let mut counts: BTreeMap<PeerId, usize> = BTreeMap::new();
        self.arrivals.iter().for_each(|(_, peer)| *counts.entry(*peer).or_default() += 1);
        let own = counts.get(&peer).copied().unwrap_or_default();
        let greedy = counts.into_iter().max_by_key(|(_, count)| *count).map(|(peer, _)| peer);
        let loser = match own >= ORPHANS_OF_PEER {
            true => Some(peer),
            false => greedy.filter(|_| self.arrivals.len() >= ORPHANS),
        };
        if let Some(loser) = loser.filter(|_| !self.waiting.contains_key(&copy))
            && let Some(oldest) = self.arrivals.iter().find(|(_, peer)| *peer == loser).copied()
        {
            self.forget(&oldest);
        }
        if self.waiting.insert(copy, orphan).is_none() {
            self.arrivals.push_back(copy);
        }
    }

    fn forget(&mut self, copy: &OrphanId) -> Option<Orphan> {
        self.arrivals.retain(|other| other != copy);
        self.waiting.remove(copy)
    }

    /// Takes out those that waited for one of these, with the peers that sent them.
    fn children_of(&mut self, parents: &HashSet<TxId>) -> Vec<(TxId, Arc<Transaction>, PeerId)> {
        let fits = |orphan: &Orphan| parents.contains(&orphan.parent);
        let ready: Vec<OrphanId> =
            self.arrivals.iter().filter(|copy| self.waiting.get(*copy).is_some_and(fits)).copied().collect();
        let taken = ready.into_iter().filter_map(|copy| Some((copy, self.forget(&copy)?)));
        taken.map(|((txid, peer), orphan)| (txid, orphan.transaction, peer)).collect()
    }

    /// Of these transactions, those that some wait for.
    pub(super) fn parents_among(&self, txids: &HashSet<TxId>) -> impl Iterator<Item = TxId> {
        self.waiting.values().map(|orphan| orphan.parent).filter(|parent| txids.contains(parent))
    }

    fn forget_peer(&mut self, peer: PeerId) {
        self.waiting.retain(|(_, other), _| *other != peer);
        self.arrivals.retain(|(_, other)| *other != peer);
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
        let batch = transactions.into_iter().map(|(txid, transaction)| (txid, transaction, id)).collect();
        self.take_batch(batch)
    }

    fn take_batch(&mut self, mut batch: Vec<(TxId, Arc<Transaction>, PeerId)>) -> Result<(), Fatal> {
        while !batch.is_empty() {
            let results = self.submit(batch.iter().map(|(_, transaction, _)| transaction.clone()).collect())?;
            let mut taken = HashSet::new();
            for ((txid, transaction, peer), result) in batch.into_iter().zip(results) {
                match result {
                    Ok(_) => {
                        self.no_longer_want(&txid);
                        taken.insert(txid);
                    }
                    Err(error) => self.on_refused_transaction(peer, txid, transaction, &error),
                }
            }
            batch = match self.relay.orphans.len() {
                0 => Vec::new(),
                _ => self.relay.orphans.children_of(&taken),
            };
        }
        Ok(())
    }

    /// Another copy of the same name may still be good, unless the refusal holds for all of them.
    fn on_refused_transaction(&mut self, peer: PeerId, txid: TxId, transaction: Arc<Transaction>, error: &SubmitError) {
        self.relay.recent.refused(&txid, &transaction, error);
        if self.is_known(&txid) {
            self.no_longer_want(&txid);
        } else {
            self.ask_another(&txid, peer);
        }
        match error {
            SubmitError::Mempool(MempoolError::MissingCoin(outpoint))
            | SubmitError::Rule(RuleError::MissingCoin(outpoint)) => {
                let parent = outpoint.txid;
                // A parent that is here does not have such an output, or that is spent; one that is refused stays so.
                if self.is_known(&parent) || transaction.encode().len() > ORPHAN_BYTES {
                    return;
                }
                self.relay.orphans.hold(txid, peer, Orphan { transaction, parent });
                self.want(peer, parent);
            }
            SubmitError::Rule(rule) if rule.penalty() != Penalty::None => {
                self.penalize(peer, Offence::InvalidTransaction(rule.clone()));
            }
            _ => {}
        }
    }

    /// A block was connected. Withdrawals make coins under ids of their own.
    pub(in crate::engine) fn note_mined(&mut self, executed: &ExecutedBlock) {
        let relay = &mut self.relay;
        if relay.orphans.len() > 0 {
            let made = executed.effects().created.iter().map(|(outpoint, _)| outpoint.txid).collect();
            relay.parents_mined.extend(relay.orphans.parents_among(&made));
        }
        relay.recent.connected(executed.block().metas().iter().map(|meta| meta.txid));
    }

    /// A block was disconnected: what it brought may be wanted again.
    pub(in crate::engine) fn note_unmined(&mut self, block: &Block) {
        self.relay.recent.disconnected(block.transactions.iter().map(Transaction::txid));
    }

    /// Blocks brought transactions: takes in those that waited for them, once the pool has followed the chain.
    pub(in crate::engine) fn retry_orphans(&mut self) -> Result<(), Fatal> {
        let parents = std::mem::take(&mut self.relay.parents_mined);
        if self.relay.orphans.len() == 0 || parents.is_empty() {
            return Ok(());
        }
        let children = self.relay.orphans.children_of(&parents);
        self.take_batch(children)
    }

    /// A peer is gone, and what waits of it.
    pub(super) fn forget_orphans(&mut self, peer: PeerId) {
        self.relay.orphans.forget_peer(peer);
    }
}

#[cfg(test)]
impl Orphans {
    pub(super) fn holds_of(&self, peer: PeerId) -> bool {
        self.arrivals.iter().any(|(_, other)| *other == peer)
    }
}
