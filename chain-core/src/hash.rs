//! Hash functions and identifiers.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

pub use alloy_primitives::keccak256;

/// A text that is not 64 hexadecimal digits (with or without `0x`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct ParseHashError;

/// Hash of a block's header: SHA-256d. Displayed byte-reversed, as in Bitcoin, so that the zeros of its work lead.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlockHash(#[serde(with = "crate::codec::fixed")] pub [u8; 32]);

/// Identifier of a transaction of any kind: SHA-256d for coin transactions and coinbases, keccak-256 for account
/// transactions. Displayed in natural byte order, so that it is the same on both sides of the ledger.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TxId(#[serde(with = "crate::codec::fixed")] pub [u8; 32]);

fn parse_hex(text: &str) -> Result<[u8; 32], ParseHashError> {
    let mut bytes = [0; 32];
    let digits = text.strip_prefix("0x").unwrap_or(text);
    alloy_primitives::hex::decode_to_slice(digits, &mut bytes).map_err(|_| ParseHashError)?;
    Ok(bytes)
}

impl fmt::Display for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlockHash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        let mut bytes = parse_hex(text)?;
        bytes.reverse();
        Ok(Self(bytes))
    }
}

impl TxId {
    /// The 64 bits that hash tables use; colliding many of them is infeasible.
    pub(crate) fn word(&self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|index| self.0[index]))
    }
}

impl Hash for TxId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.word());
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TxId {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        parse_hex(text).map(Self)
    }
}

/// Identifies one coin, and commits to its amount and lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OutPoint {
    /// The transaction that created the coin; for a withdrawal, a hash of its account transaction, amount and lock
    /// (GW-6).
    pub txid: TxId,
    /// Position of the output; for a withdrawal, its number within the account transaction.
    pub index: u32,
}

impl Hash for OutPoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.txid.word() ^ u64::from(self.index));
    }
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    #[cfg(test)]
    HASHED.with(|count| count.set(count.get() + bytes.len()));
    Sha256::digest(bytes).into()
}

/// SHA-256 of the SHA-256.
pub fn sha256d(bytes: &[u8]) -> [u8; 32] {
    sha256(&sha256(bytes))
}

/// A SHA-256 engine primed with a tag as in BIP 340: `SHA256(SHA256(tag) || SHA256(tag) || ...)`.
pub fn tagged_hasher(tag: &str) -> Sha256 {
    let tag = sha256(tag.as_bytes());
    Sha256::new().chain_update(tag).chain_update(tag)
}

#[cfg(test)]
thread_local! {
    /// Bytes hashed by [`sha256`] in this thread.
    pub(crate) static HASHED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
