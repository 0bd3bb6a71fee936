//! Accounts of an overlay.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};

use super::{
    Overlay,
    entry::{AccountEntry, Entry},
    ids::{AccountId, NO_SLOT, number},
};
use crate::{error::ViewError, state::view::Account, vm::Code};

impl Overlay<'_> {
    /// An account that was read before.
    pub fn known_account(&self, address: &Address) -> Option<AccountId> {
        self.account_ids.get(address).copied()
    }

    /// Finds an account, reading it from the view the first time.
    ///
    /// # Errors
    /// [`ViewError`] if it cannot be read.
    pub fn account(&mut self, address: &Address) -> Result<AccountId, ViewError> {
        if let Some(id) = self.account_ids.get(address) {
            return Ok(*id);
        }
        let before = self.view.account(address)?;
        let id = AccountId(number(self.accounts.len()));
        self.accounts.push(AccountEntry {
            address: *address,
            before,
            now: before.unwrap_or_default(),
            exists: before.is_some(),
            code: None,
            touched: 0,
            warm: 0,
            created: 0,
            destroyed: 0,
            slots: NO_SLOT,
        });
        self.account_ids.insert(*address, id);
        Ok(id)
    }

    /// Address of an account.
    pub fn address(&self, id: AccountId) -> Address {
        self.accounts[id.index()].address
    }

    /// The current account; the default if it does not exist. Its storage root is that of the view.
    pub fn info(&self, id: AccountId) -> &Account {
        &self.accounts[id.index()].now
    }

    /// Its code, if it has any. Each hash is read from the view once, and accounts of one hash share one copy and its
    /// analysis, so that both happen at most once in a block, for the price of an access.
    ///
    /// # Errors
    /// [`ViewError`] if it cannot be read.
    pub(crate) fn code(&mut self, id: AccountId) -> Result<Option<&Code>, ViewError> {
        let entry = &mut self.accounts[id.index()];
        let hash = entry.now.code_hash;
        if entry.code.is_none() && hash != KECCAK256_EMPTY {
            let code = match self.codes.get(&hash) {
                Some(code) => code.clone(),
                None => {
                    let code = Code::new(&self.view.code(&hash)?);
                    self.codes.insert(hash, code.clone());
                    code
                }
            };
            entry.code = Some(code);
        }
        Ok(entry.code.as_ref())
    }

    /// Its code, copied; empty if it has none.
    ///
    /// # Errors
    /// [`ViewError`] if it cannot be read.
    pub fn code_bytes(&mut self, id: AccountId) -> Result<Bytes, ViewError> {
        Ok(self.code(id)?.map_or(Bytes::new(), |code| Bytes::copy_from_slice(code.bytes())))
    }

    /// The account whose code runs in its place, if it delegates to one (EIP-7702).
    ///
    /// # Errors
    /// [`ViewError`] if its code cannot be read.
    pub fn delegate(&mut self, id: AccountId) -> Result<Option<Address>, ViewError> {
        Ok(self.code(id)?.and_then(Code::delegate))
    }

    /// Marks an account as touched: if it is empty at the end of the transaction, it is removed (EIP-161).
    pub fn touch(&mut self, id: AccountId) {
        let entry = &mut self.accounts[id.index()];
        if entry.touched != self.transaction {
            entry.touched = self.transaction;
            self.touched.push(id);
            self.journal.push(Entry::Touched { account: id });
        }
    }

    /// Marks an account as accessed (EIP-2929); whether it was cold.
    pub fn warm_account(&mut self, id: AccountId) -> bool {
        let entry = &mut self.accounts[id.index()];
        let cold = entry.warm != self.transaction;
        if cold {
            entry.warm = self.transaction;
            self.journal.push(Entry::Warmed { account: id });
        }
        cold
    }

    /// Writes a balance, and touches the account.
    pub fn set_balance(&mut self, id: AccountId, balance: U256) {
        self.touch(id);
        let now = &mut self.accounts[id.index()].now;
        self.journal.push(Entry::Balance { account: id, before: now.balance });
        now.balance = balance;
    }

    /// Credits an account. Returns `false`, and only touches it, if its balance would not fit in a word.
    #[must_use]
    pub fn credit(&mut self, id: AccountId, wei: U256) -> bool {
        self.touch(id);
        if wei.is_zero() {
            return true;
        }
        match self.info(id).balance.checked_add(wei) {
            Some(balance) => self.set_balance(id, balance),
            None => return false,
        }
        true
    }

    /// Debits an account. Returns `false`, and only touches it, if it has less.
    #[must_use]
    pub fn debit(&mut self, id: AccountId, wei: U256) -> bool {
        self.touch(id);
        if wei.is_zero() {
            return true;
        }
        match self.info(id).balance.checked_sub(wei) {
            Some(balance) => self.set_balance(id, balance),
            None => return false,
        }
        true
    }

    /// Transfers value; `false` if the balance is too low or the receiver's would overflow. On `false` the caller
    /// reverts.
    #[must_use]
    pub fn transfer(&mut self, from: AccountId, to: AccountId, wei: U256) -> bool {
        self.debit(from, wei) && self.credit(to, wei)
    }

    /// Writes a nonce, and touches the account.
    pub fn set_nonce(&mut self, id: AccountId, nonce: u64) {
        self.touch(id);
        let now = &mut self.accounts[id.index()].now;
        self.journal.push(Entry::Nonce { account: id, before: now.nonce });
        now.nonce = nonce;
    }

    /// Writes code, and touches the account.
    pub fn set_code(&mut self, id: AccountId, code: &[u8]) {
        self.touch(id);
        let hash = keccak256(code);
        let entry = &mut self.accounts[id.index()];
        let before = Box::new((entry.now.code_hash, entry.code.take()));
        self.journal.push(Entry::Code { account: id, before });
        entry.now.code_hash = hash;
        entry.code = (!code.is_empty()).then(|| Code::new(code));
    }

    /// Records that this transaction creates the contract, so that SELFDESTRUCT may delete it (EIP-6780).
    pub fn mark_created(&mut self, id: AccountId) {
        let entry = &mut self.accounts[id.index()];
        if entry.created != self.transaction {
            entry.created = self.transaction;
            self.journal.push(Entry::Created { account: id });
        }
    }

    /// Whether this transaction created the contract.
    pub fn is_created(&self, id: AccountId) -> bool {
        self.accounts[id.index()].created == self.transaction
    }

    /// Schedules the account for deletion at the end of this transaction; its balance is burned then.
    pub fn destroy(&mut self, id: AccountId) {
        let entry = &mut self.accounts[id.index()];
        if entry.destroyed != self.transaction {
            entry.destroyed = self.transaction;
            self.destroyed.push(id);
            self.journal.push(Entry::Destroyed { account: id });
        }
    }

    /// Burns the balance of an account (SELFDESTRUCT in favour of itself).
    pub fn burn(&mut self, id: AccountId) {
        let wei = self.info(id).balance;
        self.set_balance(id, U256::ZERO);
        self.journal.push(Entry::Burned { wei });
        self.burned += wei;
    }

    /// Wei burned with deleted accounts since the overlay began.
    pub fn burned(&self) -> U256 {
        self.burned
    }

    /// Ends a transaction for accounts: removes scheduled accounts, and touched accounts that are empty.
    pub(super) fn settle_accounts(&mut self) {
        let mut destroyed = std::mem::take(&mut self.destroyed);
        for id in destroyed.drain(..) {
            self.burned += self.info(id).balance;
            self.clear_storage(id);
            let entry = &mut self.accounts[id.index()];
            entry.now = Account::default();
            entry.code = None;
            entry.exists = false;
        }
        self.destroyed = destroyed;
        let mut touched = std::mem::take(&mut self.touched);
        for id in touched.drain(..) {
            let entry = &mut self.accounts[id.index()];
            entry.exists = !entry.now.is_empty();
            if !entry.exists {
                entry.now = Account::default();
            }
        }
        self.touched = touched;
    }
}

impl AccountEntry {
    /// The account after the block.
    pub(super) fn after(&self) -> Option<Account> {
        self.exists.then_some(self.now)
    }

    /// New code with its hash, if the block set any.
    pub(super) fn new_code(&self) -> Option<(B256, Bytes)> {
        let hash = self.after()?.code_hash;
        let before = self.before.map_or(KECCAK256_EMPTY, |account| account.code_hash);
        if hash == before || hash == KECCAK256_EMPTY {
            return None;
        }
        self.code.as_ref().map(|code| (hash, Bytes::copy_from_slice(code.bytes())))
    }
}
