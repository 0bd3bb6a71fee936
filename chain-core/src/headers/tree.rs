//! The tree itself.

use alloy_primitives::U256;

use super::{HeaderContext, HeaderError, Status};
use crate::{
    hash::BlockHash,
    header::Header,
    spec::ChainSpec,
    units::{Gas, Height},
};

/// What executing a block told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Its base fee, in wei a gas.
    pub base_fee: u64,
    /// Gas used.
    pub gas_used: Gas,
}

/// A header as a store keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredHeader {
    /// The header.
    pub header: Header,
    /// Its hash, trusted.
    pub hash: BlockHash,
    /// What is known of the block.
    pub status: Status,
    /// Set once the block was executed.
    pub executed: Option<Executed>,
}

/// Why stored headers are not a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Not even a genesis header.
    #[error("there are no headers")]
    Empty,
    /// A header comes before its parent, or without it.
    #[error("header {hash} is stored without its parent {parent}")]
    UnknownParent {
        /// The header.
        hash: BlockHash,
        /// Its parent.
        parent: BlockHash,
    },
    /// The same header twice.
    #[error("header {0} is stored twice")]
    Duplicate(BlockHash),
}

/// A header that was inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// Whether it is the best header now.
    pub best: bool,
}

/// What the tree knows of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderInfo {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// Work of the chain up to and including it.
    pub work: U256,
    /// What is known of the block.
    pub status: Status,
    /// Set once the block was executed.
    pub executed: Option<Executed>,
}

/// All known headers.
#[derive(Clone, Debug)]
pub struct HeaderTree {}

impl HeaderTree {
    /// A tree of the genesis block alone, which counts as executed at the spec's first base fee.
    pub fn new(_spec: &ChainSpec, _genesis: &Header) -> Self {
        todo!()
    }

    /// A tree of stored headers: the genesis first, parents before children. Nothing is checked or hashed again.
    ///
    /// # Errors
    /// [`LoadError`] if they are no tree.
    pub fn load(_spec: &ChainSpec, _headers: impl IntoIterator<Item = StoredHeader>) -> Result<Self, LoadError> {
        todo!()
    }

    /// Checks a header and adds it. `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`HeaderError`]; the tree is as before.
    pub fn insert(&mut self, _header: &Header, _now: u64) -> Result<Inserted, HeaderError> {
        todo!()
    }

    /// Number of headers.
    #[expect(clippy::len_without_is_empty, reason = "there is always a genesis header")]
    pub fn len(&self) -> usize {
        todo!()
    }

    /// The genesis block.
    pub fn genesis(&self) -> BlockHash {
        todo!()
    }

    /// Whether a header is known.
    pub fn contains(&self, _hash: &BlockHash) -> bool {
        todo!()
    }

    /// What is known of a block.
    pub fn get(&self, _hash: &BlockHash) -> Option<HeaderInfo> {
        todo!()
    }

    /// What the rules need to check a child.
    pub fn context(&self, _hash: &BlockHash) -> Option<HeaderContext> {
        todo!()
    }

    /// Bits that a child of a known block must have.
    pub fn next_bits(&self, _parent: &BlockHash) -> Option<u32> {
        todo!()
    }

    /// Base fee of a child of an executed block.
    pub fn next_base_fee(&self, _parent: &BlockHash) -> Option<u64> {
        todo!()
    }
}
