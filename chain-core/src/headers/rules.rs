//! The rules of a header against its parent.

use alloy_primitives::U256;

use crate::{error::RuleError, hash::BlockHash, header::Header, spec::ChainSpec, units::Height};

/// Why a header was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It breaks a rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// It is known already.
    #[error("header {0} is known already")]
    Duplicate(BlockHash),
    /// Its parent is not known.
    #[error("parent {0} is not known")]
    UnknownParent(BlockHash),
    /// It descends from an invalid block.
    #[error("parent {0} is invalid")]
    InvalidParent(BlockHash),
    /// HDR-5: hold it and try again later. Never invalid.
    #[error("time {got} is beyond {limit}, the latest that the clock allows now")]
    TooFarInFuture {
        /// The header's time.
        got: u32,
        /// Latest time allowed now.
        limit: u64,
    },
}

/// What the rules need of a header's ancestors. Lets a chain of headers be checked without storing any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderContext {
    /// Hash of the header.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: u32,
    /// Time of block 1 of its branch, where the difficulty is anchored.
    pub anchor_time: u32,
    /// Work of the chain up to and including it.
    pub work: U256,
}

impl HeaderContext {
    /// Bits that a child must have.
    pub fn next_bits(&self, _spec: &ChainSpec) -> u32 {
        todo!()
    }

    /// Checks a child and answers with its context.
    ///
    /// # Errors
    /// [`HeaderError`] but `Duplicate` and `InvalidParent`.
    pub fn child(&self, _spec: &ChainSpec, _header: &Header, _now: u64) -> Result<Self, HeaderError> {
        todo!()
    }
}
