//! The state after a block with changes on top that are never stored.

use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, B256Map, HashMap},
};
use chain_core::{
    hash::BlockHash,
    state::{Account, Diff, StateView, ViewError, lthash::LtHash},
    transaction::coin::{Coin, OutPoint},
    trie::{Node, NodeKey},
    units::Height,
};
use std::sync::Arc;

use crate::store::{HistoricalState, Snapshot};

/// The state after a block with changes on top. Its trie nodes are those of the block.
pub struct SimulatedState {
    base: HistoricalState,
    accounts: AddressMap<Option<Account>>,
    storage: AddressMap<Storage>,
    codes: B256Map<Bytes>,
    hashes: HashMap<Height, BlockHash>,
}

/// Slots of an account that were changed.
#[derive(Default)]
struct Storage {
    words: HashMap<U256, U256>,
    /// Whether all other slots are zero.
    complete: bool,
}

impl SimulatedState {
    /// The state as it is.
    pub fn new(base: HistoricalState) -> Self {
        Self {
            base,
            accounts: AddressMap::default(),
            storage: AddressMap::default(),
            codes: B256Map::default(),
            hashes: HashMap::default(),
        }
    }

    /// Height of the block below the changes.
    pub fn height(&self) -> Height {
        self.base.height()
    }

    /// What the block below is read from.
    pub fn snapshot(&self) -> &Snapshot {
        self.base.snapshot()
    }

    /// Replaces an account, except for its storage. It exists even if it is empty.
    pub fn set_account(&mut self, address: Address, account: Account) {
        self.accounts.insert(address, Some(account));
    }

    /// Stores code; returns its hash.
    pub fn set_code(&mut self, code: Bytes) -> B256 {
        let hash = alloy_primitives::keccak256(&code);
        if !code.is_empty() {
            self.codes.insert(hash, code);
        }
        hash
    }

    /// Zeroes the storage of an account.
    pub fn clear_storage(&mut self, address: Address) {
        self.storage.insert(address, Storage { words: HashMap::default(), complete: true });
    }

    /// Writes slots of an account.
    pub fn set_storage(&mut self, address: Address, words: impl IntoIterator<Item = (U256, U256)>) {
        self.storage.entry(address).or_default().words.extend(words);
    }

    /// Takes over what transactions changed, and the hash of their block.
    pub fn add_block(&mut self, height: Height, hash: BlockHash, diff: Diff) {
        for (code_hash, code) in diff.codes {
            self.codes.insert(code_hash, code);
        }
        for change in diff.accounts {
            if change.after.is_none() {
                self.clear_storage(change.address);
            }
            self.accounts.insert(change.address, change.after);
        }
        for change in diff.storage {
            self.storage.entry(change.address).or_default().words.insert(change.slot, change.after);
        }
        self.hashes.insert(height, hash);
    }
}

impl StateView for SimulatedState {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, ViewError> {
        self.base.coin(outpoint)
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ViewError> {
        match self.accounts.get(address) {
            Some(account) => Ok(*account),
            None => self.base.account(address),
        }
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, ViewError> {
        let Some(storage) = self.storage.get(address) else { return self.base.storage(address, slot) };
        match storage.words.get(slot) {
            Some(word) => Ok(*word),
            None if storage.complete => Ok(U256::ZERO),
            None => self.base.storage(address, slot),
        }
    }

    fn code(&self, hash: &B256) -> Result<Bytes, ViewError> {
        match self.codes.get(hash) {
            Some(code) => Ok(code.clone()),
            None => self.base.code(hash),
        }
    }

    fn block_hash(&self, height: Height) -> Result<Option<BlockHash>, ViewError> {
        match self.hashes.get(&height) {
            Some(hash) => Ok(Some(*hash)),
            None => self.base.block_hash(height),
        }
    }

    fn trie_node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        self.base.trie_node(key)
    }

    fn coins_digest(&self) -> Result<LtHash, ViewError> {
        self.base.coins_digest()
    }
}
