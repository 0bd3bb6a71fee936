//! Storage, lasting and transient, and where it must not be written.

use alloy_primitives::U256;

use super::{assembler::program, kit::*};
use crate::vm::{Halt, Status, opcode::*};

// VM-9
#[test]
fn a_write_costs_and_refunds_by_original_current_and_new_value() {
    let mut kit = Kit::new();
    // Original value, values written in turn, gas of the writes with cold access, refund: the table of EIP-3529.
    let cases: [(u64, &[u64], u64, u64); 16] = [
        (0, &[0, 0], 2_300, 0),
        (0, &[0, 1], 22_200, 0),
        (0, &[1, 0], 22_200, 19_900),
        (0, &[1, 2], 22_200, 0),
        (0, &[1, 1], 22_200, 0),
        (1, &[0, 0], 5_100, 4_800),
        (1, &[0, 1], 5_100, 2_800),
        (1, &[0, 2], 5_100, 0),
        (1, &[2, 0], 5_100, 4_800),
        (1, &[2, 3], 5_100, 0),
        (1, &[2, 1], 5_100, 2_800),
        (1, &[2, 2], 5_100, 0),
        (1, &[1, 0], 5_100, 4_800),
        (1, &[1, 2], 5_100, 0),
        (0, &[1, 0, 1], 42_200, 19_900),
        (1, &[0, 1, 0], 8_000, 7_600),
    ];
    for (original, writes, gas, refund) in cases {
        let code = writes.iter().fold(program(), |program, value| program.push(*value).store(7)).code();
        kit.account(at(1), 1, U256::ZERO, code, &[(7, original)]);
        // PUSH0 costs one less than other pushes.
        let pushes: u64 = writes.iter().map(|value| if *value == 0 { 5 } else { 6 }).sum();
        let spent = 21_000 + pushes + gas;
        let ran = kit.call(at(1));
        assert_eq!(ran.outcome.gas_used, spent - refund.min(spent / 5), "{original} -> {writes:?}");
    }
}

// VM-9
#[test]
fn a_write_needs_more_than_the_stipend() {
    let mut kit = Kit::new();
    let contract = kit.contract(1, program().push(1).store(7).push(1).store(7));
    let both = kit.call(contract).outcome.gas_used;
    // The second write costs 100, but more than 2,300 must be left before it.
    kit.gas_limit = both + 2_300 - 100;
    assert_eq!(kit.call(contract).outcome.status, Status::Halt(Halt::OutOfGas));
    kit.gas_limit += 1;
    assert_eq!(kit.call(contract).outcome.status, Status::Success);
}

// VM-1
#[test]
fn transient_storage_is_of_the_account_and_ends_with_the_transaction() {
    let mut kit = Kit::new();
    kit.contract(1, program().push(8).push(5).ops(&[TSTORE]));
    let read = |opcode| program().call(opcode, at(1), U256::ZERO, 0).push(5).ops(&[TLOAD]);
    assert_eq!(kit.word(read(CALL)), U256::ZERO);
    assert_eq!(kit.word(read(DELEGATECALL)), U256::from(8));
    kit.contract(1, program().push(8).push(5).ops(&[TSTORE]).push(0).push(0).ops(&[REVERT]));
    assert_eq!(kit.word(read(DELEGATECALL)), U256::ZERO);
}

// VM-16
#[test]
fn nothing_is_written_within_a_static_call() {
    let mut kit = Kit::new();
    let send = |opcode, value: u64| program().call(opcode, at(9), U256::from(value), 0);
    let pushed = |opcode| program().ops(&[PUSH0; 6]).ops(&[opcode]);
    let mut writes: Vec<_> =
        [SSTORE, TSTORE, LOG0, LOG1, LOG2, LOG3, LOG4, CREATE, CREATE2, SELFDESTRUCT].map(pushed).into();
    writes.push(send(CALL, 1));
    for write in writes {
        kit.contract(1, write.clone().push(1).return_top());
        kit.contract(2, program().call(CALL, at(1), U256::ZERO, 0).return_top());
        assert_eq!(kit.word(program().call(STATICCALL, at(1), U256::ZERO, 0)), U256::ZERO);
        let below = program().call(STATICCALL, at(2), U256::ZERO, 0).ops(&[POP]);
        let below = below.push(32).push(0).push(0).ops(&[RETURNDATACOPY]).push(0).ops(&[MLOAD]);
        assert_eq!(kit.word(below.clone()), U256::ZERO, "nor in a call below");
        kit.contract(1, program().push(1).return_top());
        assert_eq!(kit.word(below), U256::ONE);
    }
    kit.contract(1, send(CALL, 0).push(1).return_top());
    assert_eq!(kit.word(program().call(STATICCALL, at(1), U256::ZERO, 0)), U256::ONE, "a call without value is none");
    kit.contract(1, send(CALLCODE, 1).push(1).return_top());
    assert_eq!(kit.word(program().call(STATICCALL, at(1), U256::ZERO, 0)), U256::ONE, "nor does CALLCODE pay");
}
