//! Blocks, and a type for each stage of their validation.
//!
//! [`Block`] -> [`CheckedBlock`] (context-free: merkle tree, coinbase, limits) -> [`crate::execute::PendingBlock`]
//! (executed, signatures not yet verified) -> [`crate::execute::ExecutedBlock`]. A store accepts only the last.

pub mod check;
pub mod header;
pub mod merkle;

use serde::{Deserialize, Serialize};

use crate::{
    block::header::Header,
    codec::{self, CodecError},
    hash::BlockHash,
    transaction::{Transaction, TxMeta, account::AccountTransaction, coinbase::Coinbase},
};

/// Maximum number of transactions of a decoded block, so that tiny ones cannot fill the memory. Not a rule: the gas of
/// the cheapest transaction allows fewer under any chain spec (`MOST_GAS` in `spec/validate.rs`).
pub const MAX_TRANSACTIONS: usize = 1 << 16;

/// A header and its transactions, unchecked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The transactions; the first should be a coinbase.
    #[serde(deserialize_with = "codec::at_most::<MAX_TRANSACTIONS, _, _>")]
    pub transactions: Vec<Transaction>,
}

impl Block {
    /// The header's hash.
    pub fn hash(&self) -> BlockHash {
        self.header.hash()
    }

    /// The first transaction, if it is a coinbase.
    pub fn coinbase(&self) -> Option<&Coinbase> {
        match self.transactions.first() {
            Some(Transaction::Coinbase(coinbase)) => Some(coinbase),
            _ => None,
        }
    }
}

/// Decodes the number of transactions of an encoded block and the first of them, without the others.
///
/// # Errors
/// [`CodecError`] if the bytes do not begin with a header, a count and a transaction.
pub fn first_transaction(encoded: &[u8]) -> Result<(u64, Transaction), CodecError> {
    codec::decode_first::<(Header, u64, Transaction)>(encoded).map(|((_, count, first), _)| (count, first))
}

/// A block that passed the context-free checks. Created by [`crate::block::check::check_block`] only.
#[derive(Clone, Debug)]
pub struct CheckedBlock {
    pub(crate) block: Block,
    pub(crate) hash: BlockHash,
    pub(crate) metas: Vec<TxMeta>,
    pub(crate) size: usize,
}

impl CheckedBlock {
    /// The block itself.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// The header's hash.
    pub fn hash(&self) -> BlockHash {
        self.hash
    }

    /// Identifier and size of each transaction.
    pub fn metas(&self) -> &[TxMeta] {
        &self.metas
    }

    /// Encoded bytes of the whole block.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The account transactions in order. The caller recovers their senders for [`crate::execute::execute_block`].
    pub fn recoveries(&self) -> Vec<&AccountTransaction> {
        let accounts = self.block.transactions.iter().filter_map(|transaction| match transaction {
            Transaction::Account(account) => Some(account),
            Transaction::Coinbase(_) | Transaction::Coin(_) => None,
        });
        accounts.collect()
    }

    /// The first transaction.
    ///
    /// # Panics
    /// Never: checking established it.
    pub fn coinbase(&self) -> &Coinbase {
        self.block.coinbase().expect("a checked block starts with a coinbase")
    }

    /// The block, no longer known to be checked.
    pub fn into_block(self) -> Block {
        self.block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ChainSpec;

    #[test]
    fn the_transactions_of_an_encoded_block_are_counted_without_the_rest() {
        let (mut block, _) = ChainSpec::dev().genesis_block();
        let coinbase = block.transactions[0].clone();
        for count in [1, 300] {
            block.transactions = vec![coinbase.clone(); count];
            assert_eq!(first_transaction(&codec::encode(&block)), Ok((count as u64, coinbase.clone())));
        }
        assert!(matches!(first_transaction(&codec::encode(&block.header)), Err(CodecError::Malformed(_))));
    }
}
