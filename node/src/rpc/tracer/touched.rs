//! What a transaction read and wrote: accounts and slots before it and after.
//!
//! As geth's `prestateTracer` does, it lists the sender, the recipient, the beneficiary and the signers of authorizations,
//! and what instructions name. An instruction that halts lists nothing. What is before is read at the first instruction that
//! names it: none writes what was not named.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use chain_core::{
    codec,
    execute::{EDITOR, Edit},
    gas::MAX_INITCODE,
    state::{Overlay, ViewError},
    transaction::account::Fields,
    vm::{Halt, Step, opcode},
};
use std::collections::BTreeMap;

use super::limit::Limit;

/// What an account costs besides its code, and what a slot costs, in memory and as text.
const ACCOUNT: usize = 600;
const SLOT: usize = 400;

/// What is recorded.
#[derive(Clone, Copy)]
pub struct TouchedConfig {
    /// Code, too.
    pub code: bool,
    /// Slots, too.
    pub storage: bool,
}

/// The transaction that is recorded, and who is paid for it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub fields: &'a Fields,
    pub sender: Address,
    pub beneficiary: Address,
}

/// An account at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub balance: U256,
    pub nonce: u64,
    pub code_hash: B256,
    /// Empty if code is not recorded.
    pub code: Bytes,
}

/// What became of an account.
#[derive(Debug)]
pub struct Change {
    pub before: Held,
    pub after: Held,
    /// Slots that were read or written: before and after.
    pub slots: BTreeMap<B256, (B256, B256)>,
}

/// Records accounts and slots.
pub struct Touched {
    config: TouchedConfig,
    accounts: BTreeMap<Address, Change>,
    /// What the running instruction names; it counts if the instruction does not halt.
    named: Vec<Named>,
    failed: Option<ViewError>,
}

#[derive(Clone, Copy)]
enum Named {
    Account(Address),
    Slot(Address, U256),
}

impl Held {
    /// Whether there is no account (EIP-161).
    pub fn is_empty(&self) -> bool {
        self.balance.is_zero() && self.nonce == 0 && self.code_hash == KECCAK256_EMPTY
    }

    fn read(state: &mut Overlay<'_>, address: &Address, code: bool) -> Result<Self, ViewError> {
        let id = state.account(address)?;
        let info = *state.info(id);
        let code = if code { state.code_bytes(id)? } else { Bytes::new() };
        Ok(Self { balance: info.balance, nonce: info.nonce, code_hash: info.code_hash, code })
    }
}

impl Touched {
    /// Records a transaction.
    pub fn new(config: TouchedConfig) -> Self {
        Self { config, accounts: BTreeMap::new(), named: Vec::new(), failed: None }
    }

    /// What was touched, in the order of addresses.
    pub fn accounts(&self) -> &BTreeMap<Address, Change> {
        &self.accounts
    }

    pub(super) fn begin(
        &mut self,
        state: &mut Overlay<'_>,
        subject: &Subject<'_>,
        limit: &mut Limit<'_>,
    ) -> Result<(), ViewError> {
        let Subject { fields, sender, beneficiary } = *subject;
        let target = match fields.to {
            Some(to) => to,
            None => {
                let id = state.account(&sender)?;
                sender.create(state.info(id).nonce)
            }
        };
        for address in [sender, target, beneficiary] {
            self.account(state, address, limit)?;
        }
        if let Some(delegate) = delegate(state, &target)? {
            self.account(state, delegate, limit)?;
        }
        for authorization in &fields.authorizations {
            if let Some(authority) = authorization.recover() {
                self.account(state, authority, limit)?;
            }
        }
        for edit in edits(fields, sender) {
            self.account(state, edit.account(), limit)?;
            if let Edit::Slot { account, slot, .. } = edit {
                self.slot(state, account, slot, limit)?;
            }
        }
        self.named.clear();
        Ok(())
    }

    pub(super) fn step(&mut self, step: &Step<'_>, state: &mut Overlay<'_>, limit: &mut Limit<'_>) {
        if self.failed.is_some() {
            return;
        }
        self.named.clear();
        // What cannot be read is not shown; the end of the run says so.
        if let Err(error) = self.name(step, state, limit) {
            self.failed = Some(error);
        }
    }

    /// What the instruction names is read before it runs, and dropped again if it halts.
    fn name(&mut self, step: &Step<'_>, state: &mut Overlay<'_>, limit: &mut Limit<'_>) -> Result<(), ViewError> {
        use opcode::{
            BALANCE, CALL, CALLCODE, CREATE, CREATE2, DELEGATECALL, EXTCODECOPY, EXTCODEHASH, EXTCODESIZE,
            SELFDESTRUCT, SLOAD, SSTORE, STATICCALL,
        };
        match (step.opcode, step.stack) {
            (SLOAD | SSTORE, [.., key]) => self.slot(state, step.address, *key, limit),
            (BALANCE | EXTCODESIZE | EXTCODECOPY | EXTCODEHASH | SELFDESTRUCT, [.., address]) => {
                self.named_account(state, to_address(*address), limit)
            }
            (CALL | CALLCODE | DELEGATECALL | STATICCALL, [.., address, _]) => {
                let address = to_address(*address);
                self.named_account(state, address, limit)?;
                match delegate(state, &address)? {
                    Some(delegate) => self.named_account(state, delegate, limit),
                    None => Ok(()),
                }
            }
            (CREATE, [.., _]) => {
                let id = state.account(&step.address)?;
                let created = step.address.create(state.info(id).nonce);
                self.named_account(state, created, limit)
            }
            (CREATE2, [.., salt, len, offset, _]) => match initcode(step.memory, *offset, *len) {
                Some(initcode) => {
                    let created = step.address.create2(B256::from(*salt), keccak256(&initcode));
                    self.named_account(state, created, limit)
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn named_account(
        &mut self,
        state: &mut Overlay<'_>,
        address: Address,
        limit: &mut Limit<'_>,
    ) -> Result<(), ViewError> {
        if !self.accounts.contains_key(&address) {
            self.account(state, address, limit)?;
            self.named.push(Named::Account(address));
        }
        Ok(())
    }

    fn account(&mut self, state: &mut Overlay<'_>, address: Address, limit: &mut Limit<'_>) -> Result<(), ViewError> {
        if self.accounts.contains_key(&address) {
            return Ok(());
        }
        let before = Held::read(state, &address, self.config.code)?;
        if limit.charge(ACCOUNT + 4 * before.code.len()) {
            self.accounts.insert(address, Change { after: before.clone(), before, slots: BTreeMap::new() });
        }
        Ok(())
    }

    fn slot(
        &mut self,
        state: &mut Overlay<'_>,
        address: Address,
        key: U256,
        limit: &mut Limit<'_>,
    ) -> Result<(), ViewError> {
        let Some(change) = self.accounts.get_mut(&address).filter(|_| self.config.storage) else { return Ok(()) };
        if change.slots.contains_key(&B256::from(key)) {
            return Ok(());
        }
        let value = read_slot(state, &address, key)?;
        if limit.charge(SLOT) {
            change.slots.insert(key.into(), (value, value));
            self.named.push(Named::Slot(address, key));
        }
        Ok(())
    }

    pub(super) fn step_end(&mut self, halt: Option<Halt>) {
        let named = std::mem::take(&mut self.named);
        if halt.is_none() {
            return;
        }
        for one in named {
            match one {
                Named::Account(address) => drop(self.accounts.remove(&address)),
                Named::Slot(address, key) => {
                    let change = self.accounts.get_mut(&address);
                    change.map(|change| change.slots.remove(&B256::from(key)));
                }
            }
        }
    }

    pub(super) fn end(&mut self, state: &mut Overlay<'_>) -> Result<(), ViewError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        for (address, change) in &mut self.accounts {
            change.after = Held::read(state, address, self.config.code)?;
            for (key, (_, after)) in &mut change.slots {
                *after = read_slot(state, address, U256::from_be_bytes(key.0))?;
            }
        }
        Ok(())
    }
}

/// What a transaction edits on a development chain (DEV-3), where no instruction names it.
fn edits(fields: &Fields, sender: Address) -> Vec<Edit> {
    let is_edit = sender == EDITOR && fields.to == Some(EDITOR);
    if is_edit { codec::decode(&fields.input).unwrap_or_default() } else { Vec::new() }
}

fn read_slot(state: &mut Overlay<'_>, address: &Address, key: U256) -> Result<B256, ViewError> {
    let account = state.account(address)?;
    let slot = state.slot(account, key)?;
    Ok(state.storage(slot).into())
}

fn to_address(word: U256) -> Address {
    Address::from_word(word.into())
}

/// The account whose code runs instead, if an account delegates to one.
fn delegate(state: &mut Overlay<'_>, address: &Address) -> Result<Option<Address>, ViewError> {
    let id = state.account(address)?;
    state.delegate(id)
}

/// The initcode of a creation, with zeros for memory that is not there yet; `None` if it is too long to run.
fn initcode(memory: &[u8], offset: U256, len: U256) -> Option<Vec<u8>> {
    let len = usize::try_from(len).ok().filter(|len| *len <= MAX_INITCODE)?;
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(memory.len());
    let to = from.saturating_add(len).min(memory.len());
    let mut initcode = memory[from..to].to_vec();
    initcode.resize(len, 0);
    Some(initcode)
}
