//! Known answers, and what each contract does with inputs that are short, odd or hostile.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod curves;
mod modexp;

use alloy_primitives::{Address, U256, hex};
use proptest::prelude::*;
use secp256k1::{Message, SecretKey, ecdsa::RecoverableSignature};
use sha2::{Digest, Sha256};

use super::{PrecompileError, PrecompileResult, blake2f, is_accessed, is_precompile};
use crate::{execute::Revision, transaction::account::address_of, units::Gas};

fn contract(number: u16) -> Address {
    Address::left_padding_from(&number.to_be_bytes())
}

fn run_in(revision: Revision, number: u16, input: &[u8], gas: Gas) -> PrecompileResult {
    super::run(revision, &contract(number), input, gas).expect("a precompiled contract")
}

/// Runs with more gas than any test needs.
fn run(number: u16, input: &[u8]) -> PrecompileResult {
    run_in(Revision::Osaka, number, input, 1_000_000_000)
}

fn used(number: u16, input: &[u8]) -> Gas {
    run(number, input).unwrap().0
}

fn output(number: u16, input: &[u8]) -> Vec<u8> {
    run(number, input).unwrap().1.to_vec()
}

fn word(number: u64) -> [u8; 32] {
    U256::from(number).to_be_bytes()
}

const INVALID: PrecompileResult = Err(PrecompileError::InvalidInput);

#[test]
fn each_revision_has_its_contracts() {
    // VM-17
    let of = |revision| (0..=0x200).filter(|number| is_precompile(revision, &contract(*number))).collect::<Vec<u16>>();
    assert_eq!(of(Revision::Cancun), Vec::from_iter(1..=9));
    assert_eq!(of(Revision::Osaka), Vec::from_iter((1..=9).chain(0x0b..=0x11).chain([0x100])));
    let mut address = contract(1);
    for index in 0..18 {
        address[index] = 1;
        assert!(!is_precompile(Revision::Osaka, &address));
        assert_eq!(super::run(Revision::Osaka, &address, &[], 1_000), None);
        address[index] = 0;
    }
}

#[test]
fn the_address_of_the_missing_contract_counts_as_accessed_like_the_others() {
    // VM-2, VM-17
    for revision in [Revision::Cancun, Revision::Osaka] {
        let differ =
            |number: &u16| is_accessed(revision, &contract(*number)) != is_precompile(revision, &contract(*number));
        assert_eq!((0..=0x200).filter(differ).collect::<Vec<u16>>(), [0x0a]);
        assert_eq!(super::run(revision, &contract(0x0a), &[], 100_000), None);
    }
}

#[test]
fn one_gas_too_little_is_all_gas_gone() {
    // VM-18
    let point = hex!(
        "0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1"
    );
    let rounds = [&[0, 0, 0, 12][..], &[0; 209]].concat();
    let cases: [(u16, Vec<u8>, Gas); 19] = [
        (0x01, vec![], 3_000),
        (0x02, vec![0; 33], 84),
        (0x03, vec![0; 33], 840),
        (0x04, vec![0; 33], 21),
        (0x05, vec![], 500),
        (0x06, vec![], 150),
        (0x07, vec![], 6_000),
        (0x08, vec![], 45_000),
        (0x08, vec![0; 384], 113_000),
        (0x09, rounds, 12),
        (0x0b, [point, point].concat(), 375),
        (0x0c, vec![0; 160], 12_000),
        (0x0c, vec![0; 320], 22_776),
        (0x0d, vec![0; 512], 600),
        (0x0e, vec![0; 288 * 129], 22_500 * 129 * 524 / 1_000),
        (0x0f, vec![0; 768], 102_900),
        (0x10, vec![0; 64], 5_500),
        (0x11, vec![0; 128], 23_800),
        (0x100, vec![], 6_900),
    ];
    for (number, input, price) in cases {
        let exact = run_in(Revision::Osaka, number, &input, price);
        assert_eq!(exact.map(|(used, _)| used), Ok(price), "{number:#x}");
        assert_eq!(run_in(Revision::Osaka, number, &input, price - 1), Err(PrecompileError::OutOfGas), "{number:#x}");
    }
}

#[test]
fn ecrecover_finds_who_signed() {
    let key = SecretKey::from_secret_bytes([7; 32]).unwrap();
    let hash = [0x5a; 32];
    let signature = RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(hash), &key);
    let (parity, bytes) = signature.serialize_compact();
    let input =
        [hash, word(27 + parity.to_u8() as u64), bytes[..32].try_into().unwrap(), bytes[32..].try_into().unwrap()];
    let input = input.concat();
    let expected = address_of(&key.public_key()).into_word().to_vec();
    assert_eq!(output(1, &input), expected);
    assert_eq!(output(1, &[&input[..], b"more"].concat()), expected);
    for v in [0, 1, 26, 29, 27 + 256] {
        let mut other = input.clone();
        other[32..64].copy_from_slice(&word(v));
        assert_eq!(output(1, &other), [0; 0], "v = {v}");
    }
    assert_eq!(output(1, &input[..100]).len(), 32, "zeros are meant where the input ends");
    assert_eq!(output(1, &[]), [0; 0]);
}

#[test]
fn ecrecover_takes_a_high_s() {
    let input = [
        hex!("18c547e4f7b0f325ad1e56f57e26c745b09a3e503d86e00e5255ff7f715d3d1c"),
        word(28),
        hex!("73b1693892219d736caba55bdb67216e485557ea6b6af75f37096c9aa6a5a75f"),
        hex!("eeb940b1d03b21e36b0e47e79769f095fe2ab855bd91e3a38756b7d75a9c4549"),
    ];
    let signer = hex!("000000000000000000000000a94f5374fce5edbc8e2a8697c15331677e6ebf0b");
    assert_eq!(output(1, &input.concat()), signer);
}

#[test]
fn hashes_have_the_known_values() {
    assert_eq!(output(2, &[]), hex!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    assert_eq!(output(3, &[]), hex!("0000000000000000000000009c1185a5c5e9fc54612808977ee8f548b2258d31"));
    assert_eq!(output(4, b"as it is"), b"as it is");
}

/// EIP-152's test vectors 4 to 7: "abc" with 0, 12 and 1 rounds, and not as the last block.
fn abc(rounds: u8, last: u8) -> Vec<u8> {
    let state = hex!(
        "48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5d182e6ad7f520e511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b"
    );
    [&[0, 0, 0, rounds][..], &state, b"abc", &[0; 125], &[3], &[0; 15], &[last]].concat()
}

#[test]
fn blake2f_has_the_known_values() {
    let twelve = "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923";
    let none = "08c9bcf367e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5d282e6ad7f520e511f6c3e2b8c68059b9442be0454267ce079217e1319cde05b";
    assert_eq!(hex::encode(output(9, &abc(12, 1))), twelve);
    assert_eq!(hex::encode(output(9, &abc(0, 1))), none);
    let middle = "75ab69d3190a562c51aef8d88f1c2775876944407270c42c9844252c26d2875298743e7f6d5ea2f2d3e8d226039cd31b4e426ac4f2d3d666a610c2116fde4735";
    assert_eq!(hex::encode(output(9, &abc(12, 0))), middle);
}

#[test]
fn blake2f_refuses_other_lengths_and_flags() {
    let input = abc(1, 1);
    assert!(run(9, &input).is_ok());
    assert_eq!(run(9, &[]), INVALID);
    assert_eq!(run(9, &input[1..]), INVALID);
    assert_eq!(run(9, &[&input[..], &[0]].concat()), INVALID);
    assert_eq!(run(9, &abc(1, 2)), INVALID);
    let most = [&[0xff; 4][..], &input[4..]].concat();
    assert_eq!(run_in(Revision::Osaka, 9, &most, u64::from(u32::MAX) - 1), Err(PrecompileError::OutOfGas));
}

#[test]
fn p256_knows_the_signature_of_rfc_6979() {
    let hash: [u8; 32] = Sha256::digest(b"sample").into();
    let r = hex!("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716");
    let s = hex!("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    let x = hex!("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
    let y = hex!("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    let order = U256::from_be_bytes(hex!("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"));
    let low_s = (order - U256::from_be_bytes(s)).to_be_bytes();
    assert_eq!(output(0x100, &[hash, r, s, x, y].concat()), word(1));
    assert_eq!(output(0x100, &[hash, r, low_s, x, y].concat()), word(1));
    let zero = [0; 32];
    let order = order.to_be_bytes();
    for bad in
        [[x, r, s, x, y], [hash, zero, s, x, y], [hash, r, zero, x, y], [hash, order, s, x, y], [hash, r, order, x, y]]
    {
        assert_eq!(output(0x100, &bad.concat()), [0; 0]);
    }
    for off_curve in [[hash, r, s, y, x], [hash, r, s, zero, zero], [hash, r, s, [0xff; 32], y]] {
        assert_eq!(output(0x100, &off_curve.concat()), [0; 0]);
    }
    let input = [hash, r, s, x, y].concat();
    assert_eq!(output(0x100, &input[..159]), [0; 0]);
    assert_eq!(output(0x100, &[&input[..], &[0]].concat()), [0; 0]);
}

proptest! {
    #[test]
    fn blake2f_by_vectors_is_blake2f_by_words(
        work: [u64; 16], message: [u64; 16], rounds in prop_oneof![0u32..30, Just(1_000)],
    ) {
        let (mut by_words, mut by_best) = (work, work);
        blake2f::run_anywhere(&mut by_words, &message, rounds);
        blake2f::run(&mut by_best, &message, rounds);
        prop_assert_eq!(by_words, by_best);
    }

    #[test]
    fn no_input_panics_and_gas_is_a_bound(
        number in prop_oneof![1u16..=9, 0x0bu16..=0x11, Just(0x100)],
        input in proptest::collection::vec(any::<u8>(), 0..600),
        gas in 0u64..200_000,
    ) {
        for revision in [Revision::Cancun, Revision::Osaka] {
            if let Some(Ok((used, _))) = super::run(revision, &contract(number), &input, gas) {
                prop_assert!(used <= gas);
            }
        }
    }
}
