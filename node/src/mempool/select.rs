//! Choosing what goes into a block: the best packages first.
//!
//! A package is a coin transaction with those of its ancestors that the block does not hold yet, or the next account
//! transaction of a sender. The block's builder says what became of each package, and the ranking follows: once a
//! parent is in, its children rank without it.

use alloy_primitives::{
    Address,
    map::{HashMap, HashSet},
};
use chain_core::{hash::TxId, transaction::Transaction, units::Gas};
use std::{cmp::Reverse, collections::BinaryHeap, iter::Peekable, sync::Arc};

use super::{
    Id, Mempool,
    coins::Sums,
    rate::{Rate, Tip},
    types::Slot,
};

/// A transaction to push, with its sender if it is an account transaction.
pub type Candidate = (TxId, Arc<Transaction>, Option<Address>);

/// Transactions that go into a block together, parents first.
#[derive(Clone, Debug)]
pub struct Package {
    ids: Vec<Id>,
    /// What it tips for a unit of gas.
    pub(super) tip: Tip,
    /// Gas of all: for an account transaction, its limit.
    pub gas: Gas,
    /// Encoded bytes of all.
    pub bytes: usize,
}

impl Package {
    /// How many transactions it has.
    pub(super) fn count(&self) -> usize {
        self.ids.len()
    }

    /// What it has, parents first.
    pub(super) fn ids(&self) -> &[Id] {
        &self.ids
    }
}

/// What ranks on its own again: a coin transaction some of whose ancestors are in, or the next of a sender.
type Ready = (Tip, Reverse<u64>, Id);

/// One walk through the pool, best first.
pub struct Selection<'a> {
    pool: &'a Mempool,
    ranked: Peekable<Box<dyn Iterator<Item = (Tip, Id)> + 'a>>,
    ready: BinaryHeap<Ready>,
    /// What of a coin transaction's ancestry is still out, where some of it is in.
    left: HashMap<Slot, Sums>,
    included: HashSet<Id>,
    failed: HashSet<Id>,
    /// Next nonce of each sender of whom something is in.
    nonces: HashMap<Address, u64>,
}

impl Mempool {
    /// Starts to choose at the base fee of the next block.
    pub fn select(&self) -> Selection<'_> {
        let ranked: Box<dyn Iterator<Item = (Tip, Id)>> = Box::new(self.ranked());
        Selection {
            pool: self,
            ranked: ranked.peekable(),
            ready: BinaryHeap::new(),
            left: HashMap::default(),
            included: HashSet::default(),
            failed: HashSet::default(),
            nonces: HashMap::default(),
        }
    }
}

impl Selection<'_> {
    /// The best package that is left; `None` if nothing that is left covers the base fee.
    pub fn next_package(&mut self) -> Option<Package> {
        loop {
            let (tip, id) = self.next_id()?;
            if self.included.contains(&id) || self.failed.contains(&id) {
                continue;
            }
            let ids = match id {
                Id::Coin(slot) => self.coin_package(slot),
                Id::Account(slot) => self.is_next(slot).then(|| vec![id]),
            };
            let Some(ids) = ids else { continue };
            let gas = ids.iter().map(|id| self.pool.gas_of(*id)).sum();
            let bytes = ids.iter().map(|id| self.size_of(*id)).sum();
            return Some(Package { ids, tip, gas, bytes });
        }
    }

    /// The best of both rankings, once.
    fn next_id(&mut self) -> Option<(Tip, Id)> {
        let fresh = loop {
            match self.ranked.peek() {
                // Some ancestor is in: it ranks in `ready`, with what is left.
                Some((_, Id::Coin(slot))) if self.left.contains_key(slot) => self.ranked.next(),
                other => break other.copied(),
            };
        };
        self.drop_outdated();
        let better = self.ready.peek().is_some_and(|(tip, ..)| fresh.is_none_or(|(other, _)| *tip >= other));
        let best = if better { self.ready.pop().map(|(tip, _, id)| (tip, id)) } else { self.ranked.next() };
        best.filter(|(tip, _)| *tip >= Tip::ZERO)
    }

    /// Drops the best of `ready` as long as its score is of an ancestry of which more was selected since.
    fn drop_outdated(&mut self) {
        while let Some((tip, _, Id::Coin(slot))) = self.ready.peek() {
            if self.left_tip(*slot) == *tip {
                return;
            }
            self.ready.pop();
        }
    }

    /// What a coin transaction tips with what is out of its ancestry.
    fn left_tip(&self, slot: Slot) -> Tip {
        let entry = self.pool.coins.get(slot);
        let left = self.left.get(&slot).unwrap_or(entry.with_ancestors());
        let rate = if entry.can_be_mined() { left.rate().min(entry.own.rate()) } else { Rate::default() };
        rate.above(self.pool.base_fee)
    }

    /// A coin transaction with what is missing of its ancestry; `None` if something of that cannot go in.
    fn coin_package(&mut self, slot: Slot) -> Option<Vec<Id>> {
        let coins = &self.pool.coins;
        let mut slots = coins.ancestry(&[slot]);
        slots.retain(|slot| !self.included.contains(&Id::Coin(*slot)));
        if slots.iter().any(|slot| self.failed.contains(&Id::Coin(*slot))) {
            self.failed.insert(Id::Coin(slot));
            return None;
        }
        coins.sort_by_ancestry(&mut slots);
        Some(slots.into_iter().map(Id::Coin).collect())
    }

    /// Whether an account transaction is the next of its sender. If not, it ranks again once it is.
    fn is_next(&self, slot: Slot) -> bool {
        let entry = self.pool.accounts.get(slot);
        let first = || self.pool.accounts.queue(&entry.sender).map_or(0, |queue| queue.on_chain.nonce);
        entry.nonce == self.nonces.get(&entry.sender).copied().unwrap_or_else(first)
    }

    fn size_of(&self, id: Id) -> usize {
        match id {
            Id::Coin(slot) => self.pool.coins.get(slot).own.size as usize,
            Id::Account(slot) => self.pool.accounts.get(slot).size,
        }
    }

    /// The transactions of a package, in order.
    pub fn candidates(&self, package: &Package) -> Vec<Candidate> {
        let candidate = |id: &Id| match *id {
            Id::Coin(slot) => {
                let entry = self.pool.coins.get(slot);
                (entry.txid, entry.transaction.clone(), None)
            }
            Id::Account(slot) => {
                let entry = self.pool.accounts.get(slot);
                (entry.txid, entry.transaction.clone(), Some(entry.sender))
            }
        };
        package.ids.iter().map(candidate).collect()
    }

    /// Takes note of how many of a package's transactions went in, from its first on; the next one, if there is one,
    /// cannot, nor can what rests on it.
    pub fn settle(&mut self, package: &Package, included: usize) {
        let (inside, outside) = package.ids.split_at(included.min(package.ids.len()));
        self.included.extend(inside.iter().copied());
        // What came after the first that failed spends from it, or may stand alone: the package's last rests on all.
        self.failed.extend(outside.first().into_iter().chain(outside.last()).copied());
        for id in inside {
            match *id {
                Id::Coin(slot) => self.lighten_descendants(slot),
                Id::Account(slot) => self.advance_sender(slot),
            }
        }
    }

    /// Takes note that a package does not fit; its ancestors may still go in without it.
    pub fn skip(&mut self, package: &Package) {
        self.failed.extend(package.ids.last().copied());
    }

    fn lighten_descendants(&mut self, slot: Slot) {
        let coins = &self.pool.coins;
        let own = coins.get(slot).own;
        for descendant in coins.descent(&[slot]).into_iter().skip(1) {
            if self.included.contains(&Id::Coin(descendant)) {
                continue;
            }
            let entry = coins.get(descendant);
            let left = self.left.entry(descendant).or_insert_with(|| *entry.with_ancestors());
            left.subtract(&own);
            self.ready.push((self.left_tip(descendant), Reverse(entry.sequence), Id::Coin(descendant)));
        }
    }

    fn advance_sender(&mut self, slot: Slot) {
        let entry = self.pool.accounts.get(slot);
        let next = entry.nonce + 1;
        self.nonces.insert(entry.sender, next);
        let queue = self.pool.accounts.queue(&entry.sender);
        let Some(slot) = queue.and_then(|queue| queue.slots.get(&next)).copied() else { return };
        let entry = self.pool.accounts.get(slot);
        if entry.pending {
            self.ready.push((entry.tip(self.pool.base_fee), Reverse(entry.sequence), Id::Account(slot)));
        }
    }
}
