//! Transactions whose parent is not here yet.

use chain_core::{hash::TxId, transaction::Transaction};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
};

use crate::engine::PeerId;

/// Most transactions that wait for a parent, of all peers and of one.
pub(in crate::engine::relay) const ORPHANS: usize = 256;
const ORPHANS_OF_PEER: usize = 32;

/// Most bytes of one that waits.
pub(super) const ORPHAN_BYTES: usize = 32 << 10;

/// A transaction that waits for the one that it spends from.
#[derive(Debug)]
pub(super) struct Orphan {
    pub(super) transaction: Arc<Transaction>,
    pub(super) parent: TxId,
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
    /// Holds a transaction. When it is full, the peer that has most of them loses its oldest: many peers together push out
    /// those of an honest one only when they have no more than it has.
    pub(super) fn hold(&mut self, txid: TxId, peer: PeerId, orphan: Orphan) {
        let copy = (txid, peer);
        let mut counts: BTreeMap<PeerId, usize> = BTreeMap::new();
        self.arrivals.iter().for_each(|(_, peer)| *counts.entry(*peer).or_default() += 1);
        let own = counts.get(&peer).copied().unwrap_or_default();
        let greedy = counts.into_iter().max_by_key(|(_, count)| *count).map(|(peer, _)| peer);
        let full = self.arrivals.len() >= ORPHANS;
        let loser = if own >= ORPHANS_OF_PEER { Some(peer) } else { greedy.filter(|_| full) };
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
    pub(super) fn children_of(&mut self, parents: &HashSet<TxId>) -> Vec<(TxId, Arc<Transaction>, PeerId)> {
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

    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        self.waiting.retain(|(_, other), _| *other != peer);
        self.arrivals.retain(|(_, other)| *other != peer);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
impl Orphans {
    pub(in crate::engine::relay) fn holds_of(&self, peer: PeerId) -> bool {
        self.arrivals.iter().any(|(_, other)| *other == peer)
    }
}
