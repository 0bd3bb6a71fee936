//! The context of execution, besides state and transactions.

use alloy_primitives::U256;
use std::sync::Arc;

use crate::{
    block::header::Header,
    error::{ExecuteError, RuleError, ViewError},
    hash::BlockHash,
    units::Height,
    work::pow,
};

/// The inputs of a block's execution besides its transactions, its parent's state and the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// Hash of the genesis block, to which coin signatures commit.
    pub genesis: BlockHash,
    /// Height of the block.
    pub height: Height,
    /// Its header's time.
    pub time: u32,
    /// Base fee in wei per gas (FEE-1).
    pub base_fee: u64,
    /// What PREVRANDAO returns in contracts.
    pub difficulty: U256,
    /// Hash of the parent.
    pub parent: BlockHash,
}

impl BlockContext {
    /// The context of a block with this header on a chain from `genesis`, at this height and with the base fee of
    /// FEE-1.
    ///
    /// # Errors
    /// HDR-1 if the header's bits are malformed.
    pub fn new(genesis: BlockHash, height: Height, base_fee: u64, header: &Header) -> Result<Self, RuleError> {
        let difficulty = pow::work(pow::target(header.bits)?);
        Ok(Self { genesis, height, time: header.time, base_fee, difficulty, parent: header.prev })
    }

    /// Checks that this is the context of the block with this header, so that a caller's mistake is a local failure and
    /// not a consensus failure.
    pub(super) fn check(&self, header: &Header) -> Result<(), ExecuteError> {
        let expected = Self::new(self.genesis, self.height, self.base_fee, header)?;
        if *self == expected { Ok(()) } else { Err(ViewError(Arc::new(OtherContext)).into()) }
    }
}

/// The context belongs to another block.
#[derive(Debug, thiserror::Error)]
#[error("the state is not that of the block's parent")]
struct OtherContext;
