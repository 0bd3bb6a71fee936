//! One state test through the chain's own transition.

use alloy_primitives::{Address, B256, keccak256};
use chain_core::{
    error::{ExecuteError, RuleError},
    execute::{Outcome, change_state, transition_with},
    state::{Diff, MemoryState, Overlay},
    transaction::account::{AccountTransaction, Fields},
    vm::Inspector,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{
    homestead,
    lenient::Malformed,
    state_test::{Case, StateTest},
};

/// What came of a case.
#[derive(Debug)]
pub struct Ran {
    /// What the transaction did, or why it was refused.
    pub result: Result<Outcome, Refusal>,
    /// State root afterwards.
    pub root: B256,
    /// keccak-256 of the RLP of the logs.
    pub logs: B256,
    /// What differs from the state before.
    pub diff: Diff,
}

/// Why a transaction may not stand in the block.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// It is none.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// By a rule of the chain.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// A case that says nothing about the chain.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Broken {
    /// `txbytes` hold another transaction than the fields.
    #[error("txbytes do not say what the fields say: {0}")]
    TwoTransactions(String),
    /// The code panicked.
    #[error("panicked: {0}")]
    Panicked(String),
    /// The state in memory could not be read.
    #[error("{0}")]
    State(String),
    /// The fork is not known.
    #[error("no rules for {0}")]
    Fork(String),
}

struct Transaction {
    fields: Fields,
    sender: Address,
    hash: B256,
}

/// Runs a case on its state before.
///
/// # Errors
/// [`Broken`] if it cannot be told what comes of it.
pub fn run(test: &StateTest, case: &Case, state: &MemoryState, inspector: &mut impl Inspector) -> Result<Ran, Broken> {
    let attempt = catch_unwind(AssertUnwindSafe(|| attempt(test, case, state, inspector)));
    attempt.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        Err(Broken::Panicked(text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()))
    })
}

fn attempt(test: &StateTest, case: &Case, state: &MemoryState, inspector: &mut impl Inspector) -> Result<Ran, Broken> {
    let revision = case.revision().ok_or_else(|| Broken::Fork(case.fork.clone()))?;
    let environment = test.environment(revision);
    let mut overlay = Overlay::new(state);
    let result = match transaction(test, case)? {
        Err(refusal) => Err(refusal),
        Ok(Transaction { fields, sender, hash }) => {
            let gas_left = environment.gas_limit;
            let outcome = transition_with(&environment, &mut overlay, hash, &fields, sender, gas_left, inspector);
            match outcome {
                Ok(outcome) => Ok(outcome),
                Err(ExecuteError::Rule(rule)) => Err(rule.into()),
                Err(ExecuteError::View(error)) => return Err(Broken::State(error.to_string())),
            }
        }
    };
    if result.is_err() {
        overlay.abandon_transaction();
    }
    let mut diff = overlay.into_diff();
    let root = change_state(state, &mut diff.accounts, &diff.storage);
    let (root, _) = root.map_err(|error| Broken::State(error.to_string()))?;
    let logs = result.as_ref().map_or_else(|_| Vec::new(), |outcome| outcome.logs.clone());
    Ok(Ran { root, logs: keccak256(alloy_rlp::encode(logs)), diff, result })
}

/// The transaction of a case: decoded where its bytes are given, so that decoding is tested too, else from its fields.
fn transaction(test: &StateTest, case: &Case) -> Result<Result<Transaction, Refusal>, Broken> {
    let spelled = test.fields(case.indexes).and_then(|fields| Ok((fields, test.sender()?)));
    let Some(raw) = &case.raw else {
        let hash = |fields: &Fields| fields.signing_hash();
        return Ok(spelled
            .map(|(fields, sender)| Transaction { hash: hash(&fields), fields, sender })
            .map_err(Into::into));
    };
    let (fields, signer) = match decode(test, raw) {
        Ok(decoded) => decoded,
        Err(rule) => return Ok(Err(rule.into())),
    };
    if let (Ok((mut said, sender)), None) = (spelled, &case.exception) {
        said.chain_id = fields.chain_id;
        if (&said, sender) != (&fields, signer) {
            return Err(Broken::TwoTransactions(format!("{fields:?} by {signer}, {said:?} by {sender}")));
        }
    }
    Ok(Ok(Transaction { fields, sender: signer, hash: keccak256(raw) }))
}

fn decode(test: &StateTest, raw: &alloy_primitives::Bytes) -> Result<(Fields, Address), RuleError> {
    match AccountTransaction::decode(raw.clone()) {
        Ok(transaction) => Ok((transaction.fields().clone(), transaction.recover_sender()?)),
        Err(RuleError::NoChainId) => {
            let (fields, sender) = homestead::decode(raw)?;
            Ok((Fields { chain_id: test.chain_id(), ..fields }, sender))
        }
        Err(rule) => Err(rule),
    }
}
