//! Executing a block against a state.
//!
//! [`execute_block`] reads through a [`StateView`] and answers with a diff; it writes nothing. [`BlockBuilder`] makes
//! templates with the very same code for each transaction, and [`undo_block`] takes a block back.

mod builder;
mod coin;
mod context;
mod pending;
mod undo;

pub use builder::BlockBuilder;
pub use coin::{CoinFee, coin_fee};
pub use context::{BlockContext, Environment, Revision};
pub use pending::{ExecutedBlock, PendingBlock};
pub use undo::{Reversal, undo_block};

use alloy_primitives::Address;

use crate::{block::CheckedBlock, error::ExecuteError, spec::ChainSpec, state::StateView};

/// Executes a block on the state of its parent. `senders[i]` is the recovered sender of its i-th account transaction.
///
/// Signatures of coins are not verified here but listed in the answer ([`PendingBlock::checks`]).
///
/// # Errors
/// [`ExecuteError::Rule`] for the first rule the block breaks; [`ExecuteError::View`] if the state cannot be read.
pub fn execute_block(
    _spec: &ChainSpec,
    _context: &BlockContext,
    _view: &dyn StateView,
    _block: CheckedBlock,
    _senders: &[Address],
) -> Result<PendingBlock, ExecuteError> {
    todo!()
}
