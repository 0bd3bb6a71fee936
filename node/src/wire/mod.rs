//! What peers say to each other: questions, answers and compact blocks, encoded by consensus' codec.
//!
//! Every list is bounded before anything is allocated for it, every message by [`Message::MOST_BYTES`]; the limits are in
//! `docs/network.md`. Knows nothing of connections, and nothing of what an answer is worth.

mod body;
mod compact;
mod message;
#[cfg(test)]
mod tests;

pub use body::Body;
pub use compact::{CompactBlock, ShortId, ShortIds};
pub use message::{Request, Response, Status};

use chain_core::codec::{self, CodecError};
use serde::{Serialize, de::DeserializeOwned};

use crate::names::names;

/// Version of these messages, and of the rules of the chain that they carry. It is part of the names of the protocols, so that
/// nodes of different versions part before they read each other's messages. 2: `Status` tells the time. 3: and
/// the lowest block that is kept.
pub const PROTOCOL: u32 = 3;

/// Most hashes of a locator.
pub const LOCATOR: usize = 64;
/// Most headers of an answer.
pub const HEADERS: usize = 2_000;
/// Most blocks of a question.
pub const BLOCKS: usize = 32;
/// Most transactions of an answer's blocks together: those of the fullest block. The smallest that decodes has four bytes and
/// takes some 250 in memory, so that the answer's bytes alone are no bound.
pub const BLOCKS_TRANSACTIONS: usize = chain_core::block::MAX_TRANSACTIONS;
/// Most transactions of a block that are asked for by their positions.
pub const POSITIONS: usize = chain_core::block::MAX_TRANSACTIONS;
/// Most transactions of an announcement.
pub const ANNOUNCED: usize = 1_024;
/// Most transactions of a question.
pub const TRANSACTIONS: usize = 256;
/// Most short ids of a question.
pub const SHORT_TRANSACTIONS: usize = 1_024;
/// Most short ids of a pool.
pub const POOL: usize = 50_000;
/// Most votes of a message.
pub const VOTES: usize = 64;
/// Most evidence of a message: one piece against each member.
pub const EVIDENCE: usize = chain_core::spec::MOST_MEMBERS;
/// Most bytes of a peer's name.
pub const AGENT: usize = 64;

/// A message and its maximum encoded length, enforced before it is read.
pub trait Message: Serialize + DeserializeOwned {
    /// Most encoded bytes.
    const MOST_BYTES: usize;

    /// All kinds, in statistics.
    const NAMES: &'static [&'static str];

    /// Its kind, in statistics.
    fn name(&self) -> &'static str;

    /// The bytes for the wire.
    fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads exactly these bytes.
    ///
    /// # Errors
    /// [`CodecError`] if they are too many, or anything but the canonical encoding of a message within the limits.
    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        if bytes.len() > Self::MOST_BYTES {
            return Err(CodecError::TooLong { got: bytes.len(), limit: Self::MOST_BYTES });
        }
        codec::decode(bytes)
    }
}

impl Message for Request {
    const MOST_BYTES: usize = 512 << 10;

    names! {
        Self::Status(_) => "status",
        Self::Headers { .. } => "get_headers",
        Self::Blocks(_) => "get_blocks",
        Self::BlockTransactions { .. } => "get_block_transactions",
        Self::Announce(_) => "announce",
        Self::Transactions(_) => "get_transactions",
        Self::Finality { .. } => "finality",
        Self::Pool { .. } => "get_pool",
        Self::ShortTransactions { .. } => "get_short_transactions",
    }
}

impl Message for Response {
    const MOST_BYTES: usize = codec::MAX_ENCODED;

    names! {
        Self::Status(_) => "status",
        Self::Headers(_) => "headers",
        Self::Blocks(_) => "blocks",
        Self::Transactions(_) => "transactions",
        Self::Certificate(_) => "certificate",
        Self::ShortIds(_) => "short_ids",
        Self::Ack => "ack",
        Self::Unknown => "unknown",
    }
}

impl Message for CompactBlock {
    const MOST_BYTES: usize = 1 << 20;

    const NAMES: &'static [&'static str] = &["compact_block"];

    fn name(&self) -> &'static str {
        "compact_block"
    }
}
