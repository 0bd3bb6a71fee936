//! Programs that make a node read and analyse as much as a block's gas allows, on a store on disk.
//!
//! Run: `cargo bench -p cairn-tests --bench reads -- [TEXT]`. Each line is the first run after the store was opened: its own caches are
//! empty, the system's are not.

#![allow(missing_docs, clippy::expect_used, reason = "a benchmark has no users and may panic")]

use alloy_primitives::{Address, B256, Bytes, U256};
use cairn_node::store::{Store, StoreConfig};
use cairn_vm_tests::hostile::{self, Hostile, TARGET};
use chain_core::{
    execute::{Environment, Revision, transition},
    spec::{ChainSpec, GenesisAccount, StorageWord},
    state::Overlay,
    transaction::account::{Fees, Fields},
};
use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

const CALLER: Address = Address::with_last_byte(0x11);
/// Gas of a block.
const BLOCK: u64 = 60_000_000;
/// How long a block may take.
const LIMIT: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let mut right = true;
    println!("{:<60} {:>10}", "60 Mgas of", "ms");
    for program in hostile::all() {
        if wanted.as_ref().is_none_or(|text| program.name.contains(text.as_str())) {
            right &= measure(&program);
        }
    }
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(program: &Hostile) -> bool {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let spec = spec(program);
    drop(open(folder.path(), &spec));
    let time = (0..ROUNDS).map(|_| run(&open(folder.path(), &spec), &spec)).min().unwrap_or_default();
    let verdict = if time <= LIMIT { "" } else { "  TOO SLOW" };
    println!("{:<60} {:>10.0}{verdict}", program.name, time.as_secs_f64() * 1e3);
    time <= LIMIT
}

fn open(folder: &Path, spec: &ChainSpec) -> Store {
    Store::open(folder, spec, &StoreConfig::default()).expect("the store opens")
}

/// A chain whose genesis has what the program meets.
fn spec(program: &Hostile) -> ChainSpec {
    let account = |address, balance: u64, code: Bytes| GenesisAccount {
        address,
        balance: U256::from(balance),
        nonce: 1,
        code,
        storage: Vec::new(),
    };
    let target = account(TARGET, 1, program.code.clone());
    let others = program.others.iter().map(|(address, genesis)| account(*address, 1, genesis.code.clone()));
    let many = (0..program.accounts).map(|number| account(hostile::account(number), 1, Bytes::new()));
    let mut accounts: Vec<_> = [target].into_iter().chain(others).collect();
    // The slots are read where the instruction runs: in the contract that is called, if there is one.
    if let Some(reading) = accounts.last_mut().filter(|_| program.slots > 0) {
        let words = |slot| (StorageWord(U256::from(slot)), StorageWord(U256::ONE));
        reading.storage = (0..program.slots).map(words).collect();
    }
    accounts.push(account(CALLER, u64::MAX, Bytes::new()));
    accounts.extend(many);
    accounts.sort_by_key(|account| account.address);
    ChainSpec { alloc_accounts: accounts, ..ChainSpec::dev() }
}

/// Runs one transaction with all gas of a block on a cold store.
fn run(store: &Store, spec: &ChainSpec) -> Duration {
    let environment = Environment {
        revision: Revision::Osaka,
        chain_id: spec.chain_id,
        number: 1,
        time: u64::from(spec.genesis_time) + 1,
        gas_limit: BLOCK,
        base_fee: 0,
        difficulty: U256::ONE,
        beneficiary: Address::repeat_byte(0xbe),
        transaction_gas: BLOCK,
        gateway: true,
        trial: None,
    };
    let fields = Fields {
        tx_type: 0,
        chain_id: spec.chain_id,
        nonce: 1,
        fees: Fees::Legacy { gas_price: U256::ZERO },
        gas_limit: BLOCK,
        to: Some(TARGET),
        value: U256::ZERO,
        input: Bytes::new(),
        access_list: Vec::new(),
        authorizations: Vec::new(),
    };
    let view = store.view();
    let start = Instant::now();
    let mut overlay = Overlay::new(&view);
    let outcome = transition(&environment, &mut overlay, B256::ZERO, &fields, CALLER, BLOCK);
    let time = start.elapsed();
    assert_eq!(outcome.expect("the call is valid").gas_used, BLOCK, "the program runs until its gas is gone");
    time
}
