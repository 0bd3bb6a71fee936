//! An executed block, before and after its signatures are verified.

use alloy_primitives::Address;

use super::BlockContext;
use crate::{block::CheckedBlock, error::RuleError, state::BlockEffects, transaction::sighash::SignatureCheck};

/// A block that keeps every rule if its signatures verify. Created by [`super::execute_block`] only.
#[derive(Debug)]
pub struct PendingBlock {
    pub(super) executed: ExecutedBlock,
    pub(super) checks: Vec<SignatureCheck>,
    /// Position in the block of the transaction that each check belongs to.
    pub(super) owners: Vec<u32>,
}

/// A block that keeps every rule, with its effects. Created by [`PendingBlock::confirm`] only; the only type that a
/// store accepts.
#[derive(Debug)]
pub struct ExecutedBlock {
    pub(super) block: CheckedBlock,
    pub(super) context: BlockContext,
    pub(super) senders: Vec<Address>,
    pub(super) effects: BlockEffects,
}

impl PendingBlock {
    /// The signatures to verify, independent of each other.
    pub fn checks(&self) -> &[SignatureCheck] {
        &self.checks
    }

    /// Applies the results of [`PendingBlock::checks`], in their order.
    ///
    /// # Errors
    /// COIN-12 for the first that is false or missing.
    pub fn confirm(self, verdicts: &[bool]) -> Result<ExecutedBlock, RuleError> {
        let verdicts = verdicts.iter().copied().chain(std::iter::repeat(false));
        // COIN-12
        match self.owners.iter().zip(verdicts).find(|(_, valid)| !valid) {
            Some((owner, _)) => Err(RuleError::BadCoinSignature { transaction: Some(*owner as usize) }),
            None => Ok(self.executed),
        }
    }
}

impl ExecutedBlock {
    /// The block.
    pub fn block(&self) -> &CheckedBlock {
        &self.block
    }

    /// The context of its execution.
    pub fn context(&self) -> &BlockContext {
        &self.context
    }

    /// The senders of its account transactions, in order.
    pub fn senders(&self) -> &[Address] {
        &self.senders
    }

    /// Its effects on the state.
    pub fn effects(&self) -> &BlockEffects {
        &self.effects
    }

    /// The block and its effects, owned.
    pub fn into_parts(self) -> (CheckedBlock, BlockEffects) {
        (self.block, self.effects)
    }
}
