//! A coin transaction against the coins that it spends.

use crate::{
    error::RuleError,
    hash::BlockHash,
    transaction::{
        coin::{Coin, CoinTransaction, KeyBytes, Lock, Signature, Witness},
        policy::{Policy, Proof},
        sighash::{SignatureCheck, sighash},
    },
    units::Height,
};

/// Lists the signatures to verify when `tx` spends these coins in a block of this height.
///
/// `spent` are the coins of `tx.inputs`, in order; `tx` has passed [`crate::block::check::check_coin_transaction`].
///
/// # Errors
/// COIN-11, POL-1 to POL-5.
///
/// # Panics
/// If the numbers of coins, witnesses and inputs differ.
pub fn spend_checks(
    genesis: &BlockHash,
    tx: &CoinTransaction,
    spent: &[Coin],
    height: Height,
) -> Result<Vec<SignatureCheck>, RuleError> {
    assert_eq!(spent.len(), tx.inputs.len(), "one coin for each input");
    assert_eq!(tx.witnesses.len(), tx.inputs.len(), "COIN-3 was checked");
    let message = sighash(genesis, tx, spent);
    let mut checks = Vec::with_capacity(spent.len());
    for (input, (coin, witness)) in (0..).zip(spent.iter().zip(&tx.witnesses)) {
        let mut add = |key: KeyBytes, signature: Signature| {
            checks.push(SignatureCheck { key, message: message(input), signature });
        };
        match (coin.output.lock, witness) {
            (Lock::Key(key), Witness::Key(signature)) => add(key, *signature),
            (Lock::Policy(hash), Witness::Policy(policy, proof)) => {
                let age = height.saturating_sub(coin.height);
                for (key, signature) in check_policy(&hash, policy, proof, height, age)? {
                    add(key, signature);
                }
            }
            // COIN-11
            _ => return Err(RuleError::WitnessKind { input: input as usize }),
        }
    }
    Ok(checks)
}

fn check_policy(
    expected: &[u8; 32],
    policy: &Policy,
    proof: &Proof,
    height: Height,
    age: u32,
) -> Result<Vec<(KeyBytes, Signature)>, RuleError> {
    let got = policy.hash();
    if got != *expected {
        // POL-2
        return Err(RuleError::PolicyHash { got, expected: *expected });
    }
    policy.evaluate(proof, height, age)
}

#[cfg(test)]
mod tests;
