//! 0x06, 0x07 and 0x08: the curve alt_bn128 (EIP-196, EIP-197), at the prices of EIP-1108.

use alloy_primitives::Bytes;
use ark_bn254::{Bn254, Fq, Fq2, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::{AffineRepr, CurveGroup, pairing::Pairing};
use ark_ff::{BigInt, BigInteger, One, PrimeField};

use super::result::{PrecompileError, PrecompileResult, charge, padded, truth};
use crate::units::Gas;

const ADD_PRICE: Gas = 150;
const MULTIPLY_PRICE: Gas = 6_000;
const PAIRING_PRICE: Gas = 45_000;
const PAIR_PRICE: Gas = 34_000;

/// Encoded size of a point of each group.
const PAIR: usize = 64 + 128;

/// Point addition.
pub(super) fn add(input: &[u8], gas: Gas) -> PrecompileResult {
    let used = charge(gas, ADD_PRICE)?;
    let sum = read_g1(&padded(input, 0))? + read_g1(&padded(input, 64))?;
    Ok((used, write_g1(sum)))
}

/// Scalar multiplication.
pub(super) fn multiply(input: &[u8], gas: Gas) -> PrecompileResult {
    let used = charge(gas, MULTIPLY_PRICE)?;
    let point = G1Projective::from(read_g1(&padded(input, 0))?);
    let factor = Fr::from_be_bytes_mod_order(&padded::<32>(input, 64));
    Ok((used, write_g1(point * factor)))
}

/// Pairing check: whether the product of the pairings of all pairs of points is 1.
pub(super) fn pairing(input: &[u8], gas: Gas) -> PrecompileResult {
    let (pairs, []) = input.as_chunks::<PAIR>() else { return Err(PrecompileError::InvalidInput) };
    let used = charge(gas, PAIRING_PRICE + PAIR_PRICE * pairs.len() as Gas)?;
    let (mut left, mut right) = (Vec::with_capacity(pairs.len()), Vec::with_capacity(pairs.len()));
    for pair in pairs {
        let (g1, g2) = (read_g1(&padded(pair, 0))?, read_g2(&padded(pair, 64))?);
        if !g1.is_zero() && !g2.is_zero() {
            left.push(g1);
            right.push(g2);
        }
    }
    Ok((used, truth(left.is_empty() || Bn254::multi_pairing(left, right).0.is_one())))
}

/// A number below the field's prime.
fn read_field(bytes: [u8; 32]) -> Result<Fq, PrecompileError> {
    let (limbs, _) = bytes.as_chunks::<8>();
    let [high, upper, lower, low] = [0, 1, 2, 3].map(|index| u64::from_be_bytes(limbs[index]));
    Fq::from_bigint(BigInt::new([low, lower, upper, high])).ok_or(PrecompileError::InvalidInput)
}

fn read_g1(bytes: &[u8; 64]) -> Result<G1Affine, PrecompileError> {
    let point = G1Affine::new_unchecked(read_field(padded(bytes, 0))?, read_field(padded(bytes, 32))?);
    if point.is_zero() || point.is_on_curve() { Ok(point) } else { Err(PrecompileError::InvalidInput) }
}

/// The imaginary part of a coordinate comes first.
fn read_g2(bytes: &[u8; 128]) -> Result<G2Affine, PrecompileError> {
    let part = |index: usize| read_field(padded(bytes, 32 * index));
    let (x, y) = (Fq2::new(part(1)?, part(0)?), Fq2::new(part(3)?, part(2)?));
    let point = G2Affine::new_unchecked(x, y);
    if point.is_zero() || point.is_on_curve() && point.is_in_correct_subgroup_assuming_on_curve() {
        Ok(point)
    } else {
        Err(PrecompileError::InvalidInput)
    }
}

/// A point as two words; infinity as zeros.
fn write_g1(point: G1Projective) -> Bytes {
    let point = point.into_affine();
    let words = [point.x, point.y].map(|coordinate| coordinate.into_bigint().to_bytes_be());
    words.concat().into()
}
