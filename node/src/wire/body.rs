//! A block's bytes on their way, and what decoding them told.

use chain_core::{
    Bytes,
    block::{
        check::{HashedBlock, decode_block},
        header::Header,
    },
    codec::{self, CodecError},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::OnceLock;

/// An encoded block. Serving one needs no decoding; receiving one needs it once, on whatever thread comes first.
#[derive(Debug, Default)]
pub struct Body {
    bytes: Bytes,
    decoded: OnceLock<Result<HashedBlock, CodecError>>,
}

impl Body {
    /// Bytes that ought to be a block.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), decoded: OnceLock::new() }
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many transactions the bytes claim to hold, read without decoding one.
    pub fn claimed_transactions(&self) -> usize {
        let count = self.bytes.get(Header::SIZE..).and_then(|rest| codec::decode_first::<usize>(rest).ok());
        count.map_or(0, |(count, _)| count)
    }

    /// Decodes and hashes now, so that [`Body::into_decoded`] need not: for the thread that read the bytes.
    pub fn prepare(&self) {
        self.decoded.get_or_init(|| decode_block(&self.bytes));
    }

    /// The block, hashed, and its bytes.
    ///
    /// # Errors
    /// [`CodecError`] if the bytes are not the canonical encoding of a block.
    pub fn into_decoded(self) -> Result<(HashedBlock, Bytes), CodecError> {
        self.prepare();
        let decoded = self.decoded.into_inner().unwrap_or_else(|| decode_block(&self.bytes));
        decoded.map(|block| (block, self.bytes))
    }
}

/// Copies the bytes alone: a copy that travels on is not decoded.
impl Clone for Body {
    fn clone(&self) -> Self {
        Self::new(self.bytes.clone())
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Body {}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        codec::bytes::serialize(&self.bytes, serializer)
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        codec::bytes::deserialize::<Bytes, D>(deserializer).map(Self::new)
    }
}
