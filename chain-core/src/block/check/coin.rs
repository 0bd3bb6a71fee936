//! Context-free checks of a coin transaction.

use crate::{
    error::RuleError,
    transaction::coin::{CoinTransaction, OutPoint, Witness},
    units::Amount,
};

/// Up to this many inputs are compared pair by pair; more are sorted.
const FEW_INPUTS: usize = 8;

/// Checks a coin transaction without the coins that it spends.
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
    Amount::sum(tx.outputs.iter().map(|output| output.amount))?;
    Ok(())
}

/// Sorts instead of hashing, so that no choice of inputs makes it slow.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hash::TxId,
        transaction::{
            coin::{KeyBytes, Lock, Output},
            policy::{Policy, Proof},
        },
        units::AmountOverflow,
    };

    fn outpoint(index: u32) -> OutPoint {
        OutPoint { txid: TxId([1; 32]), index }
    }

    fn output(amount: u64) -> Output {
        Output { amount: Amount::from_grains(amount), lock: Lock::Key(KeyBytes([2; 32])) }
    }

    fn legal(inputs: u32) -> CoinTransaction {
        CoinTransaction {
            inputs: (0..inputs).map(outpoint).collect(),
            outputs: vec![output(1), output(2)],
            witnesses: vec![Witness::Key([3; 64].into()); inputs as usize],
        }
    }

    fn check(change: impl Fn(&mut CoinTransaction)) -> Result<(), RuleError> {
        let mut tx = legal(2);
        change(&mut tx);
        check_coin_transaction(&tx)
    }

    // COIN-1
    #[test]
    fn refuses_a_transaction_without_inputs() {
        assert_eq!(check_coin_transaction(&legal(1)), Ok(()));
        assert_eq!(check_coin_transaction(&legal(0)), Err(RuleError::NoInputs));
    }

    // COIN-2
    #[test]
    fn refuses_a_transaction_without_outputs() {
        assert_eq!(check(|tx| tx.outputs.truncate(1)), Ok(()));
        assert_eq!(check(|tx| tx.outputs.clear()), Err(RuleError::NoOutputs));
    }

    // COIN-3
    #[test]
    fn refuses_a_witness_too_few_and_one_too_many() {
        let wrong = |got| Err(RuleError::WitnessCount { got, expected: 2 });
        assert_eq!(check(|tx| tx.witnesses.truncate(1)), wrong(1));
        assert_eq!(check(|tx| tx.witnesses.push(tx.witnesses[0].clone())), wrong(3));
    }

    // COIN-4, CVE-2018-17144
    #[test]
    fn refuses_an_outpoint_named_twice_wherever_it_stands() {
        for count in [2, 8, 9, 500] {
            assert_eq!(check_coin_transaction(&legal(count)), Ok(()));
            for (first, second) in [(0, 1), (0, count - 1), (count - 2, count - 1)] {
                let mut tx = legal(count);
                tx.inputs[second as usize] = outpoint(first);
                let twice = RuleError::DuplicateInput { outpoint: outpoint(first) };
                assert_eq!(check_coin_transaction(&tx), Err(twice), "{first} and {second} of {count}");
            }
        }
    }

    // COIN-5
    #[test]
    fn refuses_an_output_of_nothing() {
        assert_eq!(check(|tx| tx.outputs[1] = output(1)), Ok(()));
        assert_eq!(check(|tx| tx.outputs[1] = output(0)), Err(RuleError::ZeroOutput { output: 1 }));
    }

    // COIN-6, AMT-1, CVE-2010-5139
    #[test]
    fn refuses_outputs_whose_sum_wraps() {
        let outputs = |amounts: &[u64]| amounts.iter().copied().map(output).collect();
        assert_eq!(check(|tx| tx.outputs = outputs(&[u64::MAX - 1, 1])), Ok(()));
        assert_eq!(check(|tx| tx.outputs = outputs(&[u64::MAX, 1])), Err(RuleError::AmountOverflow(AmountOverflow)));
        assert_eq!(
            check(|tx| tx.outputs = outputs(&[1 << 63, 1 << 63, 5])),
            Err(RuleError::AmountOverflow(AmountOverflow))
        );
    }

    // POL-1
    #[test]
    fn refuses_a_malformed_policy_before_its_coin_is_known() {
        let witness = |policy| Witness::Policy(policy, Proof(vec![].into()));
        assert_eq!(check(|tx| tx.witnesses[1] = witness(Policy::after(1))), Ok(()));
        let cut = Err(RuleError::PolicyCut { nodes: 0 });
        assert_eq!(check(|tx| tx.witnesses[1] = witness(Policy(vec![].into()))), cut);
    }
}
