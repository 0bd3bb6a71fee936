//! Calls: gas, depth, storage context, return data.

use alloy_primitives::U256;

use super::{assembler::program, kit::*};
use crate::{
    units::Gas,
    vm::{Halt, Status, opcode::*},
};

// VM-10
#[test]
fn a_call_gets_all_but_a_64th() {
    let mut kit = Kit::new();
    kit.contract(1, program().ops(&[GAS]).return_top());
    let most = |before: Gas| {
        let left = before - 3 - 2_600;
        left - left / 64 - 2
    };
    let all = program().push(32).push(0).push(0).push(0).push(0).address(at(1)).ops(&[GAS, CALL, POP]);
    let before = kit.gas_limit - 21_000 - 3 - 4 * 2 - 3 - 2;
    assert_eq!(kit.word(all.push(0).ops(&[MLOAD])), U256::from(most(before)));
    let few = program().push(32).push(0).push(0).push(0).push(0).address(at(1)).push(1_000).ops(&[CALL, POP]);
    assert_eq!(kit.word(few.push(0).ops(&[MLOAD])), U256::from(998));
}

/// Counts its frames in slot 0 and calls itself.
fn recursion() -> crate::vm::tests::assembler::Program {
    program().push(0).ops(&[SLOAD]).push(1).ops(&[ADD]).store(0).call(CALL, at(0xca), U256::ZERO, 0)
}

// VM-10
#[test]
fn at_most_1024_frames_wait_for_another_on_a_small_stack() {
    let deep = || {
        let mut kit = Kit::new();
        kit.gas_limit = 1 << 40;
        let ran = kit.run(recursion());
        assert_eq!(ran.outcome.status, Status::Success);
        assert_eq!(ran.slot(at(0xca), 0), Some(U256::from(1_025)));
    };
    std::thread::Builder::new().stack_size(128 << 10).spawn(deep).unwrap().join().unwrap();
}

// VM-10
#[test]
fn a_call_that_cannot_begin_gives_its_gas_back() {
    let mut kit = Kit::new();
    kit.contract(1, program().ops(&[INVALID]));
    let send = |value: u64| program().call(CALL, at(1), U256::from(value), 0);
    let poor = kit.gas(send(1_001).ops(&[POP]));
    assert!(poor < 40_000, "{poor}");
    assert_eq!(kit.word(send(1_001)), U256::ZERO);
    assert!(kit.gas(send(1_000).ops(&[POP])) > 9_000_000, "it began and broke off");
}

#[test]
fn value_costs_more_for_an_account_that_does_not_exist_and_carries_a_stipend() {
    let mut kit = Kit::new();
    kit.account(at(1), 0, U256::ONE, Default::default(), &[]);
    let send = |number: u8, value: u64| program().call(CALL, at(number), U256::from(value), 0).ops(&[POP]);
    let base = kit.gas(send(1, 0));
    // The push of a value costs one more than that of zero; an account without code returns the stipend.
    assert_eq!(kit.gas(send(1, 1)), base + 1 + 9_000 - 2_300);
    assert_eq!(kit.gas(send(2, 1)), base + 1 + 9_000 - 2_300 + 25_000);
    assert_eq!(kit.gas(send(2, 0)), base);
}

#[test]
fn each_kind_of_call_has_its_own_caller_value_and_storage() {
    let mut kit = Kit::new();
    kit.contract(1, program().ops(&[CALLER]).store(1).ops(&[CALLVALUE]).store(2).ops(&[ADDRESS]).store(3));
    let word = |address: alloy_primitives::Address| Some(U256::from_be_bytes(address.into_word().0));
    let five = Some(U256::from(5));
    for (opcode, value, target, caller, seen) in [
        (CALL, 5, at(1), at(0xca), five),
        (CALLCODE, 5, at(0xca), at(0xca), five),
        (DELEGATECALL, 0, at(0xca), SENDER, None),
    ] {
        let ran = kit.run(program().call(opcode, at(1), U256::from(value), 0));
        assert_eq!((ran.slot(target, 1), ran.slot(target, 2), ran.slot(target, 3)), (word(caller), seen, word(target)));
        let paid = ran.account(at(1)).flatten().map(|account| account.balance);
        assert_eq!(paid, (opcode == CALL).then(|| U256::from(1_005)));
    }
}

// VM-1
#[test]
fn a_frame_that_fails_takes_back_all_it_did_and_its_caller_goes_on() {
    let mut kit = Kit::new();
    let writes = program().push(1).store(1).push(0).push(0).ops(&[LOG0]).call(CALL, at(2), U256::from(5), 0);
    let ends: [(&[u8], Status); 3] = [
        (&[STOP], Status::Success),
        (&[PUSH0, PUSH0, REVERT], Status::Revert),
        (&[INVALID], Status::Halt(Halt::InvalidOpcode(INVALID))),
    ];
    for (end, status) in ends {
        kit.contract(1, writes.clone().ops(end));
        let succeeds = status == Status::Success;
        let ran = kit.run(program().call(CALL, at(1), U256::ZERO, 0).store(3));
        assert_eq!(ran.slot(at(0xca), 3), succeeds.then_some(U256::ONE));
        assert_eq!(ran.slot(at(1), 1), succeeds.then_some(U256::ONE));
        assert_eq!(ran.outcome.logs.len(), usize::from(succeeds));
        assert_eq!(ran.account(at(2)).is_some(), succeeds);
        assert_eq!(kit.call(at(1)).outcome.status, status);
    }
}

// VM-17
#[test]
fn a_precompiled_contract_is_called_as_any_other() {
    let mut kit = Kit::new();
    let identity = alloy_primitives::Address::left_padding_from(&[4]);
    let call = program().push(77).push(0).ops(&[MSTORE]).call(CALL, identity, U256::from(3), 32).ops(&[POP]);
    let copied = call.push(32).push(0).push(0).ops(&[RETURNDATACOPY]).push(0).ops(&[MLOAD]);
    let ran = kit.run(copied.return_top());
    assert_eq!(ran.word(), U256::from(77));
    assert_eq!(ran.account(identity).flatten().unwrap().balance, U256::from(3));
}
