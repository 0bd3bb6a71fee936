//! The block header: Bitcoin's 80 bytes.

use serde::{Deserialize, Serialize};

use crate::hash::{BlockHash, sha256d};

/// A block header. `bits` is the compact target; `version` bits 5-28 are free for miners (BIP 320), so no rule reads
/// `version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Free for miners.
    pub version: i32,
    /// Hash of the parent's header.
    pub prev: BlockHash,
    /// Merkle root of the transactions.
    pub merkle_root: [u8; 32],
    /// Seconds since the Unix epoch.
    pub time: u32,
    /// Compact target.
    pub bits: u32,
    /// The number that miners search.
    pub nonce: u32,
}

impl Header {
    /// Encoded size in bytes.
    pub const SIZE: usize = 80;

    /// The 80 bytes, little-endian.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..4].copy_from_slice(&self.version.to_le_bytes());
        bytes[4..36].copy_from_slice(&self.prev.0);
        bytes[36..68].copy_from_slice(&self.merkle_root);
        bytes[68..72].copy_from_slice(&self.time.to_le_bytes());
        bytes[72..76].copy_from_slice(&self.bits.to_le_bytes());
        bytes[76..].copy_from_slice(&self.nonce.to_le_bytes());
        bytes
    }

    /// Decodes the 80 bytes; any 80 bytes are a header.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let word = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let hash = |at: usize| std::array::from_fn(|index| bytes[at + index]);
        Self {
            version: i32::from_le_bytes(word(0)),
            prev: BlockHash(hash(4)),
            merkle_root: hash(36),
            time: u32::from_le_bytes(word(68)),
            bits: u32::from_le_bytes(word(72)),
            nonce: u32::from_le_bytes(word(76)),
        }
    }

    /// SHA-256d of the 80 bytes.
    pub fn hash(&self) -> BlockHash {
        BlockHash(sha256d(&self.to_bytes()))
    }
}

impl Serialize for Header {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::codec::fixed::serialize(&self.to_bytes(), serializer)
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::codec::fixed::deserialize::<80, [u8; 80], D>(deserializer).map(|bytes| Self::from_bytes(&bytes))
    }
}
