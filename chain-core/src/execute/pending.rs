//! A block that was executed, before and after its signatures were verified.

use alloy_primitives::Address;

use super::BlockContext;
use crate::{block::CheckedBlock, error::RuleError, state::BlockEffects, transaction::sighash::SignatureCheck};

/// A block that keeps every rule if its signatures verify. Made by [`super::execute_block`] only.
#[derive(Debug)]
pub struct PendingBlock {
    pub(super) executed: ExecutedBlock,
    pub(super) checks: Vec<SignatureCheck>,
    /// Position in the block of the transaction that each check belongs to.
    pub(super) owners: Vec<u32>,
}

/// A block that keeps every rule, with what it does. Made by [`PendingBlock::confirm`] only, and all that a store takes.
#[derive(Debug)]
pub struct ExecutedBlock {
    pub(super) block: CheckedBlock,
    pub(super) context: BlockContext,
    pub(super) senders: Vec<Address>,
    pub(super) effects: BlockEffects,
}

impl PendingBlock {
    /// The signatures to verify, each apart from the others.
    pub fn checks(&self) -> &[SignatureCheck] {
        &self.checks
    }

    /// Takes the verdicts on [`PendingBlock::checks`], in their order.
    ///
    /// # Errors
    /// COIN-12 for the first that is not true; a missing verdict is not.
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

    /// What it was executed in: its height and base fee among others.
    pub fn context(&self) -> &BlockContext {
        &self.context
    }

    /// Who sent its account transactions, in their order.
    pub fn senders(&self) -> &[Address] {
        &self.senders
    }

    /// What it does to the state.
    pub fn effects(&self) -> &BlockEffects {
        &self.effects
    }

    /// The block and what it does, owned.
    pub fn into_parts(self) -> (CheckedBlock, BlockEffects) {
        (self.block, self.effects)
    }
}
