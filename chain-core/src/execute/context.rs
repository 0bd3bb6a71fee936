//! What executing depends on beside the state and the transactions.

use alloy_primitives::U256;
use std::sync::Arc;

use crate::{
    block::header::Header,
    error::{ExecuteError, RuleError, ViewError},
    hash::BlockHash,
    units::Height,
    work::pow,
};

/// What a block's execution depends on beside its transactions, its parent's state and the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// Hash of the genesis block, to which signatures of coins commit.
    pub genesis: BlockHash,
    /// Height of the block.
    pub height: Height,
    /// Its header's time.
    pub time: u32,
    /// Wei for each unit of gas, burned (FEE-1).
    pub base_fee: u64,
    /// What PREVRANDAO returns in contracts.
    pub difficulty: U256,
    /// Hash of the parent.
    pub parent: BlockHash,
}

impl BlockContext {
    /// That of a block with this header on a chain from `genesis`, at a height and with the base fee that FEE-1 gives.
    ///
    /// # Errors
    /// HDR-1 if the header's bits are malformed.
    pub fn new(genesis: BlockHash, height: Height, base_fee: u64, header: &Header) -> Result<Self, RuleError> {
        let difficulty = pow::work(pow::target(header.bits)?);
        Ok(Self { genesis, height, time: header.time, base_fee, difficulty, parent: header.prev })
    }

    /// Checks that it is the context of the block with this header, so that a caller's mistake is a local failure and not a
    /// verdict that differs from other nodes'.
    pub(super) fn check(&self, header: &Header) -> Result<(), ExecuteError> {
        let expected = Self::new(self.genesis, self.height, self.base_fee, header)?;
        if *self == expected { Ok(()) } else { Err(ViewError(Arc::new(OtherContext)).into()) }
    }
}

/// A block was given the context of another.
#[derive(Debug, thiserror::Error)]
#[error("a block was to be executed on the state of another parent than its header names")]
struct OtherContext;
