//! The state at the tip, as execution reads it.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use chain_core::{
    hash::BlockHash,
    state::{Account, StateView, ViewError, lthash::LtHash},
    transaction::coin::{Coin, OutPoint},
    trie::{Node, NodeKey, NodeReader},
    units::Height,
};
use std::sync::Arc;

use super::{
    Store, StoreError,
    kv::{Column, KvRead},
    schema,
    state::damaged,
};

/// The state at the tip of a [`Store`], unflushed changes included.
#[derive(Clone, Copy)]
pub struct View<'a> {
    store: &'a Store,
}

impl<'a> View<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store }
    }
}

impl Store {
    /// Reads coins into the cache, faster than one by one. May be called from another thread while nothing is written.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn prefetch(&self, coins: &[OutPoint]) -> Result<(), StoreError> {
        let unknown =
            |outpoint: &&OutPoint| self.coins.get(outpoint).is_none() && !self.cache.coins.contains_key(*outpoint);
        let mut wanted: Vec<OutPoint> = coins.iter().filter(unknown).copied().collect();
        wanted.sort_unstable();
        let keys: Vec<_> = wanted.iter().map(schema::coin_key).collect();
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        for (outpoint, value) in wanted.iter().zip(self.kv.get_many(Column::Coins, &keys)?) {
            if let Some(value) = value {
                let coin = schema::read_coin(&value).map_err(|_| damaged(Column::Coins))?;
                self.cache.coins.insert(*outpoint, coin);
            }
        }
        Ok(())
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

/// A coin as it is on disk.
pub(super) fn read_coin(kv: &(impl KvRead + ?Sized), outpoint: &OutPoint) -> Result<Option<Coin>, StoreError> {
    let value = kv.get(Column::Coins, &schema::coin_key(outpoint))?;
    value.map(|value| schema::read_coin(&value).map_err(|_| damaged(Column::Coins))).transpose()
}

/// An account as it is on disk.
pub(super) fn read_account(kv: &(impl KvRead + ?Sized), address: &Address) -> Result<Option<Account>, StoreError> {
    let value = kv.get(Column::Accounts, address.as_slice())?;
    value.map(|value| schema::read_account(&value).map_err(|_| damaged(Column::Accounts))).transpose()
}

/// A slot as it is on disk.
pub(super) fn read_slot(kv: &(impl KvRead + ?Sized), address: &Address, slot: &U256) -> Result<U256, StoreError> {
    let value = kv.get(Column::Storage, &schema::slot_key(address, slot))?;
    value.map_or(Ok(U256::ZERO), |value| schema::read_slot(&value).map_err(|_| damaged(Column::Storage)))
}

/// Code as it is on disk. It is missing only from a damaged database.
pub(super) fn read_code(kv: &(impl KvRead + ?Sized), hash: &B256) -> Result<Bytes, StoreError> {
    if *hash == KECCAK256_EMPTY {
        return Ok(Bytes::new());
    }
    let code = kv.get(Column::Code, hash.as_slice())?;
    code.map(Bytes::from).ok_or_else(|| StoreError::Corrupt(format!("the code with hash {hash} is missing")))
}

/// A trie node as it is on disk.
pub(super) fn read_node(kv: &(impl KvRead + ?Sized), key: &NodeKey) -> Result<Option<Arc<Node>>, StoreError> {
    let value = kv.get(Column::Trie, &key.to_bytes())?;
    let node = value.map(Node::from_bytes).transpose().map_err(|_| damaged(Column::Trie))?;
    Ok(node.map(Arc::new))
}
