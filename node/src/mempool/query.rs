//! What others may ask of the pool.

use chain_core::{
    Address, U256,
    hash::TxId,
    transaction::{
        Transaction,
        coin::{Lock, OutPoint, Output},
    },
    units::{Amount, Gas},
};
use std::{collections::HashMap, sync::Arc};

use super::{EntryStatus, FeeEstimate, Id, LockPending, Mempool, MempoolEntry, MempoolStats, rate::Tip, types::Slot};

impl Mempool {
    /// Size and limits.
    pub fn stats(&self) -> MempoolStats {
        MempoolStats {
            transactions: self.by_txid.len(),
            coins: self.coins.len(),
            pending: self.coins.len() + self.accounts.pending(),
            gas: self.total_gas(),
            bytes: self.memory,
            max_bytes: self.config.max_bytes,
            min_tip: self.min_tip(),
        }
    }

    /// A transaction.
    pub fn get(&self, txid: &TxId) -> Option<MempoolEntry> {
        self.by_txid.get(txid).map(|id| self.entry(*id))
    }

    /// Whether a transaction is here.
    pub fn contains(&self, txid: &TxId) -> bool {
        self.by_txid.contains_key(txid)
    }

    /// A transaction itself.
    pub fn transaction(&self, txid: &TxId) -> Option<&Arc<Transaction>> {
        Some(match self.by_txid.get(txid)? {
            Id::Coin(slot) => &self.coins.get(*slot).transaction,
            Id::Account(slot) => &self.accounts.get(*slot).transaction,
        })
    }

    /// All transactions with their merkle leaves, in no useful order.
    pub fn leaves(&self) -> impl Iterator<Item = (&TxId, &[u8; 32])> {
        let coins = self.coins.iter().map(|(_, entry)| (&entry.txid, &entry.leaf));
        coins.chain(self.accounts.iter().map(|(_, entry)| (&entry.txid, &entry.leaf)))
    }

    /// The transactions that do not wait for a nonce, with their merkle leaves, best first.
    pub fn best_leaves(&self) -> impl Iterator<Item = (&TxId, &[u8; 32])> {
        self.ranked().map(|(_, id)| match id {
            Id::Coin(slot) => (&self.coins.get(slot).txid, &self.coins.get(slot).leaf),
            Id::Account(slot) => (&self.accounts.get(slot).txid, &self.accounts.get(slot).leaf),
        })
    }

    /// Who signed an account transaction of the pool.
    pub fn sender(&self, txid: &TxId) -> Option<Address> {
        match self.by_txid.get(txid)? {
            Id::Account(slot) => Some(self.accounts.get(*slot).sender),
            Id::Coin(_) => None,
        }
    }

    /// The best so many, in time by their number; what waits for a nonce or for funds at the end.
    pub fn best(&self, limit: usize) -> Vec<MempoolEntry> {
        let waiting = self.accounts.waiting().map(Id::Account);
        let ids: Vec<Id> = self.ranked().map(|(_, id)| id).chain(waiting).take(limit).collect();
        self.entries(&ids)
    }

    /// The coin transactions among the best so many that would be mined first.
    pub fn best_coins(&self, limit: usize) -> Vec<MempoolEntry> {
        let ids: Vec<Id> = self.coins.ranked().rev().map(|(_, _, slot)| Id::Coin(*slot)).take(limit).collect();
        self.entries(&ids)
    }

    /// The transactions of one sender, by nonce.
    pub fn of_sender(&self, sender: &Address) -> Vec<MempoolEntry> {
        let queue = self.accounts.queue(sender);
        let ids: Vec<Id> = queue.iter().flat_map(|queue| queue.slots.values()).map(|slot| Id::Account(*slot)).collect();
        self.entries(&ids)
    }

    /// The nonce that follows the sender's unbroken row of transactions; `None` if there are none.
    pub fn pending_nonce(&self, sender: &Address) -> Option<u64> {
        self.accounts.queue(sender).map(|queue| queue.first_gap())
    }

    /// Who spends a coin.
    pub fn spender(&self, outpoint: &OutPoint) -> Option<TxId> {
        self.coins.spender(outpoint).map(|slot| self.coins.get(slot).txid)
    }

    /// What the pool gives to and takes from a lock.
    pub fn of_lock(&self, lock: &Lock) -> LockPending {
        let mut pending = LockPending::default();
        for (_, slot) in self.by_lock.range((*lock, Slot::MIN)..=(*lock, Slot::MAX)) {
            let entry = self.coins.get(*slot);
            let tx = entry.coin_transaction();
            for (input, coin) in tx.inputs.iter().zip(&entry.spent) {
                if coin.output.lock == *lock {
                    pending.spent.push((*input, coin.output, entry.txid));
                }
            }
            for (index, output) in (0..).zip(&tx.outputs) {
                let outpoint = OutPoint { txid: entry.txid, index };
                if output.lock == *lock && self.coins.spender(&outpoint).is_none() {
                    pending.incoming.push((outpoint, *output));
                }
            }
        }
        pending
    }

    /// The coins that a transaction of the pool spends, in the order of its inputs.
    pub fn spent_by(&self, txid: &TxId) -> Vec<(OutPoint, Output)> {
        let Some(Id::Coin(slot)) = self.by_txid.get(txid) else { return Vec::new() };
        let entry = self.coins.get(*slot);
        entry.coin_transaction().inputs.iter().copied().zip(entry.spent.iter().map(|coin| coin.output)).collect()
    }

    /// Tips that would have been enough for the next block, the one after next, and a few more: what would come before the
    /// packages that a template takes there. A sender's dear transactions behind a cheap one raise nothing.
    pub fn estimate(&self, gas_limit: Gas) -> FeeEstimate {
        let mut estimate = FeeEstimate { base_fee: self.base_fee, ..FeeEstimate::default() };
        let least = self.min_tip();
        (estimate.slow, estimate.normal, estimate.fast) = (least, least, least);
        let (mut gas, mut enough) = (0u64, u64::MAX);
        let mut selection = self.select();
        while let Some(package) = selection.next_package() {
            let above = u64::try_from(package.tip.wei().max(0)).unwrap_or(u64::MAX).saturating_add(1).max(least);
            enough = enough.min(above);
            if gas <= gas_limit {
                estimate.fast = if gas + package.gas > gas_limit { enough } else { least };
            }
            gas = gas.saturating_add(package.gas);
            if gas <= gas_limit.saturating_mul(3) {
                estimate.normal = if gas > gas_limit.saturating_mul(2) { enough } else { least };
            }
            estimate.slow = if gas > gas_limit.saturating_mul(6) { enough } else { least };
            if gas > gas_limit.saturating_mul(8) {
                break;
            }
            let count = package.count();
            selection.settle(&package, count);
        }
        estimate
    }

    /// Pending transactions and their tips, best first, whatever they wait for within the pool.
    pub(super) fn ranked(&self) -> impl Iterator<Item = (Tip, Id)> {
        let base_fee = self.base_fee;
        let coins = self.coins.ranked().rev().map(move |(rate, _, slot)| (rate.above(base_fee), Id::Coin(*slot)));
        let with_tip = move |slot: Slot| (self.accounts.get(slot).tip(base_fee), Id::Account(slot));
        let by_tip_cap = self.accounts.by_tip_cap().rev().map(with_tip);
        let by_fee_cap = self.accounts.by_fee_cap().rev().map(with_tip);
        merge(coins, merge(by_tip_cap, by_fee_cap))
    }

    pub(super) fn gas_of(&self, id: Id) -> Gas {
        match id {
            Id::Coin(slot) => self.coins.get(slot).own.gas,
            Id::Account(slot) => self.accounts.get(slot).gas_limit,
        }
    }

    fn entry(&self, id: Id) -> MempoolEntry {
        match id {
            Id::Coin(slot) => self.coin_entry(slot),
            Id::Account(slot) => {
                let entry = self.accounts.get(slot);
                let queue = self.accounts.queue(&entry.sender);
                let before = queue.map_or(0, |queue| queue.slots.range(..entry.nonce).count());
                self.account_entry(slot, before)
            }
        }
    }

    /// Many entries. Each sender's queue is walked once, not for each of its transactions.
    fn entries(&self, ids: &[Id]) -> Vec<MempoolEntry> {
        let mut places: HashMap<Address, HashMap<Slot, usize>> = HashMap::default();
        let mut entry = |id: &Id| match *id {
            Id::Coin(slot) => self.coin_entry(slot),
            Id::Account(slot) => {
                let sender = self.accounts.get(slot).sender;
                let of_sender = places.entry(sender).or_insert_with(|| {
                    let slots = self.accounts.queue(&sender).into_iter().flat_map(|queue| queue.slots.values());
                    slots.enumerate().map(|(place, slot)| (*slot, place)).collect()
                });
                self.account_entry(slot, of_sender.get(&slot).copied().unwrap_or_default())
            }
        };
        ids.iter().map(&mut entry).collect()
    }

    fn coin_entry(&self, slot: Slot) -> MempoolEntry {
        let entry = self.coins.get(slot);
        let ready = entry.can_be_mined();
        MempoolEntry {
            txid: entry.txid,
            transaction: entry.transaction.clone(),
            sender: None,
            size: entry.own.size as usize,
            gas: entry.own.gas,
            fee: entry.own.fee,
            tip_per_gas: entry.own.rate().above(self.base_fee).wei(),
            time: entry.time,
            ancestors: entry.with_ancestors().count as usize - 1,
            descendants: entry.with_descendants().count as usize - 1,
            status: if ready { EntryStatus::Pending } else { EntryStatus::Queued },
        }
    }

    /// An account transaction that stands behind so many of its sender's.
    fn account_entry(&self, slot: Slot, before: usize) -> MempoolEntry {
        let entry = self.accounts.get(slot);
        let of_sender = self.accounts.queue(&entry.sender).map_or(0, |queue| queue.slots.len());
        let ready = entry.pending && entry.fee_cap >= U256::from(self.base_fee);
        MempoolEntry {
            txid: entry.txid,
            transaction: Arc::<Transaction>::clone(&entry.transaction),
            sender: Some(entry.sender),
            size: entry.size,
            gas: entry.gas_limit,
            fee: Amount::ZERO,
            tip_per_gas: entry.tip(self.base_fee).wei(),
            time: entry.time,
            ancestors: before,
            descendants: of_sender.saturating_sub(before + 1),
            status: if ready { EntryStatus::Pending } else { EntryStatus::Queued },
        }
    }
}

/// Merges two rankings, each best first, into one.
fn merge<T: PartialOrd>(
    left: impl Iterator<Item = (Tip, T)>,
    right: impl Iterator<Item = (Tip, T)>,
) -> impl Iterator<Item = (Tip, T)> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    std::iter::from_fn(move || match (left.peek(), right.peek()) {
        (Some((a, _)), Some((b, _))) if b > a => right.next(),
        (Some(_), _) => left.next(),
        (None, _) => right.next(),
    })
}
