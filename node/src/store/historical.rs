//! Accounts as they were after an older block of the active chain.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::{
    hash::BlockHash,
    state::{Account, StateView, ViewError, lthash::LtHash},
    transaction::coin::{Coin, OutPoint},
    trie::{Node, NodeKey},
    units::Height,
};
use parking_lot::Mutex;
use std::{cmp::Ordering, sync::Arc};

use super::{Column, Malformed, Snapshot, StoreError, blockdata, damaged};

/// Bytes of undo data that are kept from one lookup to the next. What is beyond is read again each time: a call at an old
/// block must not hold the changes of all blocks above it.
const KEPT: usize = 16 << 20;

/// Accounts, storage and code after a block: the tip's, unless a later block changed them. Then the oldest of those blocks
/// says in its undo data what was there before. Coins and trie nodes it has only if that block is the tip.
pub struct HistoricalState {
    snapshot: Snapshot,
    height: Height,
    kept: Mutex<Kept>,
}

/// Undo data by height above the state's.
#[derive(Default)]
struct Kept {
    rows: Vec<Arc<Vec<u8>>>,
    bytes: usize,
    /// A balance is one lookup, for which nothing need be kept.
    lookups: usize,
}

impl Snapshot {
    /// The state after the block of the active chain at a height; `None` if there is none or undo data is missing.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn after(self, height: Height) -> Result<Option<HistoricalState>, StoreError> {
        let tip = self.tip().height;
        // Undo data goes from the oldest on: where that of the next block is, all is.
        let known = match height.cmp(&tip) {
            Ordering::Greater => false,
            Ordering::Equal => true,
            Ordering::Less => match self.at_height(height + 1)? {
                Some(next) => self.undo_bytes(next)?.is_some(),
                None => false,
            },
        };
        Ok(known.then(|| HistoricalState { snapshot: self, height, kept: Mutex::default() }))
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

    /// The first thing that is found in the undo data of the blocks above, oldest first.
    fn first<T>(&self, find: impl Fn(&[u8]) -> Result<Option<T>, Malformed>) -> Result<Option<T>, StoreError> {
        self.kept.lock().lookups += 1;
        for above in self.height + 1..=self.snapshot.tip().height {
            let found = find(&self.undo(above)?).map_err(|_| damaged(Column::Undo))?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn undo(&self, height: Height) -> Result<Arc<Vec<u8>>, StoreError> {
        let index = (height - self.height - 1) as usize;
        if let Some(row) = self.kept.lock().rows.get(index) {
            return Ok(row.clone());
        }
        let missing = || StoreError::Corrupt(format!("undo data of the block at height {height} is missing"));
        let at = self.snapshot.at_height(height)?.ok_or_else(missing)?;
        let row = Arc::new(self.snapshot.undo_bytes(at)?.ok_or_else(missing)?);
        let mut kept = self.kept.lock();
        if kept.lookups > 1 && index == kept.rows.len() && kept.bytes + row.len() <= KEPT {
            kept.bytes += row.len();
            kept.rows.push(row.clone());
        }
        Ok(row)
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
        match self.first(|undo| blockdata::account_before(undo, address))? {
            Some(before) => Ok(before),
            None => self.snapshot.account(address),
        }
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, ViewError> {
        match self.first(|undo| blockdata::slot_before(undo, address, slot))? {
            Some(word) => Ok(word),
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
