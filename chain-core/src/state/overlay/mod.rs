//! A view with a journaled diff on top, which transactions read and write while a block runs.
//!
//! Each account, slot and coin is read from the view once and then has a small id ([`AccountId`], [`SlotId`]), so that
//! neither reads nor journal entries hash or allocate. Every write is an [`Entry`] of one flat list; a [`Checkpoint`]
//! is a position in it. What holds for one transaction only (warmth, touches, values at its start) is stamped with the
//! transaction's number and so needs no clearing.

mod account;
mod coin;
mod diff;
mod entry;
mod ids;
mod journal;
mod storage;
#[cfg(test)]
mod tests;

pub use diff::Diff;
pub(crate) use diff::slots_of;
pub use ids::{AccountId, Checkpoint, SlotId};

use alloy_primitives::{
    Log, U256,
    map::{AddressMap, B256Map, HashMap},
};

use super::view::StateView;
use crate::{
    transaction::coin::OutPoint,
    vm::{Code, Machine},
};
use entry::{AccountEntry, CoinEntry, Entry, SlotEntry, TransientEntry};
use ids::CoinId;

/// Changes on top of a view. See the module's first lines.
pub struct Overlay<'v> {
    view: &'v dyn StateView,
    /// Number of the current transaction; stamps equal to it hold now. Starts at 1: stamp 0 never holds.
    transaction: u32,
    accounts: Vec<AccountEntry>,
    account_ids: AddressMap<AccountId>,
    /// Code that was read, by its hash.
    codes: B256Map<Code>,
    slots: Vec<SlotEntry>,
    slot_ids: HashMap<(AccountId, U256), SlotId>,
    transient: Vec<TransientEntry>,
    transient_ids: HashMap<(AccountId, U256), u32>,
    coins: Vec<CoinEntry>,
    coin_ids: HashMap<OutPoint, CoinId>,
    /// Coins spent, in order.
    spent: Vec<CoinId>,
    /// Coins created, in order.
    created: Vec<CoinId>,
    /// How many of `created` are older than the current transaction.
    created_before: usize,
    journal: Vec<Entry>,
    logs: Vec<Log>,
    /// Accounts touched by the current transaction (EIP-161).
    touched: Vec<AccountId>,
    /// Accounts to delete at the end of the current transaction (EIP-6780).
    destroyed: Vec<AccountId>,
    /// Wei burned with deleted accounts.
    burned: U256,
    /// The VM's buffers, kept between transactions.
    machine: Option<Box<Machine>>,
}

impl<'v> Overlay<'v> {
    /// Starts without changes.
    pub fn new(view: &'v dyn StateView) -> Self {
        Self {
            view,
            transaction: 1,
            accounts: Vec::new(),
            account_ids: AddressMap::default(),
            codes: B256Map::default(),
            slots: Vec::new(),
            slot_ids: HashMap::default(),
            transient: Vec::new(),
            transient_ids: HashMap::default(),
            coins: Vec::new(),
            coin_ids: HashMap::default(),
            spent: Vec::new(),
            created: Vec::new(),
            created_before: 0,
            journal: Vec::new(),
            logs: Vec::new(),
            touched: Vec::new(),
            destroyed: Vec::new(),
            burned: U256::ZERO,
            machine: None,
        }
    }

    /// Drops all changes, but keeps code that was read and analysed and the machine's buffers. Drops the machine's
    /// cached hashes, so that benchmarks repeat the work of the first run.
    pub fn renew(mut self) -> Self {
        if let Some(machine) = &mut self.machine {
            machine.forget_hashes();
        }
        Self { machine: self.machine, codes: self.codes, ..Self::new(self.view) }
    }

    /// The view below.
    pub fn view(&self) -> &'v dyn StateView {
        self.view
    }

    /// Takes the machine of the previous transactions, or a new one.
    pub(crate) fn take_machine(&mut self) -> Box<Machine> {
        self.machine.take().unwrap_or_default()
    }

    /// Keeps a machine for the next transactions.
    pub(crate) fn keep_machine(&mut self, machine: Box<Machine>) {
        self.machine = Some(machine);
    }

    /// Reserves room for this many coins, so that tables do not grow while a block runs.
    pub fn reserve_coins(&mut self, coins: usize) {
        self.coins.reserve(coins);
        self.coin_ids.reserve(coins);
    }

    /// Adds a log of the current frame; a revert removes it.
    #[inline]
    pub fn log(&mut self, log: Log) {
        self.logs.push(log);
    }

    /// Ends the current transaction and returns its logs: removes deleted accounts and touched accounts that are empty
    /// (EIP-161), and clears transient storage. Its writes can no longer be reverted.
    pub fn end_transaction(&mut self) -> Vec<Log> {
        self.settle_accounts();
        if !self.transient.is_empty() {
            self.transient.clear();
            self.transient_ids.clear();
        }
        self.journal.clear();
        self.created_before = self.created.len();
        self.transaction += 1;
        std::mem::take(&mut self.logs)
    }

    /// Reverts everything that the current transaction did.
    pub fn abandon_transaction(&mut self) {
        self.revert(Checkpoint::START);
        self.transaction += 1;
    }
}
