//! Coin transactions of the pool, and the graph of who spends whom.
//!
//! Each entry carries the sums of itself with its unconfirmed ancestors and with its descendants. Both groups are
//! bounded (see [`super::MempoolConfig`]), so that adding or removing one entry touches a bounded number of others.

use alloy_primitives::map::{HashMap, HashSet};
use chain_core::{
    U256,
    hash::TxId,
    transaction::{
        Transaction,
        coin::{Coin, CoinTransaction, Lock, OutPoint},
    },
    units::{Amount, Gas, Height},
};
use slab::Slab;
use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

use super::{rate::Rate, types::Slot};

/// What an entry weighs, alone or together with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) count: u32,
    pub(crate) size: u64,
    pub(crate) gas: Gas,
    pub(crate) fee: Amount,
}

impl Sums {
    /// Fees cannot overflow: each was checked against coins that exist, and money is created once.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.size += other.size;
        self.gas += other.gas;
        self.fee = Amount::from_grains(self.fee.grains().saturating_add(other.fee.grains()));
    }

    pub(crate) fn subtract(&mut self, other: &Self) {
        self.count -= other.count;
        self.size -= other.size;
        self.gas -= other.gas;
        self.fee = Amount::from_grains(self.fee.grains().saturating_sub(other.fee.grains()));
    }

    pub(crate) fn rate(&self) -> Rate {
        Rate::of_fee(self.fee, self.gas)
    }
}

/// A coin transaction of the pool.
#[derive(Debug)]
pub(crate) struct CoinEntry {
    pub(crate) txid: TxId,
    pub(crate) leaf: [u8; 32],
    pub(crate) transaction: Arc<Transaction>,
    /// The coins that it spends, in order of its inputs.
    pub(crate) spent: Box<[Coin]>,
    pub(crate) own: Sums,
    pub(crate) time: u32,
    /// When it came in, by the steady clock.
    pub(crate) since: u32,
    /// Order of arrival.
    pub(crate) sequence: u64,
    /// First height of a block that may hold it: maturity of coins, heights and ages in policies.
    pub(crate) valid_from: Height,
    /// Set by the graph.
    pub(crate) links: Links,
}

/// How an entry stands to the others.
#[derive(Debug, Default)]
pub(crate) struct Links {
    parents: Vec<Slot>,
    children: Vec<Slot>,
    with_ancestors: Sums,
    with_descendants: Sums,
    /// Whether its own fee covers the base fee (COIN-10).
    covered: bool,
    /// How many of itself and its ancestors do not: no child pays the base fee for them.
    blocked: u32,
}

impl CoinEntry {
    pub(crate) fn coin_transaction(&self) -> &CoinTransaction {
        match &*self.transaction {
            Transaction::Coin(tx) => tx,
            _ => unreachable!("coin entries hold coin transactions"),
        }
    }

    /// Locks that it spends from or pays to, some perhaps twice.
    pub(crate) fn locks(&self) -> impl Iterator<Item = Lock> {
        let outputs = self.spent.iter().map(|coin| &coin.output).chain(&self.coin_transaction().outputs);
        outputs.map(|output| output.lock)
    }

    /// Estimated memory: what it was decoded to, the graph and the indexes.
    pub(crate) fn memory(&self) -> usize {
        const ENTRY: usize = 732;
        const INPUT: usize = 260;
        const OUTPUT: usize = 150;
        let tx = self.coin_transaction();
        // What policies hold is at most three times its encoding.
        ENTRY + INPUT * tx.inputs.len() + OUTPUT * tx.outputs.len() + 3 * self.own.size as usize
    }

    /// What it would be mined for: alone if it pays worse than its ancestors need, else with them; nothing while one of
    /// them does not cover the base fee.
    pub(crate) fn package_rate(&self) -> Rate {
        match self.links.blocked {
            0 => self.own.rate().min(self.links.with_ancestors.rate()),
            _ => Rate::default(),
        }
    }

    /// What the pool loses with it: a child that pays for it keeps it, if that can help it at all.
    fn keep_rate(&self) -> Rate {
        match self.links.covered {
            true => self.own.rate().max(self.links.with_descendants.rate()),
            false => self.own.rate(),
        }
    }

    /// Whether it and all its ancestors cover the base fee.
    pub(crate) fn can_be_mined(&self) -> bool {
        self.links.blocked == 0
    }

    pub(crate) fn with_ancestors(&self) -> &Sums {
        &self.links.with_ancestors
    }

    pub(crate) fn with_descendants(&self) -> &Sums {
        &self.links.with_descendants
    }
}

/// Ranks better first at the end: higher rate, then earlier arrival.
pub(crate) type RankKey = (Rate, Reverse<u64>, Slot);

/// All coin transactions of the pool.
#[derive(Debug, Default)]
pub(crate) struct CoinPool {
    entries: Slab<CoinEntry>,
    /// Who spends outputs of a transaction, sorted by output.
    spends: HashMap<TxId, Vec<(u32, Slot)>>,
    by_package: BTreeSet<RankKey>,
    by_keep: BTreeSet<RankKey>,
    /// By what each pays alone, to find those that a change of the base fee matters to.
    by_own: BTreeSet<(Rate, Slot)>,
    base_fee: Rate,
}

impl CoinPool {
    pub(crate) fn get(&self, slot: Slot) -> &CoinEntry {
        &self.entries[slot]
    }

    pub(crate) fn contains(&self, slot: Slot) -> bool {
        self.entries.contains(slot)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &CoinEntry)> {
        self.entries.iter()
    }

    /// By package rate, worst first.
    pub(crate) fn ranked(&self) -> impl DoubleEndedIterator<Item = &RankKey> {
        self.by_package.iter()
    }

    /// What the pool would lose least by dropping, with its descendants.
    pub(crate) fn worst(&self) -> Option<(Rate, Slot)> {
        self.by_keep.first().map(|(rate, _, slot)| (*rate, *slot))
    }

    /// Who spends a coin.
    pub(crate) fn spender(&self, outpoint: &OutPoint) -> Option<Slot> {
        let spends = self.spends.get(&outpoint.txid)?;
        let at = spends.binary_search_by_key(&outpoint.index, |(index, _)| *index).ok()?;
        Some(spends[at].1)
    }

    /// Everyone who spends an output of a transaction.
    pub(crate) fn spenders_of(&self, txid: &TxId) -> impl Iterator<Item = Slot> {
        self.spends.get(txid).into_iter().flatten().map(|(_, slot)| *slot)
    }

    /// All ancestors of these entries, themselves included, each once, in no particular order.
    pub(crate) fn ancestry(&self, of: &[Slot]) -> Vec<Slot> {
        self.closure(of, |entry| &entry.links.parents)
    }

    /// All descendants of these entries, themselves included, each once, in no particular order.
    pub(crate) fn descent(&self, of: &[Slot]) -> Vec<Slot> {
        self.closure(of, |entry| &entry.links.children)
    }

    /// From one entry at most a chain's length is reached, which is searched fastest as a list; from many, a set keeps the
    /// work linear.
    fn closure(&self, of: &[Slot], next: impl Fn(&CoinEntry) -> &[Slot]) -> Vec<Slot> {
        let mut found: Vec<Slot> = Vec::with_capacity(of.len());
        let mut seen: Option<HashSet<Slot>> = (of.len() > 4).then(HashSet::default);
        let mut add = |found: &mut Vec<Slot>, slot: Slot| {
            let new = match &mut seen {
                Some(seen) => seen.insert(slot),
                None => !found.contains(&slot),
            };
            if new {
                found.push(slot);
            }
        };
        of.iter().for_each(|slot| add(&mut found, *slot));
        let mut at = 0;
        while let Some(slot) = found.get(at).copied() {
            next(&self.entries[slot]).iter().for_each(|linked| add(&mut found, *linked));
            at += 1;
        }
        found
    }

    /// Sorts entries so that parents come before children.
    pub(crate) fn sort_by_ancestry(&self, slots: &mut [Slot]) {
        slots.sort_unstable_by_key(|slot| {
            let entry = &self.entries[*slot];
            (entry.links.with_ancestors.count, entry.sequence)
        });
    }

    /// Adds an entry whose inputs nobody in the pool spends and whose outputs nobody in the pool spends yet. `parents`
    /// are the entries whose outputs it spends, each once.
    pub(crate) fn insert(&mut self, mut entry: CoinEntry, parents: Vec<Slot>) -> Slot {
        let ancestors = self.ancestry(&parents);
        let (own, sequence, mut with_ancestors) = (entry.own, entry.sequence, entry.own);
        let covered = own.rate() >= self.base_fee;
        let mut blocked = u32::from(!covered);
        for ancestor in &ancestors {
            let entry = &self.entries[*ancestor];
            with_ancestors.add(&entry.own);
            blocked += u32::from(!entry.links.covered);
        }
        entry.links = Links { parents, children: Vec::new(), with_ancestors, with_descendants: own, covered, blocked };
        let keys = (entry.package_rate(), entry.keep_rate());
        let slot = self.entries.insert(entry);
        self.by_package.insert((keys.0, Reverse(sequence), slot));
        self.by_keep.insert((keys.1, Reverse(sequence), slot));
        self.by_own.insert((own.rate(), slot));
        for ancestor in ancestors {
            self.change(ancestor, |links| links.with_descendants.add(&own));
        }
        for at in 0..self.entries[slot].links.parents.len() {
            let parent = self.entries[slot].links.parents[at];
            self.entries[parent].links.children.push(slot);
        }
        let transaction = self.entries[slot].transaction.clone();
        if let Transaction::Coin(tx) = &*transaction {
            tx.inputs.iter().for_each(|input| self.link_spend(input, slot));
        }
        slot
    }

    fn link_spend(&mut self, outpoint: &OutPoint, slot: Slot) {
        let spends = self.spends.entry(outpoint.txid).or_default();
        let at = spends.partition_point(|(index, _)| *index < outpoint.index);
        spends.insert(at, (outpoint.index, slot));
    }

    fn unlink_spend(&mut self, outpoint: &OutPoint) {
        let Some(spends) = self.spends.get_mut(&outpoint.txid) else { return };
        if let Ok(at) = spends.binary_search_by_key(&outpoint.index, |(index, _)| *index) {
            spends.remove(at);
        }
        if spends.is_empty() {
            self.spends.remove(&outpoint.txid);
        }
    }

    /// Takes one entry out; its children stay, with one ancestor less.
    pub(crate) fn remove(&mut self, slot: Slot) -> CoinEntry {
        let CoinEntry { own, links: Links { parents, children, covered, .. }, .. } = &self.entries[slot];
        let (own, covered) = (*own, *covered);
        let (ancestors, descendants) = (self.ancestry(parents), self.descent(children));
        for ancestor in ancestors {
            self.change(ancestor, |links| links.with_descendants.subtract(&own));
        }
        for descendant in descendants {
            self.change(descendant, |links| {
                links.with_ancestors.subtract(&own);
                links.blocked -= u32::from(!covered);
            });
        }
        let (package, keep) = (self.entries[slot].package_rate(), self.entries[slot].keep_rate());
        let entry = self.entries.remove(slot);
        self.by_package.remove(&(package, Reverse(entry.sequence), slot));
        self.by_keep.remove(&(keep, Reverse(entry.sequence), slot));
        self.by_own.remove(&(own.rate(), slot));
        for parent in &entry.links.parents {
            self.entries[*parent].links.children.retain(|child| *child != slot);
        }
        for child in &entry.links.children {
            self.entries[*child].links.parents.retain(|parent| *parent != slot);
        }
        for input in &entry.coin_transaction().inputs {
            self.unlink_spend(input);
        }
        entry
    }

    /// Takes entries out with all their descendants, children first.
    pub(crate) fn remove_with_descendants(&mut self, of: &[Slot]) -> Vec<(Slot, CoinEntry)> {
        let mut slots = self.descent(of);
        self.sort_by_ancestry(&mut slots);
        slots.into_iter().rev().map(|slot| (slot, self.remove(slot))).collect()
    }

    /// Takes over a new base fee: looks at those, and only those, that it covers now or no longer.
    pub(crate) fn set_base_fee(&mut self, base_fee: u64) {
        let new = Rate::of_wei(U256::from(base_fee));
        let (low, high) = (self.base_fee.min(new), self.base_fee.max(new));
        self.base_fee = new;
        let moved: Vec<Slot> = self.by_own.range((low, 0)..(high, 0)).map(|(_, slot)| *slot).collect();
        for slot in moved {
            let covered = self.entries[slot].own.rate() >= new;
            self.change(slot, |links| links.covered = covered);
            for descendant in self.descent(&[slot]) {
                self.change(descendant, |links| match covered {
                    true => links.blocked -= 1,
                    false => links.blocked += 1,
                });
            }
        }
    }

    /// Changes an entry's links and ranks it again.
    fn change(&mut self, slot: Slot, change: impl FnOnce(&mut Links)) {
        let entry = &mut self.entries[slot];
        let key = |rate: Rate| (rate, Reverse(entry.sequence), slot);
        let (package, keep) = (key(entry.package_rate()), key(entry.keep_rate()));
        change(&mut entry.links);
        let key = |rate: Rate| (rate, Reverse(entry.sequence), slot);
        let (new_package, new_keep) = (key(entry.package_rate()), key(entry.keep_rate()));
        if package != new_package {
            self.by_package.remove(&package);
            self.by_package.insert(new_package);
        }
        if keep != new_keep {
            self.by_keep.remove(&keep);
            self.by_keep.insert(new_keep);
        }
    }
}
