//! Questions and answers.

use chain_core::{
    Bytes, U256,
    block::header::Header,
    codec::{self, at_most},
    finality::{Certificate, Evidence, Vote},
    hash::{BlockHash, TxId},
    units::Height,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    AGENT, ANNOUNCED, BLOCKS, Body, EVIDENCE, HEADERS, LOCATOR, Message, POOL, POSITIONS, SHORT_TRANSACTIONS, ShortId,
    TRANSACTIONS, VOTES,
};

/// Where a node stands: the first thing that peers tell each other. Claims, until headers prove them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Hash of the genesis block.
    pub genesis: BlockHash,
    /// Tip of the active chain.
    pub best: BlockHash,
    /// Its height.
    pub height: Height,
    /// Work from genesis to it.
    #[serde(with = "word")]
    pub work: U256,
    /// Version of the messages.
    pub protocol: u32,
    /// Name and version of the program; printable ASCII.
    #[serde(deserialize_with = "agent")]
    pub agent: String,
    /// Lowest block after the genesis block whose body it keeps: those below were pruned, and are not asked of it.
    pub oldest: Height,
    /// Seconds since the Unix epoch by its clock. Never used to set a clock: it only lets both sides warn of a wrong one.
    pub time: u64,
}

/// A question. Each has one [`Response`]; [`Response::Unknown`] answers any of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Where the asker stands; answered by the same of the other.
    Status(Status),
    /// Headers of the active chain after the first hash of the locator that is on it.
    Headers {
        /// Hashes from a block down to the genesis block, ever wider.
        #[serde(deserialize_with = "at_most::<LOCATOR, _, _>")]
        locator: Vec<BlockHash>,
        /// Most headers to answer with.
        most: u16,
    },
    /// Encoded blocks, in this order.
    Blocks(#[serde(deserialize_with = "at_most::<BLOCKS, _, _>")] Vec<BlockHash>),
    /// Transactions of a block by their positions, which ascend.
    BlockTransactions {
        /// The block.
        block: BlockHash,
        /// Positions in it; 0 is the coinbase.
        #[serde(deserialize_with = "at_most::<POSITIONS, _, _>")]
        positions: Vec<u32>,
    },
    /// Names transactions that the sender has; answered by [`Response::Ack`].
    Announce(#[serde(deserialize_with = "at_most::<ANNOUNCED, _, _>")] Vec<TxId>),
    /// Transactions of the pool.
    Transactions(#[serde(deserialize_with = "at_most::<TRANSACTIONS, _, _>")] Vec<TxId>),
    /// Short ids of the whole pool.
    Pool {
        /// Salts the short ids.
        salt: u64,
    },
    /// Transactions of the pool by short ids.
    ShortTransactions {
        /// What the ids were salted with.
        salt: u64,
        /// The ids.
        #[serde(deserialize_with = "at_most::<SHORT_TRANSACTIONS, _, _>")]
        ids: Vec<ShortId>,
    },
    /// What is new of finality, on a chain that has it; answered by [`Response::Certificate`] if the peer has a newer one, else
    /// by [`Response::Ack`].
    Finality {
        /// Height of the newest certificate that the sender has; 0 if it has none.
        newest: Height,
        /// That certificate, if the sender thinks that it is news.
        certificate: Option<Certificate>,
        /// Votes for the next checkpoint.
        #[serde(deserialize_with = "at_most::<VOTES, _, _>")]
        votes: Vec<Vote>,
        /// Evidence against members.
        #[serde(deserialize_with = "at_most::<EVIDENCE, _, _>")]
        evidence: Vec<Evidence>,
    },
}

impl Request {
    /// Most encoded bytes of its answer. A question about a status makes no room for a block.
    pub fn most_answer_bytes(&self) -> usize {
        match self {
            Self::Status(_) | Self::Announce(_) => 1 << 10,
            Self::Finality { .. } => 8 << 10,
            Self::Headers { most, .. } => (1 << 10) + usize::from(*most).min(HEADERS) * Header::SIZE,
            Self::Pool { .. } => (1 << 10) + POOL * size_of::<ShortId>(),
            Self::Blocks(_)
            | Self::BlockTransactions { .. }
            | Self::Transactions(_)
            | Self::ShortTransactions { .. } => Response::MOST_BYTES,
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::Headers`], in order; fewer than asked for mean that the tip is among them.
    Headers(#[serde(deserialize_with = "at_most::<HEADERS, _, _>")] Vec<Header>),
    /// To [`Request::Blocks`]: the first of those asked for, as many as fit.
    Blocks(#[serde(deserialize_with = "at_most::<BLOCKS, _, _>")] Vec<Body>),
    /// To [`Request::BlockTransactions`] (all), [`Request::Transactions`] and [`Request::ShortTransactions`] (those that
    /// there are, as many as fit): encoded transactions in the order asked for.
    Transactions(#[serde(with = "blobs")] Vec<Bytes>),
    /// To [`Request::Pool`], best first.
    ShortIds(#[serde(deserialize_with = "at_most::<POOL, _, _>")] Vec<ShortId>),
    /// To [`Request::Announce`] and [`Request::Finality`].
    Ack,
    /// The peer does not have it, or does not tell.
    Unknown,
    /// To [`Request::Finality`]: the newest certificate.
    Certificate(Certificate),
}

/// A 256-bit number as 32 bytes, little-endian.
mod word {
    use super::{Deserializer, Serializer, U256, codec};

    pub fn serialize<S: Serializer>(number: &U256, serializer: S) -> Result<S::Ok, S::Error> {
        codec::fixed::serialize(&number.to_le_bytes::<32>(), serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
        codec::fixed::deserialize::<32, [u8; 32], D>(deserializer).map(U256::from_le_bytes)
    }
}

/// A list of byte strings.
mod blobs {
    use super::{Bytes, Deserialize, Deserializer, POSITIONS, Serialize, Serializer, at_most, codec};

    #[derive(Serialize, Deserialize)]
    struct Blob(#[serde(with = "codec::bytes")] Bytes);

    pub fn serialize<S: Serializer>(blobs: &[Bytes], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(blobs.iter().map(|bytes| Blob(bytes.clone())))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Bytes>, D::Error> {
        let blobs: Vec<Blob> = at_most::<POSITIONS, _, _>(deserializer)?;
        Ok(blobs.into_iter().map(|Blob(bytes)| bytes).collect())
    }
}

/// A short name that may stand in a log as it is.
fn agent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let agent = String::deserialize(deserializer)?;
    if agent.len() > AGENT || !agent.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Err(de::Error::custom("an agent is at most 64 bytes of printable ASCII"));
    }
    Ok(agent)
}
