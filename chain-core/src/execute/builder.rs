//! Block templates.

use alloy_primitives::Address;

use super::BlockContext;
use crate::{
    coin::Lock,
    error::ExecuteError,
    spec::ChainSpec,
    state::{BlockEffects, StateView},
    transaction::Transaction,
    units::Gas,
};

/// Gathers transactions into a block that [`super::execute_block`] accepts: it runs the very same code for each.
///
/// Signatures of coins are not verified: what is pushed must have been.
pub struct BlockBuilder<'v> {
    _view: &'v dyn StateView,
}

impl<'v> BlockBuilder<'v> {
    /// Starts a block on the state of its parent.
    pub fn new(_spec: &'v ChainSpec, _context: BlockContext, _view: &'v dyn StateView, _beneficiary: Address) -> Self {
        todo!()
    }

    /// Appends a coin or account transaction (with its recovered sender) and answers with the gas it used. Nothing
    /// changes if it is refused.
    ///
    /// # Errors
    /// [`ExecuteError::Rule`] if it cannot stand here, be it for want of gas or of bytes; [`ExecuteError::View`].
    pub fn push(&mut self, _transaction: &Transaction, _sender: Option<Address>) -> Result<Gas, ExecuteError> {
        todo!()
    }

    /// Gas and encoded bytes that are left for transactions.
    pub fn room(&self) -> (Gas, usize) {
        todo!()
    }

    /// Ends the block: everything that may be claimed goes to `payout`. The coinbase comes first in the answer. The
    /// effects hold for exactly this `extra`: another gives the coinbase's coins other names.
    ///
    /// # Errors
    /// [`ExecuteError`] if the state cannot be read or `extra` is too long.
    pub fn finish(self, _payout: Lock, _extra: Vec<u8>) -> Result<(Vec<Transaction>, BlockEffects), ExecuteError> {
        todo!()
    }
}
