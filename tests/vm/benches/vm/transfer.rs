//! Plain transfers: one alone, and a block of them.

use alloy_primitives::{Address, B256, Bytes, U256};
use cairn_vm_tests::state_test::Genesis;
use chain_core::{
    execute::transition,
    state::{MemoryState, Overlay},
    transaction::account::Fields,
    units::Gas,
};
use revm::ExecuteEvm;

use super::{
    Arguments,
    engines::{Cairn, Input, Peer, environment, fields, peer_evm, peer_transaction},
    inputs::insert,
    measure::both,
};

const TRANSFERS: u64 = 1_000;
const GAS: Gas = 21_000;

fn sender(number: u64) -> Address {
    Address::from_word(B256::from(U256::from(0x5e0000 + number)))
}

fn recipient(number: u64) -> Address {
    Address::from_word(B256::from(U256::from(0xec0000 + number)))
}

/// Measures both.
pub fn run(arguments: &Arguments) {
    if !arguments.wants("plain transfer") {
        return;
    }
    let mut state = MemoryState::default();
    for number in 0..TRANSFERS {
        insert(&mut state, sender(number), Genesis { balance: U256::from(u128::MAX), ..Genesis::default() });
        insert(&mut state, recipient(number), Genesis { balance: U256::ONE, ..Genesis::default() });
    }
    println!("{:<44} {:>12} {:>12} {:>7}", "without signatures, each", "revm ns", "cairn ns", "ratio");
    alone(state.clone(), arguments);
    block(&state, arguments);
    println!();
}

fn report(name: &str, theirs: f64, ours: f64) {
    println!("{name:<44} {theirs:>12.0} {ours:>12.0} {:>7.2}", theirs / ours);
}

fn input(state: MemoryState) -> Input {
    Input {
        name: "plain transfer".to_owned(),
        caller: sender(0),
        to: recipient(0),
        value: U256::ONE,
        calldata: Bytes::new(),
        gas_limit: GAS,
        state,
    }
}

fn alone(state: MemoryState, arguments: &Arguments) {
    let input = input(state);
    let (mut cairn, mut peer) = (Cairn::new(&input), Peer::new(&input));
    let (theirs, ours) = both(arguments.budget(), || peer.run(), || cairn.run());
    report("plain transfer, alone", theirs.as_nanos() as f64, ours.as_nanos() as f64);
}

/// Every transfer of another sender to another recipient, on one overlay and one journal.
fn block(state: &MemoryState, arguments: &Arguments) {
    let template = fields(&input(MemoryState::default()));
    let all: Vec<(Fields, Address)> = (0..TRANSFERS)
        .map(|number| (Fields { to: Some(recipient(number)), ..template.clone() }, sender(number)))
        .collect();
    let environment = environment();
    let mut overlay = Some(Overlay::new(state));
    let cairn = || {
        let mut run = overlay.take().unwrap_or_else(|| Overlay::new(state));
        for (fields, sender) in &all {
            transition(&environment, &mut run, B256::ZERO, fields, *sender, Gas::MAX).expect("the transfer is valid");
        }
        overlay = Some(run.renew());
    };
    let transactions: Vec<_> = all.iter().map(|(fields, sender)| peer_transaction(fields, *sender)).collect();
    let mut evm = peer_evm(state);
    let peer = || {
        for transaction in &transactions {
            evm.transact_one(transaction.clone()).expect("the transfer is valid");
        }
        evm.finalize()
    };
    let (theirs, ours) = both(arguments.budget(), peer, cairn);
    let each = |time: std::time::Duration| time.as_nanos() as f64 / TRANSFERS as f64;
    report("plain transfer, in a block of 1,000", each(theirs), each(ours));
}
