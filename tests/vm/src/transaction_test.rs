//! Official TransactionTests: what a transaction says alone.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use chain_core::{
    block::check::{AccountRules, check_account_transaction},
    error::RuleError,
    execute::{IntrinsicGas, Revision},
    gas::MAX_TRANSACTION_GAS,
    transaction::account::AccountTransaction,
    units::Gas,
};
use serde_json::Value;

use crate::{homestead, lenient};

/// Forks whose results are looked at, the first that is there: the rules that judge a transaction alone as they do, and the
/// most gas it may have.
const FORKS: [(&str, Revision, Gas); 4] = [
    ("Osaka", Revision::Osaka, MAX_TRANSACTION_GAS),
    ("Prague", Revision::Osaka, Gas::MAX),
    ("Cancun", Revision::Cancun, Gas::MAX),
    ("Shanghai", Revision::Cancun, Gas::MAX),
];

/// What a transaction says alone: who signed it, its hash, and its gas before anything runs.
fn examine(raw: &Bytes, revision: Revision, transaction_gas: Gas) -> Result<(Address, B256, Gas), RuleError> {
    let (fields, sender) = match AccountTransaction::decode(raw.clone()) {
        Ok(transaction) => (transaction.fields().clone(), transaction.recover_sender()?),
        Err(RuleError::NoChainId) => homestead::decode(raw)?,
        Err(rule) => return Err(rule),
    };
    check_account_transaction(&AccountRules { revision, chain_id: 1, transaction_gas }, &fields)?;
    let cost = fields.fees.fee_cap().checked_mul(U256::from(fields.gas_limit));
    cost.ok_or(RuleError::InsufficientBalance { got: U256::MAX, needed: U256::MAX })?;
    Ok((sender, keccak256(raw), IntrinsicGas::of(revision, &fields).intrinsic))
}

/// Checks a test.
///
/// # Errors
/// What is wrong.
pub fn check(test: &Value) -> Result<(), String> {
    let results = &test["result"];
    let known = FORKS.iter().find_map(|(fork, revision, most)| Some((results.get(fork)?, *revision, *most)));
    let (expected, revision, most) = known.ok_or("no result for a fork that the VM knows")?;
    let read = |error: lenient::Malformed| error.to_string();
    let raw = lenient::bytes("txbytes", &test["txbytes"]).map_err(read)?;
    match (examine(&raw, revision, most), lenient::optional(expected, "exception")) {
        (Err(_), Some(_)) => Ok(()),
        (Ok(_), Some(exception)) => Err(format!("was read, but must be refused: {exception}")),
        (Err(rule), None) => Err(format!("was refused, but is valid: {rule}")),
        (Ok(got), None) => {
            let sender = lenient::address("sender", &expected["sender"]).map_err(read)?;
            let hash = lenient::hash("hash", &expected["hash"]).map_err(read)?;
            let gas = lenient::number("intrinsicGas", &expected["intrinsicGas"]).map_err(read)?;
            let expected = (sender, hash, gas);
            if got == expected { Ok(()) } else { Err(format!("sender, hash, gas: got {got:?}, expected {expected:?}")) }
        }
    }
}
