//! The state at the tip, as execution reads it.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::{
    hash::BlockHash,
    state::{Account, StateView, ViewError, lthash::LtHash},
    transaction::coin::{Coin, OutPoint},
    trie::{Node, NodeKey, NodeReader},
    units::Height,
};
use std::sync::Arc;

use super::{
    Column, Store,
    read::{read_account, read_code, read_coin, read_node, read_slot},
};

/// The state at the tip of a [`Store`], unflushed changes included.
#[derive(Clone, Copy)]
pub struct View<'a> {
    store: &'a Store,
}

impl Store {
    /// The state at the tip.
    pub fn view(&self) -> View<'_> {
        View { store: self }
    }
}

impl StateView for View<'_> {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, ViewError> {
        if let Some(coin) = self.store.coins.get(outpoint) {
            return Ok(coin.copied());
        }
        if let Some(coin) = self.store.cache.coins.get(outpoint) {
            return Ok(Some(coin));
        }
        let coin = read_coin(&*self.store.kv, outpoint)?;
        if let Some(coin) = coin {
            self.store.cache.coins.insert(*outpoint, coin);
        }
        Ok(coin)
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ViewError> {
        if let Some(account) = self.store.accounts.get(address) {
            return Ok(account.copied());
        }
        if let Some(account) = self.store.cache.accounts.get(address) {
            return Ok(account);
        }
        let account = read_account(&*self.store.kv, address)?;
        self.store.cache.accounts.insert(*address, account);
        Ok(account)
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, ViewError> {
        let key = (*address, *slot);
        if let Some(word) = self.store.storage.get(&key) {
            return Ok(word.copied().unwrap_or_default());
        }
        if let Some(word) = self.store.cache.storage.get(&key) {
            return Ok(word);
        }
        let word = read_slot(&*self.store.kv, address, slot)?;
        self.store.cache.storage.insert(key, word);
        Ok(word)
    }

    fn code(&self, hash: &B256) -> Result<Bytes, ViewError> {
        if let Some(code) = self.store.cache.codes.get(hash) {
            return Ok(code);
        }
        let code = match self.store.rows.get(Column::Code, hash.as_slice()) {
            Some(Some(code)) => Bytes::copy_from_slice(code),
            _ => read_code(&*self.store.kv, hash)?,
        };
        // Code never changes, so it may be cached before it is written.
        self.store.cache.codes.insert(*hash, code.clone());
        Ok(code)
    }

    fn block_hash(&self, height: Height) -> Result<Option<BlockHash>, ViewError> {
        Ok(self.store.at_height(height)?.map(|at| at.hash))
    }

    fn trie_node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        if let Some(node) = self.store.nodes.get(key) {
            return Ok(node.cloned());
        }
        if let Some(node) = self.store.cache.nodes.get(key) {
            return Ok(Some(node));
        }
        let node = read_node(&*self.store.kv, key)?;
        if let Some(node) = &node {
            self.store.cache.nodes.insert(key.clone(), node.clone());
        }
        Ok(node)
    }

    fn coins_digest(&self) -> Result<LtHash, ViewError> {
        Ok(self.store.tip.digest.clone())
    }
}

impl NodeReader for View<'_> {
    fn node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        self.trie_node(key)
    }
}
