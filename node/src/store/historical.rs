//! Accounts as they were after an older block of the active chain.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::{
    hash::BlockHash,
    state::{Account, StateView, ViewError, lthash::LtHash},
    transaction::coin::{Coin, OutPoint},
    trie::{Node, NodeKey},
    units::Height,
};
use std::sync::Arc;

use super::{Column, KeyRange, Order, Snapshot, StoreError, damaged, read::read_rows, schema};

/// Accounts, storage and code after a block: the tip's, unless a later block changed them. Then the history row of the first of
/// those blocks says what was there before. Coins and trie nodes it has only if the block is the tip.
pub struct HistoricalState {
    snapshot: Snapshot,
    height: Height,
}

impl Snapshot {
    /// The state after the block of the active chain at a height; `None` if there is no such block or its state is not kept.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn after(self, height: Height) -> Result<Option<HistoricalState>, StoreError> {
        let tip = self.tip().height;
        let known = height == tip || (height < tip && height >= self.oldest_state()?);
        Ok(known.then_some(HistoricalState { snapshot: self, height }))
    }
}

impl HistoricalState {
    /// The height that this is the state after.
    pub fn height(&self) -> Height {
        self.height
    }

    /// What it is read from.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// What stood at a key before the first later block that changed it; `None` if none did.
    fn before(&self, prefix: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if self.height == self.snapshot.tip().height {
            return Ok(None);
        }
        let key = |height: Height| [prefix, &height.to_be_bytes()].concat();
        // Behind the highest key of the prefix.
        let range = KeyRange { from: key(self.height + 1), to: Some([&key(Height::MAX)[..], &[0]].concat()) };
        let value = |_: &[u8], value: &[u8]| Ok(value.to_vec());
        Ok(read_rows(self.snapshot.kv(), Column::History, (&range, Order::Ascending), 1, value)?.pop())
    }

    fn at_tip(&self) -> Result<&Snapshot, ViewError> {
        if self.height == self.snapshot.tip().height {
            return Ok(&self.snapshot);
        }
        Err(StoreError::Corrupt("only accounts are kept of older states".into()).into())
    }
}

impl StateView for HistoricalState {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, ViewError> {
        self.at_tip()?.coin(outpoint)
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ViewError> {
        match self.before(&schema::past_account(address))? {
            Some(row) => Ok(schema::read_past_account(&row).map_err(|_| damaged(Column::History))?),
            None => self.snapshot.account(address),
        }
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, ViewError> {
        match self.before(&schema::past_slot(address, slot))? {
            Some(row) => Ok(schema::read_slot(&row).map_err(|_| damaged(Column::History))?),
            None => self.snapshot.storage(address, slot),
        }
    }

    fn code(&self, hash: &B256) -> Result<Bytes, ViewError> {
        self.snapshot.code(hash)
    }

    fn block_hash(&self, height: Height) -> Result<Option<BlockHash>, ViewError> {
        if height > self.height { Ok(None) } else { self.snapshot.block_hash(height) }
    }

    fn trie_node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        self.at_tip()?.trie_node(key)
    }

    fn coins_digest(&self) -> Result<LtHash, ViewError> {
        self.at_tip()?.coins_digest()
    }
}
