//! The three kinds of transaction.

use serde::{Deserialize, Serialize};

use crate::{account::AccountTransaction, codec, coin::CoinTransaction, coinbase::Coinbase, hash::TxId};

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

impl Transaction {
    /// The transaction's identifier; it does not change with witnesses.
    pub fn txid(&self) -> TxId {
        match self {
            Self::Coinbase(coinbase) => coinbase.txid(),
            Self::Coin(coin) => coin.txid(),
            Self::Account(account) => TxId(account.hash().0),
        }
    }

    /// The consensus encoding, witnesses included.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }
}
