//! Account transactions of the pool: a queue for each sender, by nonce.
//!
//! A transaction is *pending* if all nonces from the account's up to its own are there, *queued* if one is missing. Only
//! pending ones rank. What the balance does not cover, together with all before it, does not stay: it could be kept for
//! nothing. What a transaction tips depends
//! on the base fee in one of two ways: its tip cap binds, or its fee cap does. Each way has its own ranking that a change of
//! the base fee leaves as it is; only those that change sides move.

use alloy_primitives::{KECCAK256_EMPTY, map::HashMap};
use chain_core::{Address, U256, hash::TxId, state::Account, transaction::Transaction, units::Gas};
use slab::Slab;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    rate::{Rate, Tip},
    types::Slot,
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
    /// When it came in, by the steady clock.
    pub(crate) since: u32,
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

    /// What it counts against its sender's share.
    fn weight(&self) -> usize {
        self.memory.div_ceil(UNIT)
    }

    /// Highest base fee at which the tip cap binds.
    fn room(&self) -> U256 {
        self.fee_cap.saturating_sub(self.tip_cap)
    }
}

/// Units of [`AccountEntry::weight`] that no other sender can push out of a full pool except by a higher price. As in geth:
/// an attacker who fills the pool with transactions that one replacement invalidates needs so many accounts more, and the
/// gas to invalidate each.
const SHARE: usize = 16;

/// Bytes of memory in a unit of weight: a plain transfer is one.
const UNIT: usize = 2_048;

/// What the chain says of a sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OnChain {
    /// The account's nonce at the tip.
    pub(crate) nonce: u64,
    /// The account's balance there.
    pub(crate) balance: U256,
    /// Whether it runs code when it is called (EIP-7702), so that others may spend its balance.
    pub(crate) delegated: bool,
}

impl From<Account> for OnChain {
    fn from(account: Account) -> Self {
        Self { nonce: account.nonce, balance: account.balance, delegated: account.code_hash != KECCAK256_EMPTY }
    }
}

/// The transactions of one sender.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) on_chain: OnChain,
    pub(crate) slots: BTreeMap<u64, Slot>,
    /// Weight of all.
    pub(crate) weight: usize,
}

/// What a change of one sender's queue did to the others of it.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    /// Waited and are pending now.
    pub(crate) ready: Vec<TxId>,
    /// Taken out, since the balance does not cover them.
    pub(crate) unpaid: Vec<AccountEntry>,
}

impl Queue {
    /// The first nonce from the account's on that is not there.
    pub(crate) fn first_gap(&self) -> u64 {
        let mut next = self.on_chain.nonce;
        for nonce in self.slots.range(next..).map(|(nonce, _)| *nonce) {
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
    /// Memory of the queued.
    queued_memory: usize,
    /// Senders of several transactions that weigh more than [`SHARE`].
    over_share: BTreeSet<(usize, Address)>,
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
    #[cfg(test)]
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

    /// Those that wait, best first.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = Slot> {
        self.queued.iter().rev().map(|(_, _, slot)| *slot)
    }

    /// The worst of those that wait.
    pub(crate) fn worst_queued(&self) -> Option<Slot> {
        self.queued.first().map(|(_, _, slot)| *slot)
    }

    /// Memory of those that wait.
    pub(crate) fn queued_memory(&self) -> usize {
        self.queued_memory
    }

    /// The last transaction of the sender that is furthest over its share; of two alike, of the newcomer, so that they
    /// cannot push out one another's in turn.
    pub(crate) fn last_over_share(&self, newcomer: Option<&Address>) -> Option<Slot> {
        let (weight, heaviest) = self.over_share.last()?;
        let alike = newcomer.filter(|sender| self.over_share.contains(&(*weight, **sender)));
        self.last_of(alike.unwrap_or(heaviest))
    }

    /// The transaction of a sender with the highest nonce.
    fn last_of(&self, sender: &Address) -> Option<Slot> {
        self.senders.get(sender)?.slots.last_key_value().map(|(_, slot)| *slot)
    }

    /// The lowest tip of a pending one, and what goes first because of it: the last of its sender, for all that follow a
    /// nonce are worth no more than that.
    pub(crate) fn worst_pending(&self) -> Option<(Tip, Slot)> {
        let ends = [self.by_tip_cap.first(), self.by_fee_cap.first()];
        let ends = ends.into_iter().flatten().map(|(_, _, slot)| (self.entries[*slot].tip(self.base_fee), *slot));
        let (tip, slot) = ends.min()?;
        Some((tip, self.last_of(&self.entries[slot].sender).unwrap_or(slot)))
    }

    /// Adds a transaction of a sender that stands so at the tip, which covers it; answers also with the one of the same
    /// nonce that gives way.
    pub(crate) fn insert(&mut self, entry: AccountEntry, on_chain: OnChain) -> (Slot, Option<AccountEntry>, Sorted) {
        let (sender, at, weight) = (entry.sender, entry.nonce, entry.weight());
        let replaced = self.queue(&sender).and_then(|queue| queue.slots.get(&at)).copied();
        let replaced = replaced.map(|slot| self.detach(slot));
        let slot = self.entries.insert(AccountEntry { pending: false, ..entry });
        self.rank(slot);
        let queue = self.senders.entry(sender).or_default();
        queue.on_chain = on_chain;
        queue.slots.insert(at, slot);
        self.weigh(&sender, |before| before + weight);
        (slot, replaced, self.sort_queue(&sender))
    }

    /// Takes a transaction out; those of higher nonces wait for another of this nonce.
    pub(crate) fn remove(&mut self, slot: Slot) -> (AccountEntry, Sorted) {
        let entry = self.detach(slot);
        let sorted = self.sort_queue(&entry.sender);
        (entry, sorted)
    }

    /// Sets what the chain says of a sender; returns what the chain has used up, and what that does to the rest.
    pub(crate) fn update_sender(&mut self, sender: &Address, on_chain: OnChain) -> (Vec<AccountEntry>, Sorted) {
        let Some(queue) = self.senders.get_mut(sender) else { return Default::default() };
        queue.on_chain = on_chain;
        let used: Vec<Slot> = queue.slots.range(..on_chain.nonce).map(|(_, slot)| *slot).collect();
        let used = used.into_iter().map(|slot| self.detach(slot)).collect();
        (used, self.sort_queue(sender))
    }

    /// Takes an entry out of everything; its sender's queue is to be sorted again.
    fn detach(&mut self, slot: Slot) -> AccountEntry {
        self.unrank(slot);
        let entry = self.entries.remove(slot);
        if let Some(queue) = self.senders.get_mut(&entry.sender) {
            queue.slots.remove(&entry.nonce);
        }
        self.weigh(&entry.sender, |before| before - entry.weight());
        entry
    }

    /// Changes the weight of a sender whose slots have changed, and forgets one that has none.
    fn weigh(&mut self, sender: &Address, change: impl FnOnce(usize) -> usize) {
        let Some(queue) = self.senders.get_mut(sender) else { return };
        self.over_share.remove(&(queue.weight, *sender));
        queue.weight = change(queue.weight);
        if queue.weight > SHARE && queue.slots.len() > 1 {
            self.over_share.insert((queue.weight, *sender));
        }
        if queue.slots.is_empty() {
            self.senders.remove(sender);
        }
    }

    /// Decides anew which of a sender's transactions are pending, and takes out what the balance does not cover: behind a
    /// gap each alone, before it all together.
    fn sort_queue(&mut self, sender: &Address) -> Sorted {
        let Some(queue) = self.senders.get(sender) else { return Sorted::default() };
        let OnChain { nonce, balance, .. } = queue.on_chain;
        let (mut next, mut left) = (Some(nonce), Some(balance));
        let (mut changed, mut unpaid) = (Vec::new(), Vec::new());
        for (nonce, slot) in &queue.slots {
            let entry = &self.entries[*slot];
            let follows = next == Some(*nonce);
            if follows {
                left = left.and_then(|left| left.checked_sub(entry.cost));
                next = nonce.checked_add(1);
            }
            let covered = if follows { left.is_some() } else { entry.cost <= balance };
            if !covered {
                unpaid.push(*slot);
            } else if follows != entry.pending {
                changed.push(*slot);
            }
        }
        let mut sorted = Sorted::default();
        for slot in changed {
            self.unrank(slot);
            let entry = &mut self.entries[slot];
            entry.pending = !entry.pending;
            if entry.pending {
                sorted.ready.push(entry.txid);
            }
            self.rank(slot);
        }
        sorted.unpaid = unpaid.into_iter().map(|slot| self.detach(slot)).collect();
        sorted
    }

    fn rank(&mut self, slot: Slot) {
        let entry = &self.entries[slot];
        let arrival = Reverse(entry.sequence);
        if !entry.pending {
            self.queued.insert((entry.tip_cap, arrival, slot));
            self.queued_memory += entry.memory;
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
            self.queued_memory -= entry.memory;
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
