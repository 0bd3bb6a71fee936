//! New contracts, and their end.

use alloy_primitives::{Address, Bytes, U256, keccak256};

use super::{
    assembler::{deployer, program},
    kit::*,
};
use crate::{
    gas::MAX_INITCODE,
    state::Account,
    transaction::account::Fields,
    vm::{Halt, Status, opcode::*},
};

/// Initcode that returns this many zero bytes.
fn zeros(len: usize) -> Bytes {
    program().push(len as u64).push(0).ops(&[RETURN]).code()
}

/// A transaction that creates a contract.
fn creation(kit: &Kit, initcode: Bytes) -> Ran {
    kit.transact(&Fields { input: initcode, ..kit.fields(None) })
}

#[test]
fn a_transaction_makes_a_contract() {
    let kit = Kit::new();
    let code = program().push(7).return_top().code();
    let ran = creation(&kit, deployer(&code));
    let address = SENDER.create(0);
    assert_eq!((ran.outcome.status, ran.outcome.created), (Status::Success, Some(address)));
    assert_eq!((ran.outcome.output.clone(), ran.code(address)), (code.clone(), code));
    assert_eq!(ran.account(address).flatten().unwrap().nonce, 1);
    let failed = creation(&kit, Bytes::from(vec![INVALID]));
    assert_eq!((failed.outcome.created, failed.account(address)), (None, None));
    assert_eq!(failed.account(SENDER).flatten().unwrap().nonce, 1, "the nonce counts all the same");
}

#[test]
fn create_and_create2_name_the_contract_as_ethereum_does() {
    let mut kit = Kit::new();
    let word = |address: Address| U256::from_be_bytes(address.into_word().0);
    let initcode = deployer(&[STOP]);
    assert_eq!(kit.word(program().create(&initcode, 0)), word(at(0xca).create(1)));
    let salted = program().memory(&initcode).push(9).push(initcode.len() as u64).push(0).push(0).ops(&[CREATE2]);
    let expected = at(0xca).create2(U256::from(9).to_be_bytes::<32>(), keccak256(&initcode));
    assert_eq!(kit.word(salted), word(expected));
}

// VM-11
#[test]
fn initcode_has_a_limit_and_a_price() {
    let mut kit = Kit::new();
    let create = |len: usize| program().push(len as u64).push(0).push(0).ops(&[CREATE]);
    assert_eq!(kit.status(create(MAX_INITCODE)), Status::Success);
    assert_eq!(kit.status(create(MAX_INITCODE + 1)), Status::Halt(Halt::InitcodeTooLong));
    // Two gas and three of memory for each word.
    assert_eq!(kit.gas(create(32 * 100)) - kit.gas(create(32 * 99)), 5 + 100 * 100 / 512 - 99 * 99 / 512);
}

// VM-12
#[test]
fn an_address_that_is_taken_gets_no_contract() {
    let new = at(0xca).create(1);
    let make = program().create(&deployer(&[STOP]), 0).store(0);
    let code = Bytes::from(vec![STOP]);
    let balance_only = (0, U256::ONE, Bytes::new(), &[][..]);
    let taken =
        [(1, U256::ZERO, Bytes::new(), &[][..]), (0, U256::ZERO, code, &[]), (0, U256::ZERO, Bytes::new(), &[(1, 1)])];
    for (account, is_taken) in taken.into_iter().map(|account| (account, true)).chain([(balance_only, false)]) {
        let mut kit = Kit::new();
        let (nonce, balance, code, storage) = account;
        kit.account(new, nonce, balance, code, storage);
        let ran = kit.run(make.clone());
        assert_eq!(ran.slot(at(0xca), 0).is_some(), !is_taken);
        assert_eq!(ran.account(at(0xca)).flatten().unwrap().nonce, 2);
        assert_eq!(ran.outcome.gas_used > 9_000_000, is_taken, "the gas is gone");
    }
    let mut kit = Kit::new();
    kit.account(SENDER.create(0), 1, U256::ZERO, Bytes::new(), &[]);
    let refused = creation(&kit, Bytes::new()).outcome;
    assert_eq!((refused.status, refused.gas_used), (Status::Halt(Halt::CreateCollision), kit.gas_limit));
}

// VM-12
#[test]
fn an_account_of_the_highest_nonce_makes_nothing() {
    let mut kit = Kit::new();
    let make = program().create(&deployer(&[STOP]), 0).return_top().code();
    for (nonce, makes) in [(u64::MAX - 1, true), (u64::MAX, false)] {
        kit.account(at(1), nonce, U256::ZERO, make.clone(), &[]);
        let ran = kit.call(at(1));
        assert_eq!(!ran.word().is_zero(), makes);
        assert!(ran.outcome.gas_used < 100_000);
    }
}

// VM-13
#[test]
fn new_code_is_short_paid_for_and_does_not_begin_with_0xef() {
    let mut kit = Kit::new();
    let status = |kit: &Kit, initcode| creation(kit, initcode).outcome.status;
    assert_eq!(status(&kit, zeros(24_576)), Status::Success);
    assert_eq!(status(&kit, zeros(24_577)), Status::Halt(Halt::CodeTooLong));
    assert_eq!(status(&kit, deployer(&[0xef])), Status::Halt(Halt::CodeBeginsWithEf));
    assert_eq!(status(&kit, deployer(&[0xee, 0xef])), Status::Success);
    let gas = |kit: &Kit, len| creation(kit, zeros(len)).outcome.gas_used;
    assert_eq!(gas(&kit, 200) - gas(&kit, 199), 200);
    kit.gas_limit = gas(&kit, 200) - 1;
    assert_eq!(status(&kit, zeros(200)), Status::Halt(Halt::OutOfGas));
    kit.gas_limit += 1;
    assert_eq!(status(&kit, zeros(200)), Status::Success);
}

/// Initcode that destroys its contract in favour of an address.
fn destroy(beneficiary: Address) -> Bytes {
    program().address(beneficiary).ops(&[SELFDESTRUCT]).code()
}

// VM-15
#[test]
fn selfdestruct_ends_only_what_the_same_transaction_made() {
    let mut kit = Kit::new();
    kit.account(at(1), 1, U256::from(50), destroy(at(2)), &[(1, 1)]);
    let old = kit.call(at(1));
    let left = old.account(at(1)).flatten().unwrap();
    assert_eq!((left.nonce, left.balance, old.slot(at(1), 1)), (1, U256::ZERO, None));
    assert_eq!(old.account(at(2)).flatten().unwrap().balance, U256::from(50));

    let new = at(0xca).create(1);
    let made = kit.run(program().create(&destroy(at(2)), 7));
    assert_eq!(made.account(new), None, "it never was");
    assert_eq!(made.account(at(2)).flatten().unwrap().balance, U256::from(7));
}

// VM-15
#[test]
fn what_a_destroyed_contract_still_owns_is_burned() {
    let mut kit = Kit::new();
    let new = at(0xca).create(1);
    let to_itself = program().ops(&[ADDRESS, SELFDESTRUCT]).code();
    let balance_after = program().create(&to_itself, 7).ops(&[POP]).address(new).ops(&[BALANCE]);
    assert_eq!(kit.word(balance_after), U256::ZERO);
    let paid_later = program().create(&destroy(at(2)), 7).ops(&[POP]).call(CALL, new, U256::from(3), 0);
    let ran = kit.run(paid_later);
    assert_eq!(ran.account(new), None);
    assert_eq!(ran.account(at(0xca)).flatten().unwrap().balance, U256::from(990));

    kit.account(at(1), 1, U256::from(50), to_itself, &[]);
    let kept = kit.call(at(1));
    assert_eq!(kept.account(at(1)), None, "an old contract keeps what it sends to itself");
}

// VM-15
#[test]
fn a_revert_takes_the_end_back() {
    let mut kit = Kit::new();
    let runtime = program().ops(&[ADDRESS, SELFDESTRUCT]).code();
    let new = at(1).create(1);
    let inner = program().call(CALL, new, U256::ZERO, 0).push(0).push(0).ops(&[REVERT]);
    kit.contract(2, inner);
    kit.contract(1, program().create(&deployer(&runtime), 9).ops(&[POP]).call(CALL, at(2), U256::ZERO, 0));
    let ran = kit.call(at(1));
    let expected = Account { nonce: 1, balance: U256::from(9), code_hash: keccak256(&runtime), ..Account::default() };
    assert_eq!(ran.account(new), Some(Some(expected)));
}
