//! Reading from other threads.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::{
    block::Block,
    coin::{Coin, Lock, OutPoint},
    hash::{BlockHash, TxId},
    lthash::LtHash,
    state::{Account, StateView, ViewError},
    trie::{Node, NodeKey, NodeReader},
    units::Height,
};
use std::sync::Arc;

use super::{
    AccountEvent, BlockRef, HeaderRecord, HistoryPlace, LockEvent, StoreError, StoredReceipt, Totals, TxPlace,
};

/// Opens snapshots of a store from any thread. Cheap to clone.
#[derive(Clone)]
pub struct Reader {}

impl Reader {
    /// The state of the last flush. Cheap enough for every request, but not to be kept for long: it keeps the database
    /// from dropping what is overwritten.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read; so for all methods of [`Snapshot`].
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        todo!()
    }
}

/// Everything as it was at one flush.
pub struct Snapshot {}

impl Snapshot {
    /// The block that this is the state of.
    pub fn tip(&self) -> BlockRef {
        todo!()
    }

    /// A header by its hash, on any branch.
    pub fn header(&self, _hash: &BlockHash) -> Result<Option<HeaderRecord>, StoreError> {
        todo!()
    }

    /// The block at a height of the active chain.
    pub fn at_height(&self, _height: Height) -> Result<Option<BlockRef>, StoreError> {
        todo!()
    }

    /// A block on any branch.
    pub fn body(&self, _at: BlockRef) -> Result<Option<Block>, StoreError> {
        todo!()
    }

    /// The encoded block.
    pub fn body_bytes(&self, _at: BlockRef) -> Result<Option<Vec<u8>>, StoreError> {
        todo!()
    }

    /// Receipts of the account transactions of a block on the active chain.
    pub fn receipts(&self, _at: BlockRef) -> Result<Option<Vec<StoredReceipt>>, StoreError> {
        todo!()
    }

    /// Coins of earlier blocks that a block on the active chain spent, in order of spending.
    pub fn spent_by(&self, _at: BlockRef) -> Result<Option<Vec<(OutPoint, Coin)>>, StoreError> {
        todo!()
    }

    /// Where a transaction stands; [`StoreError::IndexMissing`] if the index is off.
    pub fn transaction(&self, _txid: &TxId) -> Result<Option<TxPlace>, StoreError> {
        todo!()
    }

    /// Unspent coins of a lock in outpoint order, at most `limit`, those after `after` only.
    pub fn coins_of(
        &self,
        _lock: &Lock,
        _after: Option<OutPoint>,
        _limit: usize,
    ) -> Result<Vec<(OutPoint, Coin)>, StoreError> {
        todo!()
    }

    /// What transactions did to a lock, newest first, at most `limit`, those before `before` only.
    pub fn lock_history(
        &self,
        _lock: &Lock,
        _before: Option<HistoryPlace>,
        _limit: usize,
    ) -> Result<Vec<LockEvent>, StoreError> {
        todo!()
    }

    /// Transactions that concern an account, newest first, at most `limit`, those before `before` only.
    pub fn account_history(
        &self,
        _address: &Address,
        _before: Option<HistoryPlace>,
        _limit: usize,
    ) -> Result<Vec<AccountEvent>, StoreError> {
        todo!()
    }

    /// Sums over the state.
    pub fn totals(&self) -> Result<Totals, StoreError> {
        todo!()
    }
}

impl StateView for Snapshot {
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

impl NodeReader for Snapshot {
    fn node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        self.trie_node(key)
    }
}
