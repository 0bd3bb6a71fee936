//! Whether a case passes, and why not.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, b256, keccak256};
use chain_core::{
    state::{Account, MemoryState},
    vm::{FrameStart, Inspector, Silent, Status},
};
use std::collections::{BTreeMap, BTreeSet};

use crate::{
    execute::{Ran, run},
    state_test::{Case, Genesis, StateTest, parse_accounts},
};

/// Categories of official tests that this chain leaves out, and why.
const EXCLUDED: [(&str, &str); 4] = [
    ("eip4844_blobs", "this chain has no blobs (EIP-4844)"),
    ("stEIP4844_blobtransactions", "this chain has no blob transactions (EIP-4844)"),
    ("eip7516_blobgasfee", "blob gas costs nothing on this chain (EIP-7516)"),
    ("eip7594_peerdas", "this chain has no blobs to sample (EIP-7594)"),
];
/// The precompiled contract that checks blobs.
const KZG: Address = Address::with_last_byte(0x0a);
/// keccak-256 of the RLP of no logs.
const NO_LOGS: B256 = b256!("1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347");
/// How many differences are told.
const MOST_DIFFERENCES: usize = 4;

/// What is to be said of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is as it must be.
    Passed,
    /// It tests what this chain leaves out.
    Skipped(Skip),
    /// Something is not as it must be: what, line by line.
    Failed(Vec<String>),
}

/// Why a case is left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skip {
    /// One of the categories that are excluded as a whole, and why.
    Category(&'static str, &'static str),
    /// A transaction of type 3 in another category.
    Blobs,
    /// It fails, and calls the precompiled contract 0x0a.
    Kzg,
    /// A fork that is not one of the VM's revisions.
    Fork(String),
}

impl Skip {
    /// The reason.
    pub fn reason(&self) -> String {
        match self {
            Self::Category(_, reason) => (*reason).to_owned(),
            Self::Blobs => "a transaction of type 3 carries blobs".to_owned(),
            Self::Kzg => "calls the KZG precompile 0x0a, which checks blobs".to_owned(),
            Self::Fork(fork) => format!("{fork} is not a revision of the VM (Cancun, Osaka)"),
        }
    }
}

/// Runs a case of the test `name` in the file `path` and judges it.
pub fn judge(path: &str, name: &str, test: &StateTest, case: &Case, state: &MemoryState) -> Verdict {
    if let Some(skip) = excluded(path, name, test, case) {
        return Verdict::Skipped(skip);
    }
    let problems = match run(test, case, state, &mut Silent) {
        Ok(ran) => problems(case, state, &ran),
        Err(broken) => vec![broken.to_string()],
    };
    if problems.is_empty() {
        return Verdict::Passed;
    }
    let mut callees = Callees::default();
    // It is told already if this breaks.
    let _ = run(test, case, state, &mut callees);
    if callees.0.contains(&KZG) { Verdict::Skipped(Skip::Kzg) } else { Verdict::Failed(problems) }
}

fn excluded(path: &str, name: &str, test: &StateTest, case: &Case) -> Option<Skip> {
    let mut parts = path.split('/').chain(name.split('/'));
    if let Some((category, reason)) = parts.find_map(|part| EXCLUDED.iter().find(|(name, _)| *name == part)) {
        return Some(Skip::Category(category, reason));
    }
    let is_type_3 = case.raw.as_ref().map_or_else(|| test.has_blobs(), |raw| raw.first() == Some(&3));
    if is_type_3 {
        return Some(Skip::Blobs);
    }
    case.revision().is_none().then(|| Skip::Fork(case.fork.clone()))
}

/// Who was called.
#[derive(Default)]
struct Callees(BTreeSet<Address>);

impl Inspector for Callees {
    fn enter(&mut self, frame: &FrameStart<'_>) {
        self.0.insert(frame.to);
    }
}

/// What is not as it must be.
fn problems(case: &Case, state: &MemoryState, ran: &Ran) -> Vec<String> {
    let mut problems = Vec::new();
    match (&case.exception, &ran.result) {
        (Some(exception), Ok(outcome)) => {
            problems.push(format!("was run ({:?}), but must be refused: {exception}", outcome.status));
        }
        (None, Err(refusal)) => problems.push(format!("was refused, but must run: {refusal}")),
        (Some(_), Err(_)) | (None, Ok(_)) => {}
    }
    if ran.root != case.root {
        problems.push(format!("state root: got {}, expected {}", ran.root, case.root));
    }
    let logs = if case.exception.is_some() { Some(NO_LOGS) } else { case.logs };
    if logs.is_some_and(|logs| logs != ran.logs) {
        problems.push(format!("hash of logs: got {}, expected {}", ran.logs, logs.unwrap_or_default()));
    }
    if !problems.is_empty() {
        if let Ok(outcome) = &ran.result {
            problems.push(summary(outcome));
        }
        problems.extend(differences(case, state, ran));
    }
    problems
}

/// How a transaction ended, in the order of columns that the peer's answers have.
fn summary(outcome: &chain_core::execute::Outcome) -> String {
    let status = match outcome.status {
        Status::Success => "Success".to_owned(),
        Status::Revert => "Revert".to_owned(),
        Status::Halt(halt) => format!("Halt ({halt})"),
    };
    format!("cairn: {status}, gas used {}, output {}", outcome.gas_used, keccak256(&outcome.output))
}

/// Where the state differs from the one spelled out, if one is.
fn differences(case: &Case, state: &MemoryState, ran: &Ran) -> Vec<String> {
    let Some(Ok(expected)) = case.state.as_ref().map(parse_accounts) else { return Vec::new() };
    let expected: BTreeMap<Address, Genesis> = expected.into_iter().collect();
    let mut accounts = state.accounts.clone();
    let mut storage = state.storage.clone();
    for change in &ran.diff.accounts {
        match change.after {
            Some(account) => accounts.insert(change.address, account),
            None => accounts.remove(&change.address),
        };
    }
    storage.extend(ran.diff.storage.iter().map(|change| ((change.address, change.slot), change.after)));
    let addresses: BTreeSet<Address> = expected.keys().chain(accounts.keys()).copied().collect();
    let mut lines = Vec::new();
    for address in addresses {
        let got = accounts.get(&address);
        let slots = storage.range((address, U256::ZERO)..=(address, U256::MAX)).filter(|(_, value)| !value.is_zero());
        let slots: BTreeMap<U256, U256> = slots.map(|((_, slot), value)| (*slot, *value)).collect();
        lines.extend(account_differences(address, got, &slots, expected.get(&address)));
    }
    let more = lines.len().saturating_sub(MOST_DIFFERENCES);
    lines.truncate(MOST_DIFFERENCES);
    if more > 0 {
        lines.push(format!("... and {more} more differences"));
    }
    lines
}

fn account_differences(
    address: Address,
    got: Option<&Account>,
    slots: &BTreeMap<U256, U256>,
    expected: Option<&Genesis>,
) -> Vec<String> {
    let (got, expected) = match (got, expected) {
        (None, None) => return Vec::new(),
        (Some(_), None) => return vec![format!("{address}: exists, but must not")],
        (None, Some(_)) => return vec![format!("{address}: does not exist, but must")],
        (Some(got), Some(expected)) => (got, expected),
    };
    let mut lines = Vec::new();
    let mut compare = |what: String, got: String, expected: String| {
        if got != expected {
            lines.push(format!("{address} {what}: got {got}, expected {expected}"));
        }
    };
    compare("nonce".to_owned(), got.nonce.to_string(), expected.nonce.to_string());
    compare("balance".to_owned(), got.balance.to_string(), expected.balance.to_string());
    let code = if expected.code.is_empty() { KECCAK256_EMPTY } else { keccak256(&expected.code) };
    compare("hash of code".to_owned(), got.code_hash.to_string(), code.to_string());
    let wanted: BTreeMap<U256, U256> = expected.storage.iter().copied().collect();
    for slot in slots.keys().chain(wanted.keys()).collect::<BTreeSet<_>>() {
        let of = |slots: &BTreeMap<U256, U256>| format!("{:#x}", slots.get(slot).copied().unwrap_or_default());
        compare(format!("slot {slot:#x}"), of(slots), of(&wanted));
    }
    lines
}
