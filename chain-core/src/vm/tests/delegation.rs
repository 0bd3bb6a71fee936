//! Set-code transactions.

use alloy_primitives::{Address, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_rlp::Encodable;
use secp256k1::{Message, SecretKey, ecdsa::RecoverableSignature};

use super::{assembler::program, kit::*};
use crate::{
    transaction::account::{Authorization, Fields, address_of},
    units::Gas,
    vm::{Status, delegation, opcode::*},
};

fn key(number: u8) -> SecretKey {
    SecretKey::from_secret_bytes([number; 32]).unwrap()
}

fn authority(number: u8) -> Address {
    address_of(&key(number).public_key())
}

/// What the key of the number signs.
pub(crate) fn authorize(number: u8, chain_id: u64, address: Address, nonce: u64) -> Authorization {
    let mut signed = vec![5];
    let mut items = Vec::new();
    U256::from(chain_id).encode(&mut items);
    address.encode(&mut items);
    nonce.encode(&mut items);
    alloy_rlp::Header { list: true, payload_length: items.len() }.encode(&mut signed);
    signed.extend(items);
    let message = Message::from_digest(keccak256(signed).0);
    let (parity, bytes) = RecoverableSignature::sign_ecdsa_recoverable(message, &key(number)).serialize_compact();
    Authorization {
        chain_id: U256::from(chain_id),
        address,
        nonce,
        y_parity: u8::from(parity == secp256k1::ecdsa::RecoveryId::One),
        r: U256::from_be_slice(&bytes[..32]),
        s: U256::from_be_slice(&bytes[32..]),
    }
}

fn set_code(kit: &Kit, to: Address, authorizations: Vec<Authorization>) -> Ran {
    kit.transact(&Fields { tx_type: 4, authorizations, ..kit.fields(Some(to)) })
}

// VM-14
#[test]
fn an_authorization_sets_and_clears_a_delegation() {
    let mut kit = Kit::new();
    let set = set_code(&kit, at(1), vec![authorize(1, 7, at(2), 0)]);
    let account = set.account(authority(1)).flatten().unwrap();
    assert_eq!((account.nonce, set.code(authority(1))), (1, delegation(&at(2))));
    assert_eq!(set.outcome.gas_used, 21_000 + 25_000);

    kit.account(authority(1), 1, U256::ZERO, delegation(&at(2)), &[]);
    let cleared = set_code(&kit, at(1), vec![authorize(1, 0, Address::ZERO, 1)]);
    let account = cleared.account(authority(1)).flatten().unwrap();
    assert_eq!((account.nonce, account.code_hash), (2, KECCAK256_EMPTY));
    // An authority that exists gets half of it back, as far as a fifth of all goes.
    assert_eq!(cleared.outcome.gas_used, 46_000 - 46_000 / 5);
}

// VM-14
#[test]
fn an_authorization_that_does_not_hold_is_passed_over() {
    let mut kit = Kit::new();
    kit.account(authority(2), 0, U256::ZERO, Bytes::from(vec![STOP]), &[]);
    let good = authorize(1, 7, at(2), 0);
    let bad = [
        authorize(1, 8, at(2), 0),
        authorize(1, 7, at(2), 1),
        authorize(1, 7, at(2), u64::MAX),
        authorize(2, 7, at(2), 0),
        Authorization { y_parity: 2, ..good.clone() },
        Authorization { r: U256::ZERO, ..good.clone() },
        Authorization { s: U256::MAX - good.s, ..good.clone() },
    ];
    for authorization in bad {
        let ran = set_code(&kit, at(1), vec![authorization]);
        assert_eq!((ran.outcome.status, ran.outcome.gas_used), (Status::Success, 46_000));
        assert_eq!((ran.account(authority(1)), ran.account(authority(2))), (None, None));
    }
    let twice = set_code(&kit, at(1), vec![good, authorize(1, 7, at(3), 1)]);
    assert_eq!(twice.code(authority(1)), delegation(&at(3)), "the last one holds");
}

// VM-14
#[test]
fn calls_follow_a_delegation_once_and_pay_for_it() {
    let mut kit = Kit::new();
    kit.contract(1, program().ops(&[ADDRESS]).return_top());
    kit.account(at(2), 1, U256::ZERO, delegation(&at(1)), &[]);
    kit.account(at(3), 1, U256::ZERO, delegation(&at(2)), &[]);
    let direct = kit.call(at(2));
    assert_eq!(direct.word(), U256::from_be_bytes(at(2).into_word().0), "it acts on the account that delegates");
    let twice = kit.call(at(3)).outcome;
    assert_ne!(twice.status, Status::Success, "0xef is no instruction");
    let call = |number| program().call(CALL, at(number), U256::ZERO, 0).ops(&[POP]);
    let gas: [Gas; 2] = [call(1), call(2)].map(|program| kit.gas(program));
    assert_eq!(gas[1] - gas[0], 2_600);
    let warm = program().address(at(1)).ops(&[BALANCE, POP]);
    assert_eq!(kit.gas(warm.ops(&call(2).code())), gas[1] - 2_500 + 3 + 2_600 + 2);
}

// VM-14
#[test]
fn other_code_sees_the_delegation_itself() {
    let mut kit = Kit::new();
    kit.contract(1, program().ops(&[STOP; 100]));
    kit.account(at(2), 1, U256::ZERO, delegation(&at(1)), &[]);
    assert_eq!(kit.word(program().address(at(2)).ops(&[EXTCODESIZE])), U256::from(23));
    let hash = kit.word(program().address(at(2)).ops(&[EXTCODEHASH]));
    assert_eq!(hash, U256::from_be_bytes(keccak256(delegation(&at(1))).0));
}

// VM-2, VM-14
#[test]
fn a_delegation_to_a_precompiled_contract_or_the_gateway_runs_neither() {
    let mut kit = Kit::new();
    kit.account(at(2), 1, U256::ZERO, delegation(&Address::left_padding_from(&[4])), &[]);
    let to_identity = Fields { input: vec![1, 2, 3].into(), ..kit.fields(Some(at(2))) };
    let ran = kit.transact(&to_identity).outcome;
    assert_eq!((ran.status, ran.output), (Status::Success, Bytes::new()));

    let gateway = crate::execute::GATEWAY;
    kit.account(gateway, 1, U256::ZERO, Bytes::from(vec![INVALID]), &[]);
    kit.account(at(3), 1, U256::ZERO, delegation(&gateway), &[]);
    assert_eq!(kit.call(at(3)).outcome.status, Status::Halt(crate::vm::Halt::InvalidOpcode(INVALID)));
}
