//! 0x05.

use alloy_primitives::{U256, hex};
use proptest::prelude::*;

use super::{INVALID, output, run, run_in, used, word};
use crate::{execute::Revision, vm::precompiles::PrecompileError};

fn input(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let lens = [base, exponent, modulus].map(|number| word(number.len() as u64)).concat();
    [&lens[..], base, exponent, modulus].concat()
}

fn power(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    output(5, &input(base, exponent, modulus))
}

#[test]
fn fermats_little_theorem_holds_at_both_prices() {
    let prime = U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"));
    let input = input(&[3], &(prime - U256::ONE).to_be_bytes::<32>(), &prime.to_be_bytes::<32>());
    for (revision, price) in [(Revision::Cancun, 1_360), (Revision::Osaka, 4_080)] {
        let (used, power) = run_in(revision, 5, &input, price).unwrap();
        assert_eq!((used, &power[..]), (price, &word(1)[..]));
        assert_eq!(run_in(revision, 5, &input, price - 1), Err(PrecompileError::OutOfGas));
    }
}

#[test]
fn edges_are_zero_or_one() {
    assert_eq!(power(&[], &[], &[]), [0; 0]);
    assert_eq!(power(&[5], &[3], &[]), [0; 0]);
    assert_eq!(power(&[5], &[3], &[0, 0]), [0, 0], "modulus 0");
    assert_eq!(power(&[5], &[], &[0]), [0], "modulus 0, exponent 0");
    assert_eq!(power(&[5], &[], &[0, 1]), [0, 0], "modulus 1, exponent 0");
    assert_eq!(power(&[5], &[3], &[1]), [0], "modulus 1");
    assert_eq!(power(&[], &[], &[7]), [1], "0 to the power of 0");
    assert_eq!(power(&[0], &[0], &[0, 8]), [0, 1], "0 to the power of 0, even modulus");
    assert_eq!(power(&[], &[2], &[7]), [0]);
    assert_eq!(power(&[7], &[2], &[7]), [0]);
    assert_eq!(power(&[7], &[2], &[14]), [7]);
    assert_eq!(power(&[6], &[200], &[0x80, 0, 0, 0, 0, 0, 0, 0, 0]), [0; 9], "an even number's high power");
    assert_eq!(power(&[3], &[0x40, 0], &[1, 0, 0]), [0, 0, 1], "an odd number's power repeats");
}

#[test]
fn zeros_are_meant_where_the_input_ends() {
    assert_eq!(output(5, &[]), [0; 0]);
    let full = input(&[3], &[0, 2, 0], &[0, 200, 0]);
    assert_eq!(output(5, &full[..full.len() - 1]), output(5, &full));
    let short = [word(1), word(2), word(2)].concat();
    assert_eq!(output(5, &[&short[..], &[3, 1]].concat()), [0, 0], "modulus left out");
}

#[test]
fn declared_lengths_cost_before_they_are_believed() {
    let all = U256::MAX.to_be_bytes();
    let lens = |base, exponent, modulus| [base, exponent, modulus].concat();
    for huge in [lens(all, word(1), word(1)), lens(word(1), word(1), all), lens(word(1), all, word(1))] {
        assert_eq!(run(5, &huge), INVALID);
        assert_eq!(run_in(Revision::Cancun, 5, &huge, u64::MAX - 1), Err(PrecompileError::OutOfGas));
    }
    let nothing = lens(word(0), all, word(0));
    assert_eq!(run(5, &nothing), INVALID);
    assert_eq!(run_in(Revision::Cancun, 5, &nothing, 200).unwrap().0, 200);
    let long = lens(word(1), word(1 << 20), word(1));
    assert_eq!(run_in(Revision::Cancun, 5, &long, 10_000_000).unwrap().1.as_ref(), [0]);
}

#[test]
fn osaka_takes_1024_bytes_and_no_more() {
    assert_eq!(power(&[2; 1_024], &[1], &[3; 1_024]), [2; 1_024]);
    for lens in [[1_025, 0, 0], [0, 1_025, 0], [0, 0, 1_025]] {
        assert_eq!(run(5, &lens.map(word).concat()), INVALID);
    }
}

#[test]
fn the_price_follows_lengths_and_exponent() {
    let of =
        |base: usize, exponent: &[u8], modulus: usize| used(5, &input(&vec![1; base], exponent, &vec![1; modulus]));
    assert_eq!(of(32, &[0xff; 32], 32), 16 * 255);
    assert_eq!(of(33, &[0xff; 32], 1), 2 * 25 * 255);
    assert_eq!(of(33, &[0; 32], 1), 500);
    assert_eq!(of(0, &[0xff; 33], 0), 16 * (16 + 255));
    assert_eq!(of(0, &[0; 64], 0), 16 * 16 * 32);
    assert_eq!(of(1_024, &[3], 1_024), 2 * 128 * 128);
}

/// The power by squaring, bit by bit, with `U256`'s own multiplication.
fn plain_power(base: U256, exponent: U256, modulus: U256) -> U256 {
    (0..256).rev().fold(U256::ONE.checked_rem(modulus).unwrap_or_default(), |power, bit| {
        let squared = power.mul_mod(power, modulus);
        if exponent.bit(bit) { squared.mul_mod(base, modulus) } else { squared }
    })
}

/// Numbers of all sizes, with many zeros and ones among their bits.
fn number() -> impl Strategy<Value = U256> {
    let digits = prop_oneof![any::<u64>(), Just(0), Just(u64::MAX), Just(1), Just(1 << 63)];
    (proptest::array::uniform4(digits), 0usize..256).prop_map(|(digits, shift)| U256::from_limbs(digits) >> shift)
}

proptest! {
    #[test]
    fn powers_are_those_of_plain_squaring(base in number(), exponent in number(), modulus in number()) {
        let bytes = [base, exponent, modulus].map(|number| number.to_be_bytes::<32>());
        let expected = plain_power(base, exponent, modulus).to_be_bytes::<32>();
        prop_assert_eq!(power(&bytes[0], &bytes[1], &bytes[2]), expected);
    }

    /// b^(x + y) = b^x b^y, b^(x y) = (b^x)^y: holds with moduli of any size.
    #[test]
    fn powers_obey_their_laws(
        base in proptest::collection::vec(any::<u8>(), 0..150),
        modulus in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(0xff)], 1..150),
        x: u64, y: u64,
    ) {
        let of = |exponent: u128| power(&base, &exponent.to_be_bytes(), &modulus);
        let product = u128::from(x) * u128::from(y);
        prop_assert_eq!(of(product), power(&of(u128::from(x)), &y.to_be_bytes(), &modulus));
        let double = power(&of(u128::from(x)), &[2], &modulus);
        prop_assert_eq!(of(u128::from(x) * 2), double);
    }
}
