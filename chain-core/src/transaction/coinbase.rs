//! The coinbase: the miner's claim, and the commitments to the state after the block.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::{
    codec, gas,
    hash::{TxId, sha256d},
    transaction::coin::Output,
    units::{Gas, Height},
};

/// A coinbase. `extra` comes last in the encoding, so that a miner may put its extranonce at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coinbase {
    /// Height of the block.
    pub height: Height,
    /// The account that receives tips of account transactions, COINBASE in contracts.
    #[serde(with = "codec::fixed")]
    pub beneficiary: Address,
    /// Outputs that pay the miner.
    pub outputs: Vec<Output>,
    /// Root of the account trie after the block.
    #[serde(with = "codec::fixed")]
    pub state_root: B256,
    /// Root of the receipts of the block's account transactions.
    #[serde(with = "codec::fixed")]
    pub receipts_root: B256,
    /// Digest of the coin set after the block, without this coinbase's own coins, whose outpoints depend on it.
    #[serde(with = "codec::fixed")]
    pub coins_root: B256,
    /// Gas that the block's transactions used.
    pub gas_used: Gas,
    /// 0 to 96 bytes of the miner's choice.
    #[serde(with = "codec::bytes")]
    pub extra: Vec<u8>,
}

/// Tag byte of a coinbase, as in [`crate::transaction::Transaction`].
const COINBASE_TAG: u8 = 0;

impl Coinbase {
    /// SHA-256d of the encoding, tag included.
    pub fn txid(&self) -> TxId {
        TxId(sha256d(&codec::encode(&(COINBASE_TAG, self))))
    }

    /// Gas of its outputs in the block's total (BLK-6): 8,000 each.
    pub fn gas(&self) -> Gas {
        gas::OUTPUT * self.outputs.len() as u64
    }
}
