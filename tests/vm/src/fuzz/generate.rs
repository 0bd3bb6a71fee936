//! A case from a seed.

use alloy_primitives::{Address, Bytes, U256};
use chain_core::{
    execute::{Environment, Revision},
    gas::MAX_TRANSACTION_GAS,
};

use super::{
    Case,
    mutate::mutate,
    program::{Pool, runtime},
    rng::Rng,
    transaction::{CHAIN_ID, KEYS, sender, step},
    world::{Holding, World},
};

const NUMBER: u64 = 1_000;

/// Where the contracts are.
fn contract(number: usize) -> Address {
    Address::left_padding_from(&[0xc0, 0, number as u8 + 1])
}

/// The case of a seed.
pub fn generate(seed: u64) -> Case {
    let rng = &mut Rng::new(seed);
    let revision = if rng.percent(25) { Revision::Cancun } else { Revision::Osaka };
    let pool = pool(rng, revision);
    let world = world(rng, &pool);
    let mut case = Case { environment: environment(rng, &pool), world, steps: Vec::new() };
    for _ in 0..=rng.weighed(&[70, 20, 10]) {
        let next = step(rng, &pool, &case);
        case.steps.push(next);
    }
    case
}

fn pool(rng: &mut Rng, revision: Revision) -> Pool {
    let contracts: Vec<Address> = (0..=rng.below(4)).map(contract).collect();
    let mut accounts = contracts.clone();
    accounts.extend((0..KEYS).map(sender));
    // Not there yet; made by the first creation of others; precompiled or nearly so.
    accounts.push(Address::left_padding_from(&[0xee, 0xee, 0xee]));
    accounts.push(sender(0).create(0));
    accounts.push(contracts[0].create(1));
    accounts.extend([0u16, 1, 4, 0x0a, 0x0b, 0x100].map(|number| Address::left_padding_from(&number.to_be_bytes())));
    Pool { revision, contracts, accounts }
}

fn environment(rng: &mut Rng, pool: &Pool) -> Environment {
    Environment {
        revision: pool.revision,
        chain_id: CHAIN_ID,
        number: NUMBER,
        time: 1_800_000_000 + rng.below(100) as u64,
        gas_limit: 60_000_000,
        base_fee: *rng.pick(&[0, 7, 1_000_000_000]),
        difficulty: rng.word(),
        beneficiary: if rng.percent(50) { Address::repeat_byte(0xbe) } else { *rng.pick(&pool.accounts) },
        transaction_gas: MAX_TRANSACTION_GAS,
        gateway: false,
        trial: None,
    }
}

fn world(rng: &mut Rng, pool: &Pool) -> World {
    let mut world = World::default();
    for (index, address) in pool.contracts.iter().enumerate() {
        let known = if rng.percent(80) { &above(pool, index) } else { pool };
        let holding = Holding { nonce: 1, balance: balance(rng), code: code(rng, known), storage: storage(rng) };
        world.0.insert(*address, holding);
    }
    for number in 0..KEYS {
        let holding = key_holder(rng, pool, number);
        if holding != Holding::default() {
            world.0.insert(sender(number), holding);
        }
    }
    if rng.once_in(10) {
        let made = *rng.pick(&[pool.contracts[0].create(1), sender(0).create(0)]);
        let nonce = rng.below(2) as u64;
        world.0.insert(made, Holding { nonce, balance: U256::ONE, ..Holding::default() });
    }
    world
}

/// Without a contract and those before it, so that calls come to an end.
fn above(pool: &Pool, index: usize) -> Pool {
    let (before, after) = pool.contracts.split_at(index + 1);
    let accounts = pool.accounts.iter().filter(|address| !before.contains(address)).copied().collect();
    Pool { revision: pool.revision, contracts: after.to_vec(), accounts }
}

fn balance(rng: &mut Rng) -> U256 {
    match rng.below(20) {
        0 => U256::ONE << 127,
        1..=6 => U256::ZERO,
        _ => U256::from(rng.below(10_000)),
    }
}

fn code(rng: &mut Rng, pool: &Pool) -> Bytes {
    if rng.percent(4) {
        let len = rng.below(60);
        return rng.bytes(len).into();
    }
    let mut code = runtime(rng, pool, 2);
    if rng.percent(12) {
        mutate(rng, &mut code);
    }
    code.into()
}

fn storage(rng: &mut Rng) -> std::collections::BTreeMap<U256, U256> {
    let slots = rng.below(4);
    (0..slots).map(|slot| (U256::from(slot), rng.word())).filter(|(_, value)| !value.is_zero()).collect()
}

fn key_holder(rng: &mut Rng, pool: &Pool, number: u8) -> Holding {
    let balance = match rng.below(30) {
        0 => U256::from(rng.below(100_000)),
        _ => U256::from(10u64).pow(U256::from(20)),
    };
    let nonce = if rng.once_in(100) { u64::MAX - rng.below(2) as u64 } else { rng.below(3) as u64 };
    let code = match pool.revision == Revision::Osaka && rng.percent(15) {
        true => [&[0xef, 0x01, 0x00], rng.pick(&pool.accounts).as_slice()].concat().into(),
        false => Bytes::new(),
    };
    match (number, rng.percent(50)) {
        (3.., true) => Holding::default(),
        _ => Holding { nonce, balance, code, ..Holding::default() },
    }
}
