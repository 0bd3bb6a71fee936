//! Transactions that wait for a block: both kinds, in one ranking by tip per gas.
//!
//! The pool takes what is ready or close to it: [`Mempool::stage`] looks (reading only), the caller verifies signatures
//! as it likes, [`Mempool::admit`] takes. It knows no clock, no thread and no database: state comes through a
//! [`ChainPoint`]. What it refuses beyond the rules is policy, listed in [`MempoolConfig`].

mod accounts;
mod admit_account;
mod admit_coin;
mod block;
mod coins;
mod coming;
mod error;
mod floor;
mod limit;
mod query;
mod rate;
mod select;
mod stage;
#[cfg(test)]
mod tests;
mod types;

pub use block::Dropped;
pub use coming::{Coming, ComingBlock, ComingTransaction};
pub use error::{MempoolError, SubmitError};
pub use select::{Package, Selection};
pub use stage::{InFlight, Prepared, Staged};
pub use types::{
    Change, EntryStatus, FeeEstimate, LockPending, MempoolConfig, MempoolEntry, MempoolStats, RemovalReason,
};

use alloy_primitives::map::HashMap;
use chain_core::{
    hash::{BlockHash, TxId},
    spec::ChainSpec,
    state::StateView,
    transaction::coin::Lock,
    units::{Gas, Height},
};
use std::collections::BTreeSet;

use self::{
    accounts::{AccountEntry, AccountPool, OnChain, Sorted},
    coins::{CoinEntry, CoinPool},
    floor::Floor,
    types::Slot,
};

/// The chain as the pool sees it: the state at the tip, and what the next block will be.
#[derive(Clone, Copy)]
pub struct ChainPoint<'a> {
    /// The rules' numbers.
    pub spec: &'a ChainSpec,
    /// Hash of the genesis block, to which signatures of coins commit.
    pub genesis: BlockHash,
    /// Height of the next block.
    pub height: Height,
    /// Base fee of the next block.
    pub base_fee: u64,
    /// The state at the tip.
    pub view: &'a dyn StateView,
    /// Unix time, which is shown for what comes in.
    pub time: u32,
    /// Seconds of a clock that nobody sets, by which transactions age.
    pub steady: u32,
}

/// An entry of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Id {
    Coin(Slot),
    Account(Slot),
}

/// The pool.
#[derive(Debug)]
pub struct Mempool {
    config: MempoolConfig,
    coins: CoinPool,
    accounts: AccountPool,
    by_txid: HashMap<TxId, Id>,
    /// Coin transactions by the locks that they pay to or spend from.
    by_lock: BTreeSet<(Lock, Slot)>,
    memory: usize,
    gas: u128,
    next_sequence: u64,
    floor: Floor,
    last_expiry: u32,
    base_fee: u64,
    changes: Vec<Change>,
}

impl Mempool {
    /// An empty pool for a chain whose next block has this base fee.
    pub fn new(config: MempoolConfig, base_fee: u64) -> Self {
        let (mut coins, mut accounts) = (CoinPool::default(), AccountPool::default());
        coins.set_base_fee(base_fee);
        accounts.set_base_fee(base_fee);
        Self {
            config,
            coins,
            accounts,
            by_txid: HashMap::default(),
            by_lock: BTreeSet::new(),
            memory: 0,
            gas: 0,
            next_sequence: 0,
            floor: Floor::default(),
            last_expiry: 0,
            base_fee,
            changes: Vec::new(),
        }
    }

    /// What changed since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    fn sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence
    }

    fn insert_coin(&mut self, new: CoinEntry, parents: Vec<Slot>) -> Slot {
        let txid = new.txid;
        let slot = self.coins.insert(new, parents);
        let entry = self.coins.get(slot);
        self.memory += entry.memory();
        self.gas += u128::from(entry.own.gas);
        self.by_lock.extend(entry.locks().map(|lock| (lock, slot)));
        self.by_txid.insert(txid, Id::Coin(slot));
        self.changes.push(Change::Added(txid));
        slot
    }

    fn insert_account(&mut self, entry: AccountEntry, on_chain: OnChain) {
        let txid = entry.txid;
        self.memory += entry.memory;
        self.gas += u128::from(entry.gas_limit);
        let (slot, replaced, sorted) = self.accounts.insert(entry, on_chain);
        if let Some(replaced) = replaced {
            self.forget_account(&replaced, RemovalReason::Replaced(txid));
        }
        self.by_txid.insert(txid, Id::Account(slot));
        self.changes.push(Change::Added(txid));
        self.note_sorted(sorted);
    }

    /// Takes note of what a change of a sender's queue did to the others of it; returns what was dropped.
    fn note_sorted(&mut self, Sorted { ready, unpaid }: Sorted) -> Vec<AccountEntry> {
        self.changes.extend(ready.into_iter().map(Change::Ready));
        for entry in &unpaid {
            self.forget_account(entry, RemovalReason::Unpaid);
        }
        unpaid
    }

    /// Takes coin transactions out with all that spend from them.
    fn drop_coins(&mut self, slots: &[Slot], reason: RemovalReason) {
        let mut named: Vec<TxId> = slots.iter().map(|slot| self.coins.get(*slot).txid).collect();
        named.sort_unstable();
        for (slot, entry) in self.coins.remove_with_descendants(slots) {
            let direct = named.binary_search(&entry.txid).is_ok();
            let reason = match reason {
                RemovalReason::Replaced(_) | RemovalReason::Evicted => reason,
                _ if direct => reason,
                _ => RemovalReason::ParentRemoved,
            };
            self.forget_coin(slot, &entry, reason);
        }
    }

    /// Takes one coin transaction out and leaves those that spend from it.
    fn drop_coin_alone(&mut self, slot: Slot, reason: RemovalReason) -> CoinEntry {
        let entry = self.coins.remove(slot);
        self.forget_coin(slot, &entry, reason);
        entry
    }

    fn forget_coin(&mut self, slot: Slot, entry: &CoinEntry, reason: RemovalReason) {
        self.memory -= entry.memory();
        self.gas -= u128::from(entry.own.gas);
        entry.locks().for_each(|lock| _ = self.by_lock.remove(&(lock, slot)));
        self.by_txid.remove(&entry.txid);
        self.changes.push(Change::Removed(entry.txid, reason));
    }

    /// Takes one account transaction out; those of higher nonces wait.
    fn drop_account(&mut self, slot: Slot, reason: RemovalReason) {
        let (entry, sorted) = self.accounts.remove(slot);
        self.forget_account(&entry, reason);
        self.note_sorted(sorted);
    }

    fn forget_account(&mut self, entry: &AccountEntry, reason: RemovalReason) {
        self.memory -= entry.memory;
        self.gas -= u128::from(entry.gas_limit);
        self.by_txid.remove(&entry.txid);
        self.changes.push(Change::Removed(entry.txid, reason));
    }

    /// Gas of all transactions.
    fn total_gas(&self) -> Gas {
        Gas::try_from(self.gas).unwrap_or(Gas::MAX)
    }
}
