//! The store itself.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::{
    block::{Block, CheckedBlock},
    coin::{Coin, OutPoint},
    execute::ExecutedBlock,
    hash::BlockHash,
    lthash::LtHash,
    spec::ChainSpec,
    state::{Account, StateView, ViewError},
    trie::{Node, NodeKey},
    units::Height,
};
use std::{path::Path, sync::Arc};

use super::{BlockRef, HeaderRecord, Reader, StoreConfig, StoreError, StoreStats, Totals};

/// The chain and its state. One thread owns it; [`Store::reader`] serves the others.
pub struct Store {}

impl Store {
    /// Opens the store in a data directory and locks the directory; an empty one receives the genesis block.
    ///
    /// # Errors
    /// [`StoreError`]: the directory is in use, of another chain or a newer release, damaged, or cannot be written.
    pub fn open(_datadir: &Path, _spec: &ChainSpec, _config: &StoreConfig) -> Result<Self, StoreError> {
        todo!()
    }

    /// As [`Store::open`], but takes the state back to genesis and forgets every verdict. Headers and bodies stay, so that
    /// the engine can execute them again: what `reindex` does. Also what to do with a damaged state.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_reset(_datadir: &Path, _spec: &ChainSpec, _config: &StoreConfig) -> Result<Self, StoreError> {
        todo!()
    }

    /// A store in memory, for tests and `--dev`.
    ///
    /// # Errors
    /// [`StoreError`] if the genesis block cannot be written: never.
    pub fn in_memory(_spec: &ChainSpec, _config: &StoreConfig) -> Result<Self, StoreError> {
        todo!()
    }

    /// Every header ever stored, parents before children.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read; so for all methods that read.
    pub fn load_headers(&self) -> Result<Vec<HeaderRecord>, StoreError> {
        todo!()
    }

    /// Adds headers, or replaces what is known of them, at once. A stored body stays known.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written; so for all methods that write. After that, all that is left is to stop:
    /// every later write answers [`StoreError::Stopped`].
    pub fn put_headers(&mut self, _records: &[HeaderRecord]) -> Result<(), StoreError> {
        todo!()
    }

    /// Stores a body with its header at once, on any branch, before it is executed.
    ///
    /// # Errors
    /// See [`Store::put_headers`].
    pub fn put_body(&mut self, _height: Height, _block: &CheckedBlock) -> Result<(), StoreError> {
        todo!()
    }

    /// A stored block. It was checked before it was stored.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn body(&self, _at: BlockRef) -> Result<Option<Block>, StoreError> {
        todo!()
    }

    /// The block whose state [`Store::view`] shows, flushed or not.
    pub fn tip(&self) -> BlockRef {
        todo!()
    }

    /// The tip of the last flush: where the store opens after a crash.
    pub fn flushed_tip(&self) -> BlockRef {
        todo!()
    }

    /// The block at a height of the active chain.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn at_height(&self, _height: Height) -> Result<Option<BlockRef>, StoreError> {
        todo!()
    }

    /// Makes a child of the tip the new tip, in memory. Its body and header are stored with it, if they were not before.
    ///
    /// # Errors
    /// [`StoreError::NotNext`]; see [`Store::put_headers`].
    pub fn connect(&mut self, _block: &ExecutedBlock) -> Result<(), StoreError> {
        todo!()
    }

    /// Takes the tip back, in memory, and answers with its block. The parent is the new tip.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the state does not become the parent's, [`StoreError::NoUndo`], [`StoreError::Genesis`];
    /// see [`Store::put_headers`]. The store is as before then.
    pub fn disconnect(&mut self) -> Result<Block, StoreError> {
        todo!()
    }

    /// Whether it is time to flush: while syncing, when much has gathered; else, after every block.
    pub fn needs_flush(&self, _syncing: bool) -> bool {
        todo!()
    }

    /// Writes everything that changed in one atomic batch, the tip included. Does nothing if nothing changed.
    ///
    /// # Errors
    /// See [`Store::put_headers`].
    pub fn flush(&mut self) -> Result<(), StoreError> {
        todo!()
    }

    /// The state at the tip.
    pub fn view(&self) -> View<'_> {
        todo!()
    }

    /// Reads coins into the cache, faster than one by one. May be called from another thread while nothing is written.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn prefetch(&self, _coins: &[OutPoint]) -> Result<(), StoreError> {
        todo!()
    }

    /// Opens snapshots from any thread.
    pub fn reader(&self) -> Reader {
        todo!()
    }

    /// Sums over the state at the tip.
    pub fn totals(&self) -> Totals {
        todo!()
    }

    /// Sizes and counts.
    pub fn stats(&self) -> StoreStats {
        todo!()
    }
}

/// The state at the tip of a [`Store`], unflushed changes included.
#[derive(Clone, Copy)]
pub struct View<'a> {
    _store: &'a Store,
}

impl StateView for View<'_> {
    fn coin(&self, _outpoint: &OutPoint) -> Result<Option<Coin>, ViewError> {
        todo!()
    }

    fn account(&self, _address: &Address) -> Result<Option<Account>, ViewError> {
        todo!()
    }

    fn storage(&self, _address: &Address, _slot: &U256) -> Result<U256, ViewError> {
        todo!()
    }

    fn code(&self, _hash: &B256) -> Result<Bytes, ViewError> {
        todo!()
    }

    fn block_hash(&self, _height: Height) -> Result<Option<BlockHash>, ViewError> {
        todo!()
    }

    fn trie_node(&self, _key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        todo!()
    }

    fn coins_digest(&self) -> Result<LtHash, ViewError> {
        todo!()
    }
}
