//! The three kinds of transaction.

pub mod account;
pub mod coin;
pub mod coinbase;
mod key;
pub mod policy;
pub mod sighash;
pub mod spend;

use serde::{Deserialize, Serialize};

use crate::{
    codec,
    hash::{TxId, sha256d},
    transaction::{
        account::AccountTransaction,
        coin::{CoinTransaction, Output},
        coinbase::Coinbase,
    },
};

/// A transaction. The order of the variants gives the tag byte of the encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transaction {
    /// The first of a block.
    Coinbase(Coinbase),
    /// Spends coins.
    Coin(CoinTransaction),
    /// An Ethereum transaction.
    Account(AccountTransaction),
}

/// Before a coinbase in the encoding of a block. Its identifier and its merkle leaf are of the bytes that follow, which
/// are all that Bitcoin's miners know.
const COINBASE_TAG: [u8; 1] = [0];

/// Identifier and size of a transaction of a checked block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxMeta {
    /// Its identifier.
    pub txid: TxId,
    /// Encoded bytes, tag and witnesses included.
    pub size: u32,
}

impl Transaction {
    /// The transaction's identifier; it does not change with witnesses.
    pub fn txid(&self) -> TxId {
        match self {
            Self::Coinbase(coinbase) => coinbase.txid(),
            Self::Coin(coin) => coin.txid(),
            Self::Account(account) => TxId(account.hash().0),
        }
    }

    /// The outputs with their indexes, as outpoints have them. Those with an account lock create no coin.
    pub fn outputs(&self) -> impl Iterator<Item = (u32, &Output)> {
        let (first, outputs) = match self {
            Self::Coinbase(coinbase) => (coinbase::FIRST_INDEX, &coinbase.outputs[..]),
            Self::Coin(coin) => (0, &coin.outputs[..]),
            Self::Account(_) => (0, &[][..]),
        };
        (first..).zip(outputs)
    }

    /// The consensus encoding, witnesses included.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The bytes that the merkle leaf is the SHA-256d of: the encoding, but of a coinbase the Bitcoin transaction alone.
    pub fn leaf_bytes(&self) -> Vec<u8> {
        match self {
            Self::Coinbase(coinbase) => coinbase.to_bytes(),
            Self::Coin(_) | Self::Account(_) => self.encode(),
        }
    }

    /// Identifier, size and merkle leaf from one encoding, which the buffer then holds.
    pub(crate) fn digest(&self, buffer: &mut Vec<u8>) -> (TxMeta, [u8; 32]) {
        buffer.clear();
        let (txid, leaf) = match self {
            Self::Coin(coin) => coin.digest(buffer),
            Self::Coinbase(_) => {
                codec::encode_into(buffer, self);
                let leaf = sha256d(&buffer[COINBASE_TAG.len()..]);
                (TxId(leaf), leaf)
            }
            Self::Account(account) => {
                codec::encode_into(buffer, self);
                (TxId(account.hash().0), sha256d(buffer))
            }
        };
        // Blocks and messages are bounded far below 4 GiB, so only a caller can build a transaction of that size.
        let size = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        (TxMeta { txid, size }, leaf)
    }
}
