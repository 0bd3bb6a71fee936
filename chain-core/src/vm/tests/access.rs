//! Warm and cold access, and its price.

use alloy_primitives::{Address, B256, U256};

use super::{assembler::program, kit::*};
use crate::{
    transaction::account::Fields,
    units::Gas,
    vm::{Status, opcode::*},
};

const COLD: Gas = 3 + 2_600;
const WARM: Gas = 3 + 100;

// VM-2, VM-6
#[test]
fn whoever_takes_part_is_accessed_before_the_first_instruction() {
    let mut kit = Kit::new();
    let balance = |address| program().address(address).ops(&[BALANCE]);
    assert_eq!(kit.gas(balance(at(1))), COLD);
    let precompile = Address::left_padding_from(&[1]);
    // There is no contract at 0x0a, but it is warm as on Ethereum.
    let kzg = Address::left_padding_from(&[0x0a]);
    for known in [SENDER, BENEFICIARY, at(0xca), precompile, kzg, Address::left_padding_from(&[1, 0])] {
        // A number of few bytes is pushed for the same gas, but zero.
        assert_eq!(kit.gas(balance(known)), WARM, "{known}");
    }
    assert_eq!(kit.gas(balance(at(1)).ops(&[POP]).address(at(1)).ops(&[EXTCODEHASH])), COLD + 2 + WARM);
}

// VM-2
#[test]
fn the_access_list_is_accessed_and_paid_for() {
    let mut kit = Kit::new();
    let target = kit.contract(0xca, program().push(5).ops(&[SLOAD]).address(at(1)).ops(&[BALANCE]));
    let plain = kit.fields(Some(target));
    let used = |fields: &Fields| kit.transact(fields).outcome.gas_used - 21_000;
    assert_eq!(used(&plain), 3 + 2_100 + COLD);
    let slot = B256::from(U256::from(5));
    let listed = Fields { access_list: vec![(target, vec![slot]), (at(1), Vec::new())], ..plain };
    assert_eq!(used(&listed), 2 * 2_400 + 1_900 + 3 + 100 + WARM);
}

// VM-6
#[test]
fn a_revert_takes_the_access_back() {
    let mut kit = Kit::new();
    let look = program().address(at(9)).ops(&[BALANCE]).push(5).ops(&[SLOAD]);
    let [keeps, reverts] = [look.clone(), look.clone().push(0).push(0).ops(&[REVERT])].map(|inner| {
        kit.contract(1, inner);
        let outer = program().call(DELEGATECALL, at(1), U256::ZERO, 0).ops(&[POP, GAS]);
        let outer = outer.address(at(9)).ops(&[BALANCE, POP]).push(5).ops(&[SLOAD, POP, GAS, SWAP1, SUB]);
        kit.word(outer)
    });
    assert_eq!(reverts - keeps, U256::from(2_500 + 2_000));
}

// VM-3
#[test]
fn at_most_a_fifth_of_the_gas_comes_back() {
    let mut kit = Kit::new();
    let slots: Vec<_> = (0..20).map(|slot| (slot, 1)).collect();
    let clear = |count: u64| (0..count).fold(program(), |program, slot| program.push(0).store(slot));
    for count in [1, 20] {
        kit.account(at(1), 1, U256::ZERO, clear(count).code(), &slots);
        // The push of slot 0 is PUSH0, which costs one less.
        let spent = 21_000 + 5_000 * count + 2 + 3 * count - 1 + 2 * (count - 1);
        let refund = (4_800 * count).min(spent / 5);
        let ran = kit.call(at(1));
        assert_eq!(ran.outcome.status, Status::Success);
        assert_eq!(ran.outcome.gas_used, spent - refund, "{count} slots");
    }
}

// VM-3
#[test]
fn calldata_has_a_least_price() {
    let kit = Kit::new();
    let input = vec![1; 1_000];
    let idle = Fields { input: input.into(), ..kit.fields(Some(at(1))) };
    assert_eq!(kit.transact(&idle).outcome.gas_used, 21_000 + 40 * 1_000);
}
