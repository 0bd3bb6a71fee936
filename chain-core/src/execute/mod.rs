//! Executing a block against a state.
//!
//! [`execute_block`] reads through a [`StateView`] and returns a diff; it writes nothing. [`BlockBuilder`] builds
//! templates with the same code for each transaction, and [`undo_block`] disconnects a block.

mod authorize;
mod builder;
mod coin;
mod coinbase;
mod context;
mod dev;
mod history;
mod pending;
mod replay;
pub(crate) mod roots;
mod run;
#[cfg(test)]
mod tests;
mod transition;
mod undo;

pub use crate::{
    block::check::IntrinsicGas,
    vm::{
        Environment, GATEWAY, Revision, Status, Trial, WITHDRAW_SELECTOR, WITHDRAWAL_TOPIC, withdraw_calldata,
        withdrawal_outpoint, withdrawals,
    },
};
pub use builder::BlockBuilder;
pub use coin::{CoinFee, coin_fee};
pub use context::BlockContext;
pub use dev::{EDITOR, Edit, base_fee_mark};
pub use history::{HISTORY, HISTORY_CODE, HISTORY_WINDOW};
pub use pending::{ExecutedBlock, PendingBlock};
pub use replay::Replay;
pub use roots::{change_state, encode_account};
pub use transition::{Outcome, transition, transition_with};
pub use undo::{Reversal, undo_block};

use alloy_primitives::Address;

use crate::{
    block::{Block, CheckedBlock},
    error::{ExecuteError, RuleError},
    spec::ChainSpec,
    state::StateView,
    transaction::Transaction,
};
use run::Run;

/// Executes a block on the state of its parent. `senders[i]` is the recovered sender of its i-th account transaction.
///
/// Coin signatures are not verified here but listed in the result ([`PendingBlock::checks`]).
///
/// # Errors
/// [`ExecuteError::Rule`] for the first rule the block breaks; [`ExecuteError::View`] if the state cannot be read or the context is that of
/// another block.
pub fn execute_block(
    spec: &ChainSpec,
    context: &BlockContext,
    view: &dyn StateView,
    block: CheckedBlock,
    senders: &[Address],
) -> Result<PendingBlock, ExecuteError> {
    context.check(&block.block().header)?;
    let coinbase = block.coinbase();
    // CB-1
    if coinbase.height != context.height {
        return Err(RuleError::CoinbaseHeight { got: coinbase.height, expected: context.height }.into());
    }

    let mut run = Run::begin(spec, context, view, coinbase.beneficiary, coinbase.gas())?;
    run.state.reserve_coins(count_coins(block.block()));
    let mut next_sender = senders.iter().copied();
    for (transaction, meta) in block.block().transactions.iter().zip(block.metas()).skip(1) {
        let sender = matches!(transaction, Transaction::Account(_)).then(|| next_sender.next()).flatten();
        run.transaction(transaction, meta, sender)?;
    }

    coinbase::check_claim(spec, coinbase, run.tips)?;
    let mut ended = run.end(coinbase.gas())?;
    ended.roots.check(coinbase)?;
    let (checks, owners) = (std::mem::take(&mut ended.checks), std::mem::take(&mut ended.owners));
    let effects = coinbase::pay(ended, coinbase, block.metas()[0].txid)?;

    let (context, senders) = (context.clone(), senders.to_vec());
    Ok(PendingBlock { executed: ExecutedBlock { block, context, senders, effects }, checks, owners })
}

/// Number of coins that a block's transactions spend or create.
fn count_coins(block: &Block) -> usize {
    let coins = |transaction: &Transaction| match transaction {
        Transaction::Coin(tx) => tx.inputs.len() + tx.outputs.len(),
        Transaction::Coinbase(_) | Transaction::Account(_) => 0,
    };
    block.transactions.iter().map(coins).sum()
}
