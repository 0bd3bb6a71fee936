//! A state in memory, for tests of this crate and of others.

use alloy_primitives::{Address, B256, Bytes, U256};
use std::{collections::BTreeMap, sync::Arc};

use crate::{
    execute::{Reversal, roots},
    hash::BlockHash,
    state::{Account, AccountChange, BlockEffects, BlockUndo, StateView, StorageChange, ViewError, lthash::LtHash},
    transaction::coin::{Coin, OutPoint},
    trie::{Node, NodeChange, NodeKey},
    units::Height,
};

/// A whole state. Two are equal only if every trie node is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryState {
    /// Unspent coins.
    pub coins: BTreeMap<OutPoint, Coin>,
    /// Accounts that exist.
    pub accounts: BTreeMap<Address, Account>,
    /// Slots that are not zero.
    pub storage: BTreeMap<(Address, U256), U256>,
    /// Code by hash; never removed.
    pub codes: BTreeMap<B256, Bytes>,
    /// Hashes of blocks by height.
    pub block_hashes: BTreeMap<Height, BlockHash>,
    nodes: BTreeMap<NodeKey, Arc<Node>>,
    coins_digest: LtHash,
}

impl MemoryState {
    /// Adds a coin as if a block had created it.
    pub fn insert_coin(&mut self, outpoint: OutPoint, coin: Coin) {
        roots::change_coins(&mut self.coins_digest, &[(outpoint, coin)], &[]);
        self.coins.insert(outpoint, coin);
    }

    /// Adds or replaces an account with its code and slots, as if a block had; computes its hashes.
    pub fn insert_account(&mut self, address: Address, account: Account, code: Bytes, storage: &[(U256, U256)]) {
        let before = self.accounts.get(&address).copied();
        let code_hash = alloy_primitives::keccak256(&code);
        self.codes.insert(code_hash, code);
        let mut accounts = [AccountChange { address, before, after: Some(Account { code_hash, ..account }) }];
        let slot = |(slot, value): &(U256, U256)| StorageChange {
            address,
            slot: *slot,
            before: self.storage.get(&(address, *slot)).copied().unwrap_or_default(),
            after: *value,
        };
        let storage: Vec<StorageChange> = storage.iter().map(slot).collect();
        let (_, nodes) = roots::change_state(self, &mut accounts, &storage).expect("memory can be read");
        self.write_nodes(&nodes);
        self.write_accounts(accounts.iter().map(|change| (change.address, change.after)));
        self.write_storage(storage.iter().map(|change| ((change.address, change.slot), change.after)));
    }

    /// Applies a block.
    pub fn apply(&mut self, effects: &BlockEffects) {
        for (outpoint, coin) in &effects.spent {
            assert_eq!(self.coins.remove(outpoint), Some(*coin), "a coin is spent that was not there");
        }
        for (outpoint, coin) in &effects.created {
            assert_eq!(self.coins.insert(*outpoint, *coin), None, "a coin is made twice");
        }
        self.write_accounts(effects.accounts.iter().map(|change| (change.address, change.after)));
        self.write_storage(effects.storage.iter().map(|change| ((change.address, change.slot), change.after)));
        self.codes.extend(effects.codes.iter().cloned());
        self.write_nodes(&effects.nodes);
        self.coins_digest = effects.coins_digest.clone();
    }

    /// Disconnects a block.
    pub fn revert(&mut self, undo: &BlockUndo, reversal: &Reversal) {
        for (outpoint, coin) in &undo.created {
            assert_eq!(self.coins.remove(outpoint), Some(*coin), "a coin is removed that was not there");
        }
        for (outpoint, coin) in &undo.spent {
            assert_eq!(self.coins.insert(*outpoint, *coin), None, "a coin is given back twice");
        }
        self.write_accounts(undo.accounts.iter().map(|change| (change.address, change.before)));
        self.write_storage(undo.storage.iter().map(|change| ((change.address, change.slot), change.before)));
        self.write_nodes(&reversal.nodes);
        self.coins_digest = reversal.coins_digest.clone();
    }

    /// Root of the account trie.
    pub fn state_root(&self) -> B256 {
        roots::change_state(self, &mut [], &[]).expect("memory can be read").0
    }

    /// All money that exists, in wei.
    pub fn supply(&self) -> U256 {
        let coins: U256 = self.coins.values().map(|coin| coin.output.amount.to_wei()).sum();
        let accounts: U256 = self.accounts.values().map(|account| account.balance).sum();
        coins + accounts
    }

    fn write_accounts(&mut self, accounts: impl Iterator<Item = (Address, Option<Account>)>) {
        for (address, account) in accounts {
            match account {
                Some(account) => self.accounts.insert(address, account),
                None => self.accounts.remove(&address),
            };
        }
    }

    fn write_storage(&mut self, slots: impl Iterator<Item = ((Address, U256), U256)>) {
        for (key, value) in slots {
            match value.is_zero() {
                false => self.storage.insert(key, value),
                true => self.storage.remove(&key),
            };
        }
    }

    fn write_nodes(&mut self, nodes: &[NodeChange]) {
        for change in nodes {
            match &change.node {
                Some(node) => self.nodes.insert(change.key.clone(), node.clone()),
                None => self.nodes.remove(&change.key),
            };
        }
    }
}

impl StateView for MemoryState {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, ViewError> {
        Ok(self.coins.get(outpoint).copied())
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ViewError> {
        Ok(self.accounts.get(address).copied())
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, ViewError> {
        Ok(self.storage.get(&(*address, *slot)).copied().unwrap_or_default())
    }

    fn code(&self, hash: &B256) -> Result<Bytes, ViewError> {
        Ok(self.codes.get(hash).cloned().unwrap_or_default())
    }

    fn block_hash(&self, height: Height) -> Result<Option<BlockHash>, ViewError> {
        Ok(self.block_hashes.get(&height).copied())
    }

    fn trie_node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        Ok(self.nodes.get(key).cloned())
    }

    fn coins_digest(&self) -> Result<LtHash, ViewError> {
        Ok(self.coins_digest.clone())
    }
}
