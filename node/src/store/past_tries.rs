//! Tries as they were after an older block, for proofs.
//!
//! Only the tip's nodes are stored. Undo data says what the accounts were that later blocks changed, their storage roots
//! included. So the account trie of the older block is the tip's with those leaves put back, and of storage only the trie
//! changes that is asked for. Both roots have to be those that the chain committed to.

use alloy_primitives::{Address, B256, U256, map::HashMap};
use chain_core::{
    execute::change_state,
    state::{Account, AccountChange, StateView, StorageChange, ViewError},
    trie::{EMPTY_ROOT, Node, NodeKey, NodeReader},
    units::Height,
};
use std::{collections::BTreeMap, sync::Arc};

use super::{Column, HistoricalState, Snapshot, StoreError, blockdata, damaged};

/// The way back from the tip's tries to older ones: what the blocks in between changed, gathered block by block.
pub struct Rewind<'a> {
    state: &'a HistoricalState,
    address: Address,
    next: Height,
    /// What later blocks changed, as it is in the older state.
    accounts: BTreeMap<Address, Option<Account>>,
    slots: BTreeMap<U256, U256>,
}

/// The account trie after an older block, and the storage trie of one account.
pub struct PastTries<'a> {
    snapshot: &'a Snapshot,
    nodes: HashMap<NodeKey, Option<Arc<Node>>>,
}

impl HistoricalState {
    /// Begins at the first block above this state. The storage trie will be that of `address`.
    pub fn rewind(&self, address: Address) -> Rewind<'_> {
        Rewind {
            state: self,
            address,
            next: self.height().saturating_add(1),
            accounts: BTreeMap::new(),
            slots: BTreeMap::new(),
        }
    }
}

impl<'a> Rewind<'a> {
    /// Takes in the next block; `false` if the tip was the last.
    ///
    /// # Errors
    /// [`StoreError::Pruned`] if its undo data is not kept; [`StoreError`] if it cannot be read.
    pub fn next_block(&mut self) -> Result<bool, StoreError> {
        let snapshot = self.state.snapshot();
        if self.next > snapshot.tip().height {
            return Ok(false);
        }
        let missing = || StoreError::Corrupt(format!("the block at height {} is missing", self.next));
        let at = snapshot.at_height(self.next)?.ok_or_else(missing)?;
        let undo = snapshot.undo_bytes(at)?.ok_or_else(|| StoreError::no_body(at, snapshot.pruned()))?;
        let (accounts, storage) = blockdata::read_changes(&undo).map_err(|_| damaged(Column::Undo))?;
        for change in accounts {
            self.accounts.entry(change.address).or_insert(change.before);
        }
        for change in storage.iter().filter(|change| change.address == self.address) {
            self.slots.entry(change.slot).or_insert(change.before);
        }
        self.next += 1;
        Ok(true)
    }

    /// Accounts and slots that were gathered.
    pub fn changes(&self) -> usize {
        self.accounts.len() + self.slots.len()
    }

    /// The tries, once all blocks are taken in.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if their roots are not those of the block; [`ViewError`] if a node cannot be read.
    pub fn tries(self) -> Result<PastTries<'a>, ViewError> {
        let snapshot = self.state.snapshot();
        if self.accounts.is_empty() {
            return Ok(PastTries { snapshot, nodes: HashMap::default() });
        }
        // Only what comes after the step matters, and that is the older state.
        let account = |(address, after)| AccountChange { address, before: None, after };
        let mut accounts: Vec<AccountChange> = self.accounts.into_iter().map(account).collect();
        let (address, before) = (self.address, U256::ZERO);
        let slot = |(slot, after)| StorageChange { address, slot, before, after };
        let storage: Vec<StorageChange> = self.slots.into_iter().map(slot).collect();
        let (root, nodes) = change_state(snapshot, &mut accounts, &storage)?;
        let owner = accounts.iter().find(|change| change.address == address).and_then(|change| change.after);
        let kept = self.state.account(&address)?;
        let storage_root = |account: Option<Account>| account.map_or(EMPTY_ROOT, |account| account.storage_root);
        let same_storage = storage.is_empty() || storage_root(owner) == storage_root(kept);
        if !same_storage || Some(root) != state_root(snapshot, self.state.height())? {
            let height = self.state.height();
            return Err(StoreError::Corrupt(format!("undo data leads to another state of block {height}")).into());
        }
        let nodes = nodes.into_iter().map(|change| (change.key, change.node)).collect();
        Ok(PastTries { snapshot, nodes })
    }
}

/// The root that the chain committed to.
fn state_root(snapshot: &Snapshot, height: Height) -> Result<Option<B256>, StoreError> {
    let Some(at) = snapshot.at_height(height)? else { return Ok(None) };
    let executed = snapshot.header(&at.hash)?.and_then(|record| record.executed);
    Ok(executed.map(|executed| executed.state_root))
}

impl NodeReader for PastTries<'_> {
    fn node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        match self.nodes.get(key) {
            Some(node) => Ok(node.clone()),
            None => self.snapshot.trie_node(key),
        }
    }
}
