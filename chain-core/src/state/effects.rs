//! What a block does to the state, and how to take it back.

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

use super::view::{Account, account_word};
use crate::{
    codec,
    state::lthash::LtHash,
    transaction::{
        account::Receipt,
        coin::{Coin, OutPoint},
    },
    trie::NodeChange,
    units::Gas,
};

/// An account before and after; `None` where it does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountChange {
    /// Whose.
    #[serde(with = "codec::fixed")]
    pub address: Address,
    /// Before the block.
    pub before: Option<Account>,
    /// After the block.
    pub after: Option<Account>,
}

/// A storage slot before and after; zero where it does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageChange {
    /// Whose.
    #[serde(with = "codec::fixed")]
    pub address: Address,
    /// Which slot.
    #[serde(with = "account_word")]
    pub slot: U256,
    /// Before the block.
    #[serde(with = "account_word")]
    pub before: U256,
    /// After the block.
    #[serde(with = "account_word")]
    pub after: U256,
}

/// Everything that a block changes; a coin made and spent within the block does not appear in `spent` or `created`.
#[derive(Clone, Debug)]
pub struct BlockEffects {
    /// Coins of earlier blocks that it spends, in order of spending.
    pub spent: Vec<(OutPoint, Coin)>,
    /// Coins that it leaves behind.
    pub created: Vec<(OutPoint, Coin)>,
    /// Coins both made and spent within the block, for indexes.
    pub transient: Vec<(OutPoint, Coin)>,
    /// Accounts that differ, sorted by address.
    pub accounts: Vec<AccountChange>,
    /// Storage slots that differ, sorted by address and slot.
    pub storage: Vec<StorageChange>,
    /// New code by its hash.
    pub codes: Vec<(B256, Bytes)>,
    /// Trie nodes that differ.
    pub nodes: Vec<NodeChange>,
    /// Digest of the coin set after the block, the coinbase's own coins included (which `coins_root` leaves out).
    pub coins_digest: LtHash,
    /// One for each account transaction, in order.
    pub receipts: Vec<Receipt>,
    /// Gas used by the whole block.
    pub gas_used: Gas,
    /// Gas used by each transaction of the block, that of the outputs of the coinbase included.
    pub tx_gas: Vec<Gas>,
    /// Wei that the block minted: what the coinbase claims beyond coin tips.
    pub minted: U256,
    /// Wei destroyed: base fees, coin tips not claimed.
    pub burned: U256,
}

/// What takes a block back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockUndo {
    /// Coins to restore.
    pub spent: Vec<(OutPoint, Coin)>,
    /// Coins to remove, with what they were.
    pub created: Vec<(OutPoint, Coin)>,
    /// Accounts to put back to `before`.
    pub accounts: Vec<AccountChange>,
    /// Slots to put back to `before`.
    pub storage: Vec<StorageChange>,
}

impl BlockEffects {
    /// What takes this block back.
    pub fn undo(&self) -> BlockUndo {
        BlockUndo {
            spent: self.spent.clone(),
            created: self.created.clone(),
            accounts: self.accounts.clone(),
            storage: self.storage.clone(),
        }
    }
}
