//! A coin transaction alone.

use crate::{
    coin::{CoinTransaction, OutPoint, Witness},
    error::RuleError,
    units::Amount,
};

/// Up to so many inputs are compared pair by pair; more are sorted.
const FEW_INPUTS: usize = 8;

/// Checks all that a coin transaction shows without the coins that it spends.
///
/// # Errors
/// COIN-1 to COIN-6, POL-1.
pub fn check_coin_transaction(tx: &CoinTransaction) -> Result<(), RuleError> {
    check_counts(tx)?;
    check_outputs(tx)?;
    check_distinct_inputs(&tx.inputs)?;
    check_policies(tx)
}

fn check_counts(tx: &CoinTransaction) -> Result<(), RuleError> {
    // COIN-1
    if tx.inputs.is_empty() {
        return Err(RuleError::NoInputs);
    }
    // COIN-2
    if tx.outputs.is_empty() {
        return Err(RuleError::NoOutputs);
    }
    // COIN-3
    if tx.witnesses.len() != tx.inputs.len() {
        return Err(RuleError::WitnessCount { got: tx.witnesses.len(), expected: tx.inputs.len() });
    }
    Ok(())
}

fn check_outputs(tx: &CoinTransaction) -> Result<(), RuleError> {
    // COIN-5
    if let Some(output) = tx.outputs.iter().position(|output| output.amount == Amount::ZERO) {
        return Err(RuleError::ZeroOutput { output });
    }
    // COIN-6, AMT-1
    Amount::sum(tx.outputs.iter().map(|output| output.amount)).map(|_| ())
}

/// Sorts instead of hashing: nobody can choose inputs that make it slow.
fn check_distinct_inputs(inputs: &[OutPoint]) -> Result<(), RuleError> {
    let twice = if inputs.len() <= FEW_INPUTS {
        let repeated = |&(index, input): &(usize, &OutPoint)| inputs[..index].contains(input);
        inputs.iter().enumerate().find(repeated).map(|(_, input)| *input)
    } else {
        let mut sorted = inputs.to_vec();
        sorted.sort_unstable();
        sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    };
    // COIN-4
    twice.map_or(Ok(()), |outpoint| Err(RuleError::DuplicateInput { outpoint }))
}

fn check_policies(tx: &CoinTransaction) -> Result<(), RuleError> {
    tx.witnesses.iter().try_for_each(|witness| match witness {
        Witness::Key(_) => Ok(()),
        // POL-1
        Witness::Policy(policy, _) => policy.check(),
    })
}
