//! A transaction on its way from what is wanted to what is broadcast, as a readable file.
//!
//! It holds all that a machine without a network needs to check and sign: the chain, the coins that are spent with
//! amounts and locks, the outputs. Nothing in it is believed: locks come from the addresses, the fee from the amounts, and
//! amounts and locks are part of what is signed, so that a lie makes the signature worthless, not the money.

mod account;
mod coin;
mod error;
mod proof;
mod sign;
mod unspendable;

use std::{
    io::{self, Read},
    path::Path,
};

use chain_core::{hash::TxId, transaction::Transaction, units::Height};
use serde::{Deserialize, Serialize};

pub use self::{
    account::{AccountDraft, withdraw_lock},
    coin::{CoinDraft, Hex32, Input, OutputLine},
    error::DraftError,
    proof::estimate,
    unspendable::burns,
};
use crate::{
    input::{bounded, from_json, open_regular},
    keys::Signer,
    network::Network,
    own::KeyTable,
};

/// First field of the file.
pub const FORMAT: &str = "cairn-transaction";

/// The only version so far.
const VERSION: u32 = 1;

/// Largest file that is read: no block has room for more.
const MAX_BYTES: u64 = 32 << 20;

/// How files of drafts and of wallets begin.
#[derive(Deserialize)]
pub(crate) struct Preamble {
    pub format: String,
    pub version: u32,
}

/// A transaction to be signed and broadcast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Draft {
    pub format: String,
    pub version: u32,
    /// The chain it is for.
    pub network: Network,
    /// Height of the chain when it was built.
    pub height: Height,
    /// Base fee then, in wei a unit of gas.
    pub base_fee: u64,
    pub transaction: Body,
}

/// One of the two kinds of transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Body {
    Coin(CoinDraft),
    /// Sent by an account.
    Account(Box<AccountDraft>),
}

impl Draft {
    /// A draft with nothing signed.
    pub fn new(network: Network, height: Height, base_fee: u64, transaction: Body) -> Self {
        Self { format: FORMAT.into(), version: VERSION, network, height, base_fee, transaction }
    }

    /// Reads a file, or standard input for `-`, and checks that it makes sense.
    pub fn read(path: &Path) -> Result<Self, DraftError> {
        let malformed = |error: &dyn std::fmt::Display| DraftError::Malformed(error.to_string());
        let source: Box<dyn Read> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            Box::new(open_regular(path).map_err(|error| malformed(&error))?)
        };
        let mut bytes = Vec::new();
        source.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| malformed(&error))?;
        Self::from_bytes(&bytes)
    }

    /// Reads a draft from the bytes of a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DraftError> {
        let bytes = crate::input::without_mark(bytes);
        if bytes.len() as u64 > MAX_BYTES {
            return Err(DraftError::Malformed("it is far too large".into()));
        }
        let Preamble { format, version } = from_json(bytes).map_err(DraftError::Malformed)?;
        if format != FORMAT || version != VERSION {
            return Err(DraftError::Format { format: bounded(&format), version });
        }
        let draft: Self = from_json(bytes).map_err(DraftError::Malformed)?;
        match &draft.transaction {
            Body::Coin(coin) => coin.check(&draft.network)?,
            Body::Account(account) => account.check_contents(&draft.network).map(drop)?,
        }
        Ok(draft)
    }

    /// The JSON of the file.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a draft is plain data with text keys");
        text.push('\n');
        text
    }

    /// The policies whose coins it spends.
    pub fn policies(&self) -> Vec<&chain_core::transaction::policy::Policy> {
        match &self.transaction {
            Body::Coin(coin) => coin.inputs.iter().filter_map(|input| input.policy.as_ref()).collect(),
            Body::Account(_) => Vec::new(),
        }
    }

    /// Makes sure that it is for this chain.
    pub fn expect_network(&self, expected: &Network) -> Result<(), DraftError> {
        if self.network == *expected {
            return Ok(());
        }
        Err(DraftError::Network { got: Box::new(self.network.clone()), expected: Box::new(expected.clone()) })
    }

    /// Adds every signature that this wallet can give; returns how many were new.
    ///
    /// # Errors
    /// [`DraftError`] if it is malformed or for another chain.
    pub fn sign(&mut self, network: &Network, signer: &Signer, own: &KeyTable) -> Result<usize, DraftError> {
        self.expect_network(network)?;
        match &mut self.transaction {
            Body::Coin(coin) => coin.sign(network, signer, own),
            Body::Account(account) => account.sign(network, signer, own),
        }
    }

    /// The transaction, complete and verified, as a block of this height could hold it.
    ///
    /// # Errors
    /// [`DraftError::Incomplete`] says what is missing.
    pub fn finish(&self, height: Height) -> Result<Transaction, DraftError> {
        match &self.transaction {
            Body::Coin(coin) => coin.finish(&self.network, height).map(Transaction::Coin),
            Body::Account(account) => account.finish(&self.network).map(Transaction::Account),
        }
    }

    /// The identifier, as soon as it is known: at once for coins, once signed for accounts.
    pub fn txid(&self) -> Option<TxId> {
        match &self.transaction {
            Body::Coin(coin) => coin.unsigned(&self.network).ok().map(|(tx, _)| tx.txid()),
            Body::Account(account) => account.finish(&self.network).ok().map(|tx| TxId(tx.hash().0)),
        }
    }

    /// Joins the signatures of several copies of one draft.
    ///
    /// # Errors
    /// [`DraftError::NotParts`] if they are not copies of one.
    pub fn combine(&mut self, other: Self) -> Result<(), DraftError> {
        if self.network != other.network {
            return Err(DraftError::NotParts("the chains"));
        }
        match (&mut self.transaction, other.transaction) {
            (Body::Coin(one), Body::Coin(two)) => one.combine(&self.network, two),
            (Body::Account(one), Body::Account(two)) => one.combine(&self.network, *two),
            _ => Err(DraftError::NotParts("the kinds")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
