//! A block that was executed, before and after its signatures were verified.

use alloy_primitives::Address;

use super::BlockContext;
use crate::{block::CheckedBlock, error::RuleError, sighash::SignatureCheck, state::BlockEffects};

/// A block that keeps every rule if its signatures verify. Made by [`super::execute_block`] only.
#[derive(Debug)]
pub struct PendingBlock {
    executed: ExecutedBlock,
    checks: Vec<SignatureCheck>,
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
    pub fn confirm(self, _verdicts: &[bool]) -> Result<ExecutedBlock, RuleError> {
        let _ = self.executed;
        todo!()
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
