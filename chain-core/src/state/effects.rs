//! The effects of a block on the state, and its undo data.

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

/// An account before and after the block; `None` if it does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountChange {
    /// Address of the account.
    #[serde(with = "codec::fixed")]
    pub address: Address,
    /// Before the block.
    pub before: Option<Account>,
    /// After the block.
    pub after: Option<Account>,
}

/// A storage slot before and after the block; zero if it does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageChange {
    /// Address of the account.
    #[serde(with = "codec::fixed")]
    pub address: Address,
    /// Key of the slot.
    #[serde(with = "account_word")]
    pub slot: U256,
    /// Before the block.
    #[serde(with = "account_word")]
    pub before: U256,
    /// After the block.
    #[serde(with = "account_word")]
    pub after: U256,
}

/// All changes of a block; a coin created and spent within the block is in neither `spent` nor `created`.
#[derive(Clone, Debug)]
pub struct BlockEffects {
    /// Coins of earlier blocks that the block spends, in order of spending.
    pub spent: Vec<(OutPoint, Coin)>,
    /// Coins that the block creates and leaves unspent.
    pub created: Vec<(OutPoint, Coin)>,
    /// Coins both created and spent within the block, for indexes.
    pub transient: Vec<(OutPoint, Coin)>,
    /// Changed accounts, sorted by address.
    pub accounts: Vec<AccountChange>,
    /// Changed storage slots, sorted by address and slot.
    pub storage: Vec<StorageChange>,
    /// New code by its hash.
    pub codes: Vec<(B256, Bytes)>,
    /// Changed trie nodes.
    pub nodes: Vec<NodeChange>,
    /// Digest of the coin set after the block, the coinbase's own coins included (which `coins_root` leaves out).
    pub coins_digest: LtHash,
    /// A receipt for each account transaction, in order.
    pub receipts: Vec<Receipt>,
    /// Gas used by the whole block.
    pub gas_used: Gas,
    /// Gas used by each transaction of the block, including the coinbase (its outputs).
    pub tx_gas: Vec<Gas>,
    /// Wei that the block minted: the coinbase's claim beyond coin tips.
    pub minted: U256,
    /// Wei burned: base fees, coin tips not claimed.
    pub burned: U256,
}

/// The undo data of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockUndo {
    /// Coins to restore.
    pub spent: Vec<(OutPoint, Coin)>,
    /// Coins to remove, with their content.
    pub created: Vec<(OutPoint, Coin)>,
    /// Accounts to reset to `before`.
    pub accounts: Vec<AccountChange>,
    /// Slots to reset to `before`.
    pub storage: Vec<StorageChange>,
}

impl BlockEffects {
    /// The undo data of this block.
    pub fn undo(&self) -> BlockUndo {
        BlockUndo {
            spent: self.spent.clone(),
            created: self.created.clone(),
            accounts: self.accounts.clone(),
            storage: self.storage.clone(),
        }
    }
}
