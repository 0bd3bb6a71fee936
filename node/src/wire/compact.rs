//! A block without the transactions that peers have already, and the short ids that stand for them.

use chain_core::{
    Bytes,
    block::{MAX_TRANSACTIONS, header::Header},
    codec,
    hash::BlockHash,
};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;
use std::hash::Hasher;

/// Six bytes that stand for a transaction of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShortId(#[serde(with = "codec::fixed")] pub [u8; 6]);

/// Makes short ids: SipHash-2-4 of a transaction's merkle leaf, cut to six bytes. The salt differs from block to block
/// and from question to question, so that nobody can make transactions whose ids collide everywhere.
#[derive(Clone, Copy, Debug)]
pub struct ShortIds(SipHasher24);

impl ShortIds {
    /// Salted by a block: the first 16 bytes of its hash.
    pub fn of_block(hash: &BlockHash) -> Self {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|index| hash.0[at + index]));
        Self(SipHasher24::new_with_keys(word(0), word(8)))
    }

    /// Salted by a number that the asker chose.
    pub fn of_salt(salt: u64) -> Self {
        Self(SipHasher24::new_with_keys(salt, 0))
    }

    /// The short id of the transaction with this merkle leaf.
    pub fn id(&self, leaf: &[u8; 32]) -> ShortId {
        let mut hasher = self.0;
        hasher.write(leaf);
        let bytes = hasher.finish().to_le_bytes();
        ShortId(std::array::from_fn(|index| bytes[index]))
    }
}

/// A block as it is gossiped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompactBlock {
    /// Its header.
    pub header: Header,
    /// Its first transaction, encoded.
    #[serde(with = "codec::bytes")]
    pub coinbase: Bytes,
    /// The others, in order, salted by the header's hash.
    #[serde(deserialize_with = "codec::at_most::<MAX_TRANSACTIONS, _, _>")]
    pub short_ids: Vec<ShortId>,
}
