//! A view with a journaled diff on top: what transactions read and write while a block runs.
//!
//! Each account, slot and coin is read from the view once and then known by a small number ([`AccountId`], [`SlotId`]),
//! so that neither reads nor journal entries hash or allocate. Every write is an [`Entry`] of one flat list; a
//! [`Checkpoint`] is a position in it. What holds for one transaction only (warmth, touches, values at its start) is
//! stamped with the transaction's number and so needs no clearing.

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
    /// Number of the transaction that runs; stamps that equal it hold now. Starts at 1: 0 is never.
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
    /// Coins made, in order.
    created: Vec<CoinId>,
    /// How many of `created` are older than the running transaction.
    created_before: usize,
    journal: Vec<Entry>,
    logs: Vec<Log>,
    /// Accounts touched by the running transaction (EIP-161).
    touched: Vec<AccountId>,
    /// Accounts that end with the running transaction (EIP-6780).
    destroyed: Vec<AccountId>,
    /// Wei that went down with destroyed accounts.
    burned: U256,
    /// What the VM keeps between transactions.
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

    /// Forgets all changes, but keeps code that was read and analysed and the machine's buffers; not the hashes that the machine
    /// remembers, so that benchmarks compute what the first run computes.
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

    /// Takes the machine that ran the transactions before, or a new one.
    pub(crate) fn take_machine(&mut self) -> Box<Machine> {
        self.machine.take().unwrap_or_default()
    }

    /// Keeps a machine for the transactions to come.
    pub(crate) fn keep_machine(&mut self, machine: Box<Machine>) {
        self.machine = Some(machine);
    }

    /// Makes room for as many coins, so that tables do not grow while a block runs.
    pub fn reserve_coins(&mut self, coins: usize) {
        self.coins.reserve(coins);
        self.coin_ids.reserve(coins);
    }

    /// Logs what the running frame says; a revert takes it back.
    #[inline]
    pub fn log(&mut self, log: Log) {
        self.logs.push(log);
    }

    /// Ends the running transaction and returns its logs: destroyed accounts go, touched accounts that are empty
    /// cease to exist (EIP-161), transient storage is forgotten. What was written can no longer be reverted.
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

    /// Forgets what the running transaction did, as if it had not been.
    pub fn abandon_transaction(&mut self) {
        self.revert(Checkpoint::START);
        self.transaction += 1;
    }
}
