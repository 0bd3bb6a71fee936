//! Clean copies of what is on disk, each kind within its share of the configured bytes.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::{
    state::Account,
    transaction::coin::{Coin, OutPoint},
    trie::{Node, NodeKey},
};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter, sync};
use std::{hash::Hash, sync::Arc};

use super::changes::{Changes, NodeChanges};

/// Bytes that an entry takes beside its key and value: its place in a table and a list.
const OVERHEAD: usize = 40;

/// Copies of what is on disk, bounded in bytes. May be read and filled from many threads.
type Clean<K, V, W> = sync::Cache<K, V, W, DefaultHashBuilder>;

/// Weighs every entry the same.
#[derive(Clone, Copy, Debug)]
pub struct PerEntry(pub u64);

impl<K, V> Weighter<K, V> for PerEntry {
    fn weight(&self, _: &K, _: &V) -> u64 {
        self.0
    }
}

/// A cache of so many bytes, for entries of about `entry` bytes.
fn clean<K: Eq + Hash, V: Clone, W: Weighter<K, V> + Clone>(bytes: usize, entry: usize, weighter: W) -> Clean<K, V, W> {
    let options = OptionsBuilder::new()
        .estimated_items_capacity((bytes / entry).max(1))
        .weight_capacity(bytes as u64)
        .shards(4)
        .build()
        .expect("both required settings are given");
    sync::Cache::with_options(options, weighter, DefaultHashBuilder::default(), Default::default())
}

/// Copies of what is on disk. Absence is remembered for accounts and slots, where it is asked for often.
pub struct Cache {
    /// Unspent coins.
    pub coins: Clean<OutPoint, Coin, PerEntry>,
    /// Accounts.
    pub accounts: Clean<Address, Option<Account>, PerEntry>,
    /// Slots.
    pub storage: Clean<(Address, U256), U256, PerEntry>,
    /// Trie nodes.
    pub nodes: Clean<NodeKey, Arc<Node>, ByBytes>,
    /// Code by its hash.
    pub codes: Clean<B256, Bytes, ByBytes>,
}

/// Weighs what has bytes of its own.
#[derive(Clone, Copy, Debug)]
pub struct ByBytes;

impl Weighter<NodeKey, Arc<Node>> for ByBytes {
    fn weight(&self, _: &NodeKey, node: &Arc<Node>) -> u64 {
        (size_of::<(NodeKey, Arc<Node>)>() + node.memory() + OVERHEAD) as u64
    }
}

impl Weighter<B256, Bytes> for ByBytes {
    fn weight(&self, _: &B256, code: &Bytes) -> u64 {
        (size_of::<(B256, Bytes)>() + code.len() + OVERHEAD) as u64
    }
}

impl Cache {
    /// Divides so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self {
            coins: even(bytes / 16 * 6),
            accounts: even(bytes / 16 * 2),
            storage: even(bytes / 16),
            nodes: clean(bytes / 16 * 6, 400, ByBytes),
            codes: clean(bytes / 16, 4_096, ByBytes),
        }
    }

    /// Takes over what was just written.
    pub fn settle(
        &self,
        coins: &mut Changes<OutPoint, Coin>,
        accounts: &mut Changes<Address, Account>,
        storage: &mut Changes<(Address, U256), U256>,
        nodes: &mut NodeChanges,
    ) {
        for (outpoint, coin) in coins.drain() {
            match coin {
                Some(coin) => self.coins.insert(outpoint, coin),
                None => drop(self.coins.remove(&outpoint)),
            }
        }
        accounts.drain().for_each(|(address, account)| self.accounts.insert(address, account));
        storage.drain().for_each(|(slot, word)| self.storage.insert(slot, word.unwrap_or_default()));
        for (key, node) in nodes.drain() {
            match node {
                Some(node) => self.nodes.insert(key, node),
                None => drop(self.nodes.remove(&key)),
            }
        }
    }

    /// Bytes that the entries take.
    pub fn memory(&self) -> usize {
        let state = self.coins.weight() + self.accounts.weight() + self.storage.weight();
        usize::try_from(state + self.nodes.weight() + self.codes.weight()).unwrap_or(usize::MAX)
    }
}

/// A cache for entries of one size.
fn even<K: Eq + Hash, V: Clone>(bytes: usize) -> Clean<K, V, PerEntry> {
    let entry = size_of::<(K, V)>() + OVERHEAD;
    clean(bytes, entry, PerEntry(entry as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_stays_within_its_bytes() {
        let cache = clean::<u32, u32, _>(10_000, 100, PerEntry(100));
        for key in 0..1_000 {
            cache.insert(key, key);
        }
        assert!(cache.weight() <= 10_000 && cache.len() >= 50, "{} bytes, {} entries", cache.weight(), cache.len());
    }
}
