//! The bodies of the fuzz targets on bytes from seeds: random ones, programs that do something, and damaged encodings.

use alloy_primitives::U256;
use cairn_vm_tests::{
    fuzz::{Case, blocks, generate, rng::Rng, targets},
    pool,
};
use chain_core::{
    block::header::Header,
    codec,
    hash::TxId,
    transaction::{
        Transaction,
        coin::{Coin, CoinTransaction, Lock, OutPoint, Output, Witness},
    },
    units::Amount,
};

fn on_seeds(count: u64, target: impl Fn(&mut Rng) + Sync) {
    let seeds: Vec<u64> = (0..count).collect();
    pool::map(pool::cores(), &seeds, |seed| target(&mut Rng::new(*seed)));
}

fn damaged(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..rng.below(3) {
        if !bytes.is_empty() {
            let at = rng.below(bytes.len());
            match rng.below(3) {
                0 => bytes[at] = rng.bits() as u8,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, rng.bits() as u8),
            }
        }
    }
    bytes
}

#[test]
fn the_interpreter_takes_any_code() {
    on_seeds(4_000, |rng| {
        let len = rng.below(200);
        targets::interpreter(&rng.bytes(len));
    });
    on_seeds(4_000, |rng| {
        let Case { world, .. } = generate(rng.bits());
        let code = world.0.into_values().map(|holding| holding.code).find(|code| !code.is_empty()).unwrap_or_default();
        let bytes = [&[rng.bits() as u8, 0], &code[..]].concat();
        targets::interpreter(&damaged(rng, bytes));
    });
}

fn encoding(rng: &mut Rng) -> Vec<u8> {
    let header = Header {
        version: rng.bits() as i32,
        prev: Default::default(),
        merkle_root: rng.wide().to_be_bytes(),
        time: rng.bits() as u32,
        bits: rng.bits() as u32,
        nonce: rng.bits() as u32,
    };
    let lock = Lock::Policy(rng.wide().to_be_bytes());
    let output = Output { amount: Amount::from_grains((rng.word() & U256::from(u64::MAX)).to()), lock };
    let coins = CoinTransaction {
        inputs: vec![OutPoint { txid: TxId(rng.wide().to_be_bytes()), index: rng.below(300) as u32 }],
        outputs: vec![output; rng.below(3)],
        witnesses: vec![Witness::Key([rng.bits() as u8; 64].into())],
    };
    match rng.below(4) {
        0 => codec::encode(&header),
        1 => codec::encode(&Coin { output, height: rng.bits() as u32, coinbase: rng.percent(50) }),
        2 => codec::encode(&Transaction::Coin(coins)),
        _ => {
            let len = rng.below(120);
            rng.bytes(len)
        }
    }
}

#[test]
fn what_decodes_encodes_to_the_same_bytes() {
    on_seeds(100_000, |rng| {
        let bytes = encoding(rng);
        targets::encodings(&damaged(rng, bytes));
    });
}

#[test]
fn tries_do_not_depend_on_the_way() {
    on_seeds(3_000, |rng| {
        let len = rng.below(400);
        targets::trie(&rng.bytes(len));
    });
}

#[test]
fn blocks_decode_build_execute_and_are_undone() {
    on_seeds(600, |rng| {
        let bytes = blocks::seed(rng);
        blocks::blocks(&bytes);
        blocks::blocks(&damaged(rng, bytes));
    });
}
