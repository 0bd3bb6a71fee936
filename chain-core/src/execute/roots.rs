//! What a coinbase commits to: roots over the state, the receipts and the coins.

use alloy_primitives::{B256, U256, keccak256};
use std::sync::Arc;

use crate::{
    codec,
    error::RuleError,
    state::{Account, AccountChange, StateView, StorageChange, ViewError, lthash::LtHash, slots_of},
    transaction::{
        account::Receipt,
        coin::{Coin, OutPoint},
        coinbase::Coinbase,
    },
    trie::{self, LeafChange, Node, NodeChange, NodeKey, NodeReader},
    units::Gas,
};

/// The commitments that execution requires of the coinbase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Roots {
    pub state: B256,
    pub receipts: B256,
    pub coins: B256,
    pub gas_used: Gas,
}

impl Roots {
    /// Checks the commitments of a coinbase.
    pub fn check(&self, coinbase: &Coinbase) -> Result<(), RuleError> {
        // CB-8
        if coinbase.gas_used != self.gas_used {
            return Err(RuleError::GasUsed { got: coinbase.gas_used, expected: self.gas_used });
        }
        // CB-6
        if coinbase.receipts_root != self.receipts {
            return Err(RuleError::ReceiptsRoot { got: coinbase.receipts_root, expected: self.receipts });
        }
        // CB-7
        if coinbase.coins_root != self.coins {
            return Err(RuleError::CoinsRoot { got: coinbase.coins_root, expected: self.coins });
        }
        // CB-5
        if coinbase.state_root != self.state {
            return Err(RuleError::StateRoot { got: coinbase.state_root, expected: self.state });
        }
        Ok(())
    }
}

/// Adds coins to the digest of the coin set and removes others (ST-2).
pub(crate) fn change_coins(digest: &mut LtHash, created: &[(OutPoint, Coin)], spent: &[(OutPoint, Coin)]) {
    // ST-2
    let mut encoded = Vec::with_capacity(128);
    for coin in created {
        encoded.clear();
        codec::encode_into(&mut encoded, coin);
        digest.add(&encoded);
    }
    for coin in spent {
        encoded.clear();
        codec::encode_into(&mut encoded, coin);
        digest.remove(&encoded);
    }
}

/// Root of the receipts of a block (CB-6).
pub(super) fn receipts(receipts: &[Receipt]) -> B256 {
    let encoded: Vec<Vec<u8>> = receipts.iter().map(Receipt::encode).collect();
    trie::ordered_root(&encoded)
}

/// Updates the tries with changes, sorted by address (and slot): writes each account's storage root into its state
/// after the block, and returns the state root and the changed nodes (ST-1).
///
/// # Errors
/// [`ViewError`] if a node cannot be read.
pub fn change_state(
    view: &dyn StateView,
    accounts: &mut [AccountChange],
    storage: &[StorageChange],
) -> Result<(B256, Vec<NodeChange>), ViewError> {
    let reader = Nodes(view);
    let mut nodes = Vec::new();
    let mut leaves = Vec::with_capacity(accounts.len());
    for change in accounts {
        let key = keccak256(change.address);
        let slots = slots_of(storage, &change.address);
        if !slots.is_empty() {
            let (root, changed) = trie::update(&reader, Some(key), &slot_leaves(slots))?;
            nodes.extend(changed);
            if let Some(account) = &mut change.after {
                account.storage_root = root;
            }
        }
        // ST-1
        leaves.push((key, change.after.as_ref().map(encode_account)));
    }
    leaves.sort_unstable_by_key(|(key, _)| *key);
    let (root, changed) = trie::update(&reader, None, &leaves)?;
    nodes.extend(changed);
    Ok((root, nodes))
}

fn slot_leaves(slots: &[StorageChange]) -> Vec<LeafChange> {
    let leaf = |change: &StorageChange| {
        let key = keccak256(change.slot.to_be_bytes::<32>());
        (key, (change.after != U256::ZERO).then(|| alloy_rlp::encode(change.after)))
    };
    let mut leaves: Vec<LeafChange> = slots.iter().map(leaf).collect();
    leaves.sort_unstable_by_key(|(key, _)| *key);
    leaves
}

/// RLP of an account as a leaf of the state trie.
pub fn encode_account(account: &Account) -> Vec<u8> {
    use alloy_rlp::{Encodable, Header};
    let payload_length =
        account.nonce.length() + account.balance.length() + account.storage_root.length() + account.code_hash.length();
    let mut out = Vec::with_capacity(payload_length + 3);
    Header { list: true, payload_length }.encode(&mut out);
    account.nonce.encode(&mut out);
    account.balance.encode(&mut out);
    account.storage_root.encode(&mut out);
    account.code_hash.encode(&mut out);
    out
}

/// The stored trie nodes of a view.
struct Nodes<'a>(&'a dyn StateView);

impl NodeReader for Nodes<'_> {
    fn node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        self.0.trie_node(key)
    }
}
