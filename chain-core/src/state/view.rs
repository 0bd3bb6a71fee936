//! Read access to the state after a block.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::{
    error::ViewError,
    hash::BlockHash,
    state::lthash::LtHash,
    transaction::coin::{Coin, OutPoint},
    trie::{Node, NodeKey},
    units::Height,
};

/// An account without its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Account {
    /// Number of transactions sent, or of contracts created.
    pub nonce: u64,
    /// Balance in wei.
    #[serde(with = "account_word")]
    pub balance: U256,
    /// Root of the storage trie; maintained by [`crate::execute`] when the block ends.
    #[serde(with = "crate::codec::fixed")]
    pub storage_root: B256,
    /// keccak-256 of the code.
    #[serde(with = "crate::codec::fixed")]
    pub code_hash: B256,
}

impl Default for Account {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, storage_root: crate::trie::EMPTY_ROOT, code_hash: KECCAK256_EMPTY }
    }
}

impl Account {
    /// Whether EIP-161 removes it: no nonce, no balance, no code.
    pub fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code_hash == KECCAK256_EMPTY
    }
}

/// The state after some block, read only. All methods read the same block.
pub trait StateView {
    /// An unspent coin.
    ///
    /// # Errors
    /// [`ViewError`] if it cannot be read; so for all methods here.
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, ViewError>;

    /// An account that exists.
    ///
    /// # Errors
    /// See [`StateView::coin`].
    fn account(&self, address: &Address) -> Result<Option<Account>, ViewError>;

    /// A storage slot; zero if it was never written.
    ///
    /// # Errors
    /// See [`StateView::coin`].
    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, ViewError>;

    /// Code by its hash. Empty for the hash of no code.
    ///
    /// # Errors
    /// See [`StateView::coin`].
    fn code(&self, hash: &B256) -> Result<Bytes, ViewError>;

    /// Hash of the ancestor at a height, for BLOCKHASH.
    ///
    /// # Errors
    /// See [`StateView::coin`].
    fn block_hash(&self, height: Height) -> Result<Option<BlockHash>, ViewError>;

    /// A stored trie node.
    ///
    /// # Errors
    /// See [`StateView::coin`].
    fn trie_node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError>;

    /// Digest of the coin set.
    ///
    /// # Errors
    /// See [`StateView::coin`].
    fn coins_digest(&self) -> Result<LtHash, ViewError>;
}

/// Serde for a 256-bit word: 32 bytes, big-endian.
pub(crate) mod account_word {
    use alloy_primitives::U256;
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &U256, serializer: S) -> Result<S::Ok, S::Error> {
        crate::codec::fixed::serialize(&value.to_be_bytes::<32>(), serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
        crate::codec::fixed::deserialize::<32, [u8; 32], D>(deserializer).map(U256::from_be_bytes)
    }
}
