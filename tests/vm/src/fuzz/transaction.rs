//! Transactions of all types, most of them valid.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::Encodable;
use chain_core::{
    execute::Revision,
    transaction::account::{Authorization, Fees, Fields, address_of},
};
use secp256k1::{Message, SecretKey, ecdsa::RecoverableSignature};
use std::sync::LazyLock;

use super::{
    Case, Step, inputs,
    program::{Pool, initcode},
    rng::Rng,
};

/// The chain of all cases.
pub(super) const CHAIN_ID: u64 = 1;

/// The key of a sender.
pub(super) fn key(number: u8) -> SecretKey {
    SecretKey::from_secret_bytes([number + 1; 32]).expect("the number is below the order")
}

/// The account of a sender.
pub(super) fn sender(number: u8) -> Address {
    static ACCOUNTS: LazyLock<[Address; KEYS as usize]> =
        LazyLock::new(|| std::array::from_fn(|number| address_of(&key(number as u8).public_key())));
    ACCOUNTS[usize::from(number)]
}

/// How many keys there are; the first few send.
pub(super) const KEYS: u8 = 5;
const SENDERS: usize = 3;

/// A call by the first sender that pays 10 wei for a unit of gas.
pub(super) fn plain_call(to: Address, gas_limit: u64, input: &[u8]) -> Fields {
    Fields {
        tx_type: 0,
        chain_id: CHAIN_ID,
        nonce: 0,
        fees: Fees::Legacy { gas_price: U256::from(10) },
        gas_limit,
        to: Some(to),
        value: U256::ZERO,
        input: Bytes::copy_from_slice(input),
        access_list: Vec::new(),
        authorizations: Vec::new(),
    }
}

/// The next transaction of a case.
pub(super) fn step(rng: &mut Rng, pool: &Pool, case: &Case) -> Step {
    let sender = sender(rng.below(SENDERS) as u8);
    let sent = case.steps.iter().filter(|step| step.sender == sender).count() as u64;
    let nonce = case.world.0.get(&sender).map_or(0, |holding| holding.nonce).saturating_add(sent);
    let osaka = pool.revision == Revision::Osaka;
    let tx_type = match rng.weighed(&[40, 20, 25, if osaka { 20 } else { 1 }]) {
        3 => 4,
        other => other as u8,
    };
    let to = recipient(rng, pool, tx_type);
    let mut fields = Fields {
        tx_type,
        chain_id: CHAIN_ID,
        nonce: if rng.once_in(200) { nonce.wrapping_add(1) } else { nonce },
        fees: fees(rng, tx_type, case.environment.base_fee),
        gas_limit: 0,
        to,
        value: value(rng),
        input: input(rng, pool, to),
        access_list: if tx_type > 0 { access_list(rng, pool) } else { Vec::new() },
        authorizations: if tx_type == 4 { authorizations(rng, pool, case, sender) } else { Vec::new() },
    };
    fields.gas_limit = gas_limit(rng, &fields);
    Step { sender, fields }
}

fn recipient(rng: &mut Rng, pool: &Pool, tx_type: u8) -> Option<Address> {
    match rng.weighed(&[70, if tx_type == 4 { 0 } else { 14 }, 12, 4]) {
        0 => Some(*rng.pick(&pool.contracts)),
        1 => None,
        2 => Some(*rng.pick(&pool.accounts)),
        _ => Some(Address::left_padding_from(&inputs::number(rng).to_be_bytes())),
    }
}

fn fees(rng: &mut Rng, tx_type: u8, base_fee: u64) -> Fees {
    let base = U256::from(base_fee);
    let above = |rng: &mut Rng| match rng.once_in(100) {
        true => base.saturating_sub(U256::ONE),
        false => base + U256::from(rng.below(12)),
    };
    if tx_type < 2 {
        return Fees::Legacy { gas_price: above(rng) };
    }
    let max_fee = above(rng);
    let most = if rng.once_in(100) { max_fee + U256::ONE } else { max_fee };
    let max_priority_fee = most.min(U256::from(rng.below(20)));
    Fees::Dynamic { max_fee, max_priority_fee }
}

fn value(rng: &mut Rng) -> U256 {
    match rng.below(60) {
        0 => rng.word(),
        1..=20 => U256::from(rng.below(5_000)),
        _ => U256::ZERO,
    }
}

fn input(rng: &mut Rng, pool: &Pool, to: Option<Address>) -> Bytes {
    let Some(to) = to else { return initcode(rng, pool, 2).into() };
    let number = U256::from_be_slice(to.as_slice());
    if let Ok(number) = u16::try_from(number) {
        return inputs::input(rng, number).into();
    }
    let words = rng.below(5);
    let mut input: Vec<u8> = (0..words).flat_map(|_| rng.word().to_be_bytes::<32>()).collect();
    if rng.percent(20) {
        let more = rng.below(500);
        input.extend(rng.bytes(more));
    }
    input.into()
}

fn access_list(rng: &mut Rng, pool: &Pool) -> Vec<(Address, Vec<B256>)> {
    let count = rng.below(4);
    let entry = |rng: &mut Rng| {
        let slots = rng.below(4);
        let slots = (0..slots).map(|_| B256::from(U256::from(rng.below(5)))).collect();
        (*rng.pick(&pool.accounts), slots)
    };
    (0..count).map(|_| entry(rng)).collect()
}

fn authorizations(rng: &mut Rng, pool: &Pool, case: &Case, sent_by: Address) -> Vec<Authorization> {
    let count = if rng.once_in(40) { 0 } else { 1 + rng.below(3) };
    (0..count).map(|_| authorization(rng, pool, case, sent_by)).collect()
}

fn authorization(rng: &mut Rng, pool: &Pool, case: &Case, sent_by: Address) -> Authorization {
    let authority = rng.below(KEYS.into()) as u8;
    let address = sender(authority);
    let steps = case.steps.iter().filter(|step| step.sender == address).count() as u64;
    let before = case.world.0.get(&address).map_or(0, |holding| holding.nonce);
    let nonce = before.saturating_add(steps + u64::from(address == sent_by));
    let chain_id = *rng.pick(&[0, CHAIN_ID, CHAIN_ID, CHAIN_ID + 1]);
    let nonce = match rng.below(20) {
        0 => u64::MAX,
        1 => nonce.wrapping_add(1),
        _ => nonce,
    };
    let target = if rng.once_in(8) { Address::ZERO } else { *rng.pick(&pool.accounts) };
    let mut authorization = sign(authority, chain_id, target, nonce);
    match rng.below(25) {
        0 => authorization.y_parity ^= 1,
        1 => authorization.y_parity = 27,
        2 => authorization.s = rng.word(),
        3 => authorization.r = rng.word(),
        _ => {}
    }
    authorization
}

fn sign(authority: u8, chain_id: u64, address: Address, nonce: u64) -> Authorization {
    let mut message = vec![0x05];
    let fields: [&dyn Encodable; 3] = [&chain_id, &address, &nonce];
    let payload_length = fields.iter().map(|field| field.length()).sum();
    alloy_rlp::Header { list: true, payload_length }.encode(&mut message);
    fields.iter().for_each(|field| field.encode(&mut message));
    let hash = Message::from_digest(keccak256(&message).0);
    let signature = RecoverableSignature::sign_ecdsa_recoverable(hash, &key(authority));
    let (parity, bytes) = signature.serialize_compact();
    Authorization {
        chain_id: U256::from(chain_id),
        address,
        nonce,
        y_parity: parity.to_u8(),
        r: U256::from_be_slice(&bytes[..32]),
        s: U256::from_be_slice(&bytes[32..]),
    }
}

/// About what it takes, and then some gas to run.
fn gas_limit(rng: &mut Rng, fields: &Fields) -> u64 {
    let slots: usize = fields.access_list.iter().map(|(_, slots)| slots.len()).sum();
    let creation = if fields.to.is_none() { 32_000 + 2 * fields.input.len().div_ceil(32) } else { 0 };
    let zeros = fields.input.iter().filter(|byte| **byte == 0).count();
    let calldata = 16 * fields.input.len() - 12 * zeros;
    let lists = 2_400 * fields.access_list.len() + 1_900 * slots + 25_000 * fields.authorizations.len();
    let least = 21_000 + calldata + creation + lists;
    let gas = match rng.below(100) {
        0 => least.saturating_sub(1 + rng.below(2_000)),
        1 => 16_777_217,
        2..=7 => least + rng.below(3_000),
        8..=25 => least + rng.below(60_000),
        _ => least + 30_000 + rng.below(400_000),
    };
    gas as u64
}
