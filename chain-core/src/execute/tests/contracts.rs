//! Contracts in blocks: the gateway called by them in every way, and the history contract. `Lab::connect` sees each
//! time that money is neither created nor lost, and that the block can be disconnected.

use super::lab::*;
use crate::{
    execute::{GATEWAY, HISTORY, HISTORY_CODE, withdraw_calldata, withdrawal_outpoint, withdrawals},
    gas,
    hash::BlockHash,
    state::Account,
    transaction::account::Fields,
    units::Amount,
    vm::{
        opcode::*,
        tests::assembler::{Program, deployer, program},
    },
};
use alloy_primitives::{Address, Bytes, U256};

const CONTRACT: Address = Address::repeat_byte(0xc1);
const OTHER: Address = Address::repeat_byte(0xc2);

/// A chain on which key 1 has 10 CRN and two contracts 1,000 grains each.
fn lab(contract: Program, other: Program) -> Lab {
    let mut lab = Lab::new();
    lab.fund(1, crn(10));
    lab.account(GATEWAY, Account { nonce: 1, ..Account::default() }, Bytes::from(vec![INVALID]));
    let account = Account { nonce: 1, balance: grains(1_000), ..Account::default() };
    lab.account(CONTRACT, account, contract.code());
    lab.account(OTHER, account, other.code());
    lab
}

fn grains(amount: u64) -> U256 {
    Amount::from_grains(amount).to_wei()
}

/// Calls the gateway with calldata that withdraws to key 4; leaves whether it worked on the stack.
fn withdraw(opcode: u8, wei: U256) -> Program {
    let calldata = withdraw_calldata(&lock(4));
    program().memory(&calldata).call(opcode, GATEWAY, wei, calldata.len())
}

fn call(opcode: u8, to: Address) -> Program {
    program().call(opcode, to, U256::ZERO, 0)
}

fn then(first: Program, second: Program) -> Program {
    first.ops(&second.code())
}

fn revert() -> Program {
    program().push(0).push(0).ops(&[REVERT])
}

/// The result of a call of the contract: grains of the coins that it created, whether it succeeded, number of logs.
fn run(lab: &mut Lab) -> (Vec<u64>, bool, usize) {
    run_with(lab, Fields { gas_limit: 4_000_000, ..fields(0, CONTRACT, U256::ZERO) })
}

fn run_with(lab: &mut Lab, fields: Fields) -> (Vec<u64>, bool, usize) {
    let transaction = signed(1, fields);
    let txid = transaction.txid();
    let executed = lab.connect(&[transaction]);
    let receipt = &executed.effects().receipts[0];
    // The coinbase's coin is the last.
    let (_, made) = executed.effects().created.split_last().unwrap();
    for (index, (outpoint, coin)) in made.iter().enumerate() {
        assert_eq!(*outpoint, withdrawal_outpoint(txid, index as u32, &coin.output), "they are numbered");
        assert_eq!(coin.output.lock, lock(4));
    }
    let told: Vec<_> = made.iter().map(|(outpoint, coin)| (*outpoint, coin.output)).collect();
    assert_eq!(withdrawals(txid, &receipt.logs), told);
    (made.iter().map(|(_, coin)| coin.output.amount.grains()).collect(), receipt.success, receipt.logs.len())
}

fn slot(lab: &Lab, address: Address, slot: u64) -> U256 {
    lab.state.storage.get(&(address, U256::from(slot))).copied().unwrap_or_default()
}

// GW-5
#[test]
fn a_contract_withdraws_its_own_money() {
    let twice = then(withdraw(CALL, grains(5)).store(0), withdraw(CALL, grains(7)).store(1));
    let mut lab = lab(twice, program());
    assert_eq!(run(&mut lab), (vec![5, 7], true, 2));
    assert_eq!((slot(&lab, CONTRACT, 0), slot(&lab, CONTRACT, 1)), (U256::ONE, U256::ONE));
    assert_eq!(lab.balance(CONTRACT), grains(988));
    assert_eq!(lab.balance(GATEWAY), U256::ZERO);
}

// GW-5
#[test]
fn no_other_kind_of_call_withdraws() {
    for opcode in [CALLCODE, DELEGATECALL, STATICCALL] {
        let mut lab = lab(withdraw(opcode, grains(5)).push(2).ops(&[ADD]).store(0), program());
        assert_eq!(run(&mut lab), (vec![], true, 0));
        assert_eq!(slot(&lab, CONTRACT, 0), U256::from(2), "the call failed");
        assert_eq!(lab.balance(CONTRACT), grains(1_000));
    }
    // Not even if the value that the code sees comes from the call before.
    let mut lab = lab(withdraw(DELEGATECALL, U256::ZERO).push(2).ops(&[ADD]).store(0), program());
    let paying = Fields { gas_limit: 1_000_000, ..fields(0, CONTRACT, grains(3)) };
    assert_eq!(run_with(&mut lab, paying), (vec![], true, 0));
    assert_eq!((slot(&lab, CONTRACT, 0), lab.balance(CONTRACT)), (U256::from(2), grains(1_003)));
}

// GW-5
#[test]
fn nothing_is_withdrawn_below_a_static_call() {
    let mut lab = lab(call(STATICCALL, OTHER).push(2).ops(&[ADD]).store(0), withdraw(CALL, grains(5)));
    assert_eq!(run(&mut lab), (vec![], true, 0));
    assert_eq!((slot(&lab, CONTRACT, 0), lab.balance(OTHER)), (U256::from(2), grains(1_000)));
}

// GW-2
#[test]
fn a_fraction_of_a_grain_and_more_than_there_is_stay() {
    for wei in [U256::ZERO, U256::ONE, grains(1) + U256::ONE, grains(1_000) - U256::ONE, grains(1_001)] {
        let mut lab = lab(withdraw(CALL, wei).push(2).ops(&[ADD]).store(0), program());
        assert_eq!(run(&mut lab), (vec![], true, 0));
        assert_eq!((slot(&lab, CONTRACT, 0), lab.balance(CONTRACT)), (U256::from(2), grains(1_000)));
    }
}

#[test]
fn a_reverted_frame_takes_its_withdrawals_back_and_numbers_go_on() {
    let inner = then(withdraw(CALL, grains(9)).ops(&[POP]), revert());
    let outer = then(withdraw(CALL, grains(5)).ops(&[POP]), call(CALL, OTHER).ops(&[POP]));
    let mut lab = lab(then(outer, withdraw(CALL, grains(7))), inner);
    assert_eq!(run(&mut lab), (vec![5, 7], true, 2));
    assert_eq!((lab.balance(CONTRACT), lab.balance(OTHER)), (grains(988), grains(1_000)));
}

#[test]
fn a_reverted_transaction_takes_all_back() {
    for end in [revert(), program().ops(&[INVALID])] {
        let mut lab = lab(then(withdraw(CALL, grains(5)), end), program());
        assert_eq!(run(&mut lab), (vec![], false, 0));
        assert_eq!(lab.balance(CONTRACT), grains(1_000));
    }
}

#[test]
fn a_constructor_withdraws_what_the_contract_began_with() {
    let constructor = withdraw(CALL, grains(5));
    let create = |initcode: Program| Fields {
        to: None,
        input: initcode.code(),
        gas_limit: 1_000_000,
        ..fields(0, CONTRACT, grains(8))
    };
    let mut lab = lab(program(), program());
    assert_eq!(run_with(&mut lab, create(constructor.clone())), (vec![5], true, 1));
    assert_eq!(lab.balance(address(1).create(0)), grains(3));

    let failing = Fields { nonce: 1, ..create(then(constructor, revert())) };
    assert_eq!(run_with(&mut lab, failing), (vec![], false, 0));
    assert_eq!(lab.balance(address(1).create(1)), U256::ZERO);
}

#[test]
fn selfdestruct_in_favour_of_the_gateway_makes_no_coin() {
    let mut lab = lab(program().address(GATEWAY).ops(&[SELFDESTRUCT]), program());
    assert_eq!(run(&mut lab), (vec![], true, 0));
    assert_eq!((lab.balance(CONTRACT), lab.balance(GATEWAY)), (U256::ZERO, grains(1_000)));
    // The gateway's own balance is unused: a withdrawal burns its own value only.
    let pay =
        Fields { nonce: 1, input: withdraw_calldata(&lock(4)), gas_limit: 100_000, ..fields(1, GATEWAY, grains(2)) };
    assert_eq!(run_with(&mut lab, pay), (vec![2], true, 1));
    assert_eq!(lab.balance(GATEWAY), grains(1_000));
}

#[test]
fn a_contract_that_withdraws_and_ends_burns_only_the_rest() {
    let initcode = withdraw(CALL, grains(5)).ops(&[ADDRESS, SELFDESTRUCT]).code();
    let create = Fields { to: None, input: initcode, gas_limit: 1_000_000, ..fields(0, CONTRACT, grains(8)) };
    let mut lab = lab(program(), program());
    let before = lab.state.supply();
    let transaction = signed(1, create);
    let executed = lab.connect(&[transaction]);
    let effects = executed.effects();
    assert_eq!(effects.created[0].1.output.amount, Amount::from_grains(5));
    let base_fees = U256::from(effects.tx_gas[1]) * U256::from(GWEI);
    assert_eq!(effects.burned, base_fees + grains(3));
    assert_eq!(lab.state.supply(), before + effects.minted - effects.burned);
}

#[test]
fn contracts_that_call_each_other_withdraw_in_order() {
    // The contract withdraws, calls the other, which calls it again unless it is the second time, and withdraws.
    let again = program().push(0).ops(&[SLOAD]).push(1).ops(&[ADD, DUP1]).store(0).push(1).ops(&[LT]);
    let enter = then(withdraw(CALL, grains(1)).ops(&[POP]), again);
    let len = enter.clone().code().len() as u64;
    let body = call(CALL, OTHER).ops(&[POP]);
    let target = len + 4 + body.clone().code().len() as u64;
    let contract = then(enter.ops(&[PUSH2, (target >> 8) as u8, target as u8, JUMPI]), body).ops(&[JUMPDEST]);
    let other = then(withdraw(CALL, grains(10)).ops(&[POP]), call(CALL, CONTRACT));
    let mut lab = lab(contract, then(other, withdraw(CALL, grains(20)).ops(&[POP])));
    assert_eq!(run(&mut lab), (vec![1, 10, 1, 20], true, 4));
    assert_eq!((lab.balance(CONTRACT), lab.balance(OTHER)), (grains(998), grains(970)));
}

// GW-4
#[test]
fn the_gateway_takes_its_gas_from_the_frame() {
    let limited = |gas: u64| {
        let calldata = withdraw_calldata(&lock(4));
        let arguments = program().memory(&calldata).push(0).push(0).push(calldata.len() as u64).push(0);
        arguments.word(grains(1)).address(GATEWAY).push(gas).ops(&[CALL]).push(2).ops(&[ADD]).store(0)
    };
    // The value's stipend counts.
    for (gas, works) in [(gas::GATEWAY - 2_300, true), (gas::GATEWAY - 2_301, false)] {
        let mut lab = lab(limited(gas), program());
        assert_eq!(run(&mut lab), (if works { vec![1] } else { vec![] }, true, usize::from(works)));
        assert_eq!(slot(&lab, CONTRACT, 0), U256::from(2 + u64::from(works)));
    }
}

// VM-5
#[test]
fn each_block_records_its_parent_for_contracts() {
    let ask = |height: u32| {
        let asked = program().push(u64::from(height)).push(0).ops(&[MSTORE]).push(32).push(0).push(32).push(0).push(0);
        asked.address(HISTORY).ops(&[GAS, CALL, POP]).push(0).ops(&[MLOAD]).store(1)
    };
    let mut lab = lab(ask(999), program());
    lab.account(HISTORY, Account { nonce: 1, ..Account::default() }, Bytes::from_static(&HISTORY_CODE));
    lab.context.parent = BlockHash(std::array::from_fn(|index| index as u8));
    run(&mut lab);
    let shown: U256 = format!("0x{}", lab.context.parent).parse().unwrap();
    assert_eq!((slot(&lab, CONTRACT, 1), slot(&lab, HISTORY, 999)), (shown, shown));

    lab.context.height = 8_192;
    lab.connect(&[]);
    assert_eq!(slot(&lab, HISTORY, 0), shown);
}

// VM-5
#[test]
fn nothing_is_recorded_where_no_history_contract_stands() {
    let mut lab = lab(program(), program());
    lab.connect(&[]);
    assert!(!lab.state.accounts.contains_key(&HISTORY));
}

#[test]
fn a_contract_lives_on_in_later_blocks() {
    let count = program().push(0).ops(&[SLOAD]).push(1).ops(&[ADD]).store(0).code();
    let mut lab = lab(program(), program());
    let create = Fields { to: None, input: deployer(&count), gas_limit: 200_000, ..fields(0, CONTRACT, U256::ZERO) };
    let created = address(1).create(0);
    let call = |nonce| signed(1, Fields { gas_limit: 100_000, ..fields(nonce, created, U256::ZERO) });
    lab.connect(&[signed(1, create), call(1), call(2)]);
    assert_eq!(slot(&lab, created, 0), U256::from(2));
    lab.connect(&[call(3)]);
    assert_eq!(slot(&lab, created, 0), U256::from(3));
    assert_eq!(lab.state.state_root(), rebuilt_state_root(&lab.state));
}
