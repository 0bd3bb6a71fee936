//! Account transactions of the pool: a queue for each sender, by nonce.
//!
//! A transaction is *pending* if all nonces from the account's up to its own are there and the balance covers what they
//! may cost together; all others are *queued*. Only pending ones rank. What a transaction tips depends on the base fee
//! in one of two ways: its tip cap binds, or its fee cap does. Each way has its own ranking that a change of the base fee
//! leaves as it is; only those that change sides move.

use alloy_primitives::map::HashMap;
use chain_core::{Address, U256, hash::TxId, transaction::Transaction, units::Gas};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    rate::{Rate, Tip},
    slab::{Slab, Slot},
};

/// An account transaction of the pool.
#[derive(Debug)]
pub(crate) struct AccountEntry {
    pub(crate) txid: TxId,
    pub(crate) leaf: [u8; 32],
    pub(crate) transaction: Arc<Transaction>,
    pub(crate) sender: Address,
    pub(crate) nonce: u64,
    pub(crate) size: usize,
    pub(crate) gas_limit: Gas,
    pub(crate) fee_cap: U256,
    pub(crate) tip_cap: U256,
    /// Most that it may take from the balance.
    pub(crate) cost: U256,
    pub(crate) time: u32,
    /// Order of arrival.
    pub(crate) sequence: u64,
    pub(crate) pending: bool,
    /// Estimated memory.
    pub(crate) memory: usize,
}

impl AccountEntry {
    /// The tip for a unit of gas: negative where the fee cap does not cover the base fee.
    pub(crate) fn tip(&self, base_fee: u64) -> Tip {
        Rate::of_wei(self.fee_cap).above(base_fee).min(Tip::of_wei(self.tip_cap))
    }

    /// Highest base fee at which the tip cap binds.
    fn room(&self) -> U256 {
        self.fee_cap.saturating_sub(self.tip_cap)
    }
}

/// The transactions of one sender.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The account's nonce at the tip of the chain.
    pub(crate) nonce: u64,
    /// The account's balance there.
    pub(crate) balance: U256,
    pub(crate) slots: BTreeMap<u64, Slot>,
}

impl Queue {
    /// The first nonce from the account's on that is not there.
    pub(crate) fn first_gap(&self) -> u64 {
        let mut next = self.nonce;
        for nonce in self.slots.range(self.nonce..).map(|(nonce, _)| *nonce) {
            if nonce != next {
                break;
            }
            next += 1;
        }
        next
    }
}

/// Ranks better first at the end: higher price, then earlier arrival.
type PriceKey = (U256, Reverse<u64>, Slot);

/// All account transactions of the pool.
#[derive(Debug, Default)]
pub(crate) struct AccountPool {
    entries: Slab<AccountEntry>,
    senders: HashMap<Address, Queue>,
    base_fee: u64,
    /// Pending, tip cap binds: by tip cap.
    by_tip_cap: BTreeSet<PriceKey>,
    /// Pending, fee cap binds: by fee cap.
    by_fee_cap: BTreeSet<PriceKey>,
    /// Pending: by the base fee at which they change sides.
    by_room: BTreeSet<(U256, Slot)>,
    /// Queued: by tip cap.
    queued: BTreeSet<PriceKey>,
}

impl AccountPool {
    pub(crate) fn get(&self, slot: Slot) -> &AccountEntry {
        &self.entries[slot]
    }

    /// How many are pending.
    pub(crate) fn pending(&self) -> usize {
        self.by_room.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &AccountEntry)> {
        self.entries.iter()
    }

    pub(crate) fn queue(&self, sender: &Address) -> Option<&Queue> {
        self.senders.get(sender)
    }

    /// Everyone who has transactions here, in order.
    pub(crate) fn senders(&self) -> Vec<Address> {
        let mut senders: Vec<Address> = self.senders.keys().copied().collect();
        senders.sort_unstable();
        senders
    }

    /// Pending ones whose tip cap binds, worst first.
    pub(crate) fn by_tip_cap(&self) -> impl DoubleEndedIterator<Item = Slot> {
        self.by_tip_cap.iter().map(|(_, _, slot)| *slot)
    }

    /// Pending ones whose fee cap binds, worst first.
    pub(crate) fn by_fee_cap(&self) -> impl DoubleEndedIterator<Item = Slot> {
        self.by_fee_cap.iter().map(|(_, _, slot)| *slot)
    }

    /// The worst of those that wait.
    pub(crate) fn worst_queued(&self) -> Option<Slot> {
        self.queued.first().map(|(_, _, slot)| *slot)
    }

    /// The pending one with the lowest tip.
    pub(crate) fn worst_pending(&self) -> Option<(Tip, Slot)> {
        let ends = [self.by_tip_cap.first(), self.by_fee_cap.first()];
        ends.into_iter().flatten().map(|(_, _, slot)| (self.entries[*slot].tip(self.base_fee), *slot)).min()
    }

    /// Adds a transaction of a sender with this nonce and balance at the tip. Its nonce is free.
    pub(crate) fn insert(&mut self, entry: AccountEntry, nonce: u64, balance: U256) -> Slot {
        let (sender, at) = (entry.sender, entry.nonce);
        let key = (entry.tip_cap, Reverse(entry.sequence));
        let slot = self.entries.insert(AccountEntry { pending: false, ..entry });
        self.queued.insert((key.0, key.1, slot));
        let queue = self.senders.entry(sender).or_default();
        (queue.nonce, queue.balance) = (nonce, balance);
        queue.slots.insert(at, slot);
        self.sort_queue(&sender);
        slot
    }

    /// Takes a transaction out; those of higher nonces wait for another of this nonce.
    pub(crate) fn remove(&mut self, slot: Slot) -> AccountEntry {
        self.unrank(slot);
        let entry = self.entries.remove(slot).expect("callers name entries that are there");
        if let Some(queue) = self.senders.get_mut(&entry.sender) {
            queue.slots.remove(&entry.nonce);
            if queue.slots.is_empty() {
                self.senders.remove(&entry.sender);
            } else {
                self.sort_queue(&entry.sender);
            }
        }
        entry
    }

    /// Sets what the chain says of a sender and takes out what it has used up.
    pub(crate) fn update_sender(&mut self, sender: &Address, nonce: u64, balance: U256) -> Vec<AccountEntry> {
        let Some(queue) = self.senders.get_mut(sender) else { return Vec::new() };
        (queue.nonce, queue.balance) = (nonce, balance);
        let kept = queue.slots.split_off(&nonce);
        let used = std::mem::replace(&mut queue.slots, kept);
        if queue.slots.is_empty() {
            self.senders.remove(sender);
        } else {
            self.sort_queue(sender);
        }
        let mut removed = Vec::with_capacity(used.len());
        for slot in used.into_values() {
            self.unrank(slot);
            removed.extend(self.entries.remove(slot));
        }
        removed
    }

    /// Decides anew which of a sender's transactions are pending.
    fn sort_queue(&mut self, sender: &Address) {
        let Some(queue) = self.senders.get(sender) else { return };
        let (mut next, mut left) = (Some(queue.nonce), Some(queue.balance));
        let mut changed = Vec::new();
        for (nonce, slot) in &queue.slots {
            let entry = &self.entries[*slot];
            left = left.filter(|_| next == Some(*nonce)).and_then(|left| left.checked_sub(entry.cost));
            next = nonce.checked_add(1);
            if left.is_some() != entry.pending {
                changed.push(*slot);
            }
        }
        for slot in changed {
            self.unrank(slot);
            self.entries[slot].pending = !self.entries[slot].pending;
            self.rank(slot);
        }
    }

    fn rank(&mut self, slot: Slot) {
        let entry = &self.entries[slot];
        let arrival = Reverse(entry.sequence);
        if !entry.pending {
            self.queued.insert((entry.tip_cap, arrival, slot));
            return;
        }
        self.by_room.insert((entry.room(), slot));
        if entry.room() >= U256::from(self.base_fee) {
            self.by_tip_cap.insert((entry.tip_cap, arrival, slot));
        } else {
            self.by_fee_cap.insert((entry.fee_cap, arrival, slot));
        }
    }

    fn unrank(&mut self, slot: Slot) {
        let entry = &self.entries[slot];
        let arrival = Reverse(entry.sequence);
        if !entry.pending {
            self.queued.remove(&(entry.tip_cap, arrival, slot));
            return;
        }
        self.by_room.remove(&(entry.room(), slot));
        if entry.room() >= U256::from(self.base_fee) {
            self.by_tip_cap.remove(&(entry.tip_cap, arrival, slot));
        } else {
            self.by_fee_cap.remove(&(entry.fee_cap, arrival, slot));
        }
    }

    /// Ranks by a new base fee: moves those, and only those, that change sides.
    pub(crate) fn set_base_fee(&mut self, base_fee: u64) {
        let (low, high) = (self.base_fee.min(base_fee), self.base_fee.max(base_fee));
        // An entry changes sides if its room is at least the lower fee, and below the higher.
        let moved: Vec<Slot> =
            self.by_room.range((U256::from(low), 0)..(U256::from(high), 0)).map(|(_, slot)| *slot).collect();
        for slot in &moved {
            self.unrank(*slot);
        }
        self.base_fee = base_fee;
        for slot in moved {
            self.rank(slot);
        }
    }
}
