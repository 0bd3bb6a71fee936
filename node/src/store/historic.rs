//! Accounts as they were after an older block of the active chain.

use alloy_primitives::{Address, B256, Bytes, U256, map::HashMap};
use chain_core::{
    coin::{Coin, OutPoint},
    hash::BlockHash,
    lthash::LtHash,
    state::{Account, StateView, ViewError},
    trie::{Node, NodeKey},
    units::Height,
};
use std::sync::Arc;

use super::{Snapshot, StoreError};

/// Accounts, storage and code after a block: the tip's, with what later blocks changed put back from their undo data.
/// Coins and trie nodes it has only if that block is the tip.
pub struct Historic {
    snapshot: Snapshot,
    height: Height,
    accounts: HashMap<Address, Option<Account>>,
    storage: HashMap<(Address, U256), U256>,
}

impl Snapshot {
    /// The state after the block of the active chain at a height; `None` if there is none or undo data is missing. Takes
    /// time and memory by the number of blocks above it.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn after(self, height: Height) -> Result<Option<Historic>, StoreError> {
        let tip = self.tip().height;
        if height > tip {
            return Ok(None);
        }
        let (mut accounts, mut storage) = (HashMap::default(), HashMap::default());
        for above in (height + 1..=tip).rev() {
            let Some(at) = self.at_height(above)? else { return Ok(None) };
            let Some(before) = self.before(at)? else { return Ok(None) };
            accounts.extend(before.accounts);
            storage.extend(before.storage.into_iter().map(|(address, slot, word)| ((address, slot), word)));
        }
        Ok(Some(Historic { snapshot: self, height, accounts, storage }))
    }
}

impl Historic {
    /// The height that this is the state after.
    pub fn height(&self) -> Height {
        self.height
    }

    /// What it is read from.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    fn at_tip(&self) -> Result<&Snapshot, ViewError> {
        if self.height == self.snapshot.tip().height {
            return Ok(&self.snapshot);
        }
        Err(StoreError::Corrupt("only accounts are kept of older states".into()).into())
    }
}

impl StateView for Historic {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, ViewError> {
        self.at_tip()?.coin(outpoint)
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ViewError> {
        match self.accounts.get(address) {
            Some(account) => Ok(*account),
            None => self.snapshot.account(address),
        }
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, ViewError> {
        match self.storage.get(&(*address, *slot)) {
            Some(word) => Ok(*word),
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
