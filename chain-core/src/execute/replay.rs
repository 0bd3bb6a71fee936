//! Re-execution of a block's account transactions, for tracers.

use alloy_primitives::Address;

use super::{BlockContext, Outcome, dev, run::Run, transition::transition_with};
use crate::{
    error::{ExecuteError, RuleError},
    spec::ChainSpec,
    state::{Overlay, StateView, ViewError},
    transaction::{Transaction, coin::Lock},
    units::Gas,
    vm::Inspector,
};

/// Runs the transactions of a block that is known to be valid, in order. Only the account state is reproduced: of coin
/// transactions only deposits run, so that the view need not have the coins.
pub struct Replay<'a> {
    run: Run<'a>,
}

impl<'a> Replay<'a> {
    /// Starts on the accounts of the block's parent.
    ///
    /// # Errors
    /// [`ViewError`] if the state cannot be read.
    pub fn begin(
        spec: &'a ChainSpec,
        context: &BlockContext,
        view: &'a dyn StateView,
        beneficiary: Address,
    ) -> Result<Self, ViewError> {
        Ok(Self { run: Run::begin(spec, context, view, beneficiary, 0)? })
    }

    /// The state after the transactions that have run.
    pub fn state(&mut self) -> &mut Overlay<'a> {
        &mut self.run.state
    }

    /// Runs the next transaction; returns the outcome of an account transaction.
    ///
    /// # Errors
    /// [`ExecuteError::Rule`] if the block is not valid after all; [`ExecuteError::View`].
    pub fn transaction(
        &mut self,
        transaction: &Transaction,
        sender: Option<Address>,
        inspector: &mut impl Inspector,
    ) -> Result<Option<Outcome>, ExecuteError> {
        let state = &mut self.run.state;
        match transaction {
            Transaction::Coinbase(_) => Ok(None),
            Transaction::Coin(tx) => {
                for output in &tx.outputs {
                    if let Lock::Account(address) = output.lock {
                        let account = state.account(&address)?;
                        if !state.credit(account, output.amount.to_wei()) {
                            return Err(RuleError::DepositOverflow(address).into());
                        }
                    }
                }
                state.end_transaction();
                Ok(None)
            }
            Transaction::Account(tx) => {
                let sender = sender.ok_or(RuleError::BadAccountSignature)?;
                let environment = &self.run.environment;
                if dev::is_edit(self.run.spec, tx.fields(), sender) {
                    return dev::watch_edit(environment, state, tx.fields(), inspector).map(Some);
                }
                transition_with(environment, state, tx.hash(), tx.fields(), sender, Gas::MAX, inspector).map(Some)
            }
        }
    }
}
