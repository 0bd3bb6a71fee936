//! 0x0b to 0x11: the curve BLS12-381 (EIP-2537).

mod discounts;
mod group;
mod points;

use blst::{blst_p1_affine, blst_p2_affine};

use self::{
    discounts::{G1_DISCOUNTS, G2_DISCOUNTS},
    group::Group,
    points::{FIELD_LEN, product_is_one, read_field},
};
use super::result::{PrecompileError, PrecompileResult, charge, truth};
use crate::units::Gas;

const G1_ADD_PRICE: Gas = 375;
const G1_MULTIPLY_PRICE: Gas = 12_000;
const G2_ADD_PRICE: Gas = 600;
const G2_MULTIPLY_PRICE: Gas = 22_500;
const PAIRING_PRICE: Gas = 37_700;
const PAIR_PRICE: Gas = 32_600;
const MAP_TO_G1_PRICE: Gas = 5_500;
const MAP_TO_G2_PRICE: Gas = 23_800;

const G1_LEN: usize = 2 * FIELD_LEN;
const G2_LEN: usize = 4 * FIELD_LEN;
const SCALAR_LEN: usize = 32;

/// G1 addition.
pub(super) fn add_g1(input: &[u8], gas: Gas) -> PrecompileResult {
    add::<blst_p1_affine, G1_LEN>(input, charge(gas, G1_ADD_PRICE)?)
}

/// G2 addition.
pub(super) fn add_g2(input: &[u8], gas: Gas) -> PrecompileResult {
    add::<blst_p2_affine, G2_LEN>(input, charge(gas, G2_ADD_PRICE)?)
}

/// G1 multi-scalar multiplication (MSM).
pub(super) fn weigh_g1(input: &[u8], gas: Gas) -> PrecompileResult {
    let used = charge(gas, weighing_price(input, G1_LEN + SCALAR_LEN, G1_MULTIPLY_PRICE, &G1_DISCOUNTS)?)?;
    weigh::<blst_p1_affine, { G1_LEN + SCALAR_LEN }>(input, used)
}

/// G2 multi-scalar multiplication (MSM).
pub(super) fn weigh_g2(input: &[u8], gas: Gas) -> PrecompileResult {
    let used = charge(gas, weighing_price(input, G2_LEN + SCALAR_LEN, G2_MULTIPLY_PRICE, &G2_DISCOUNTS)?)?;
    weigh::<blst_p2_affine, { G2_LEN + SCALAR_LEN }>(input, used)
}

/// Pairing check: whether the product of the pairings of all pairs of points is 1.
pub(super) fn pairing(input: &[u8], gas: Gas) -> PrecompileResult {
    let pairs = chunks::<{ G1_LEN + G2_LEN }>(input)?;
    let used = charge(gas, PAIRING_PRICE + PAIR_PRICE * pairs.len() as Gas)?;
    let (mut left, mut right) = (Vec::with_capacity(pairs.len()), Vec::with_capacity(pairs.len()));
    for pair in pairs {
        let (g1, g2) = pair.split_at(G1_LEN);
        let (g1, g2) = (read_in_subgroup::<blst_p1_affine>(g1)?, read_in_subgroup::<blst_p2_affine>(g2)?);
        if !g1.is_infinite() && !g2.is_infinite() {
            left.push(g1);
            right.push(g2);
        }
    }
    Ok((used, truth(product_is_one(&left, &right))))
}

/// Maps a field element to a point of G1.
pub(super) fn map_to_g1(input: &[u8], gas: Gas) -> PrecompileResult {
    let used = charge(gas, MAP_TO_G1_PRICE)?;
    let element = <&[u8; FIELD_LEN]>::try_from(input).ok().and_then(read_field);
    Ok((used, points::map_to_g1(&element.ok_or(PrecompileError::InvalidInput)?).write()))
}

/// Maps an element of the extension field to a point of G2.
pub(super) fn map_to_g2(input: &[u8], gas: Gas) -> PrecompileResult {
    let used = charge(gas, MAP_TO_G2_PRICE)?;
    let (parts, []) = input.as_chunks::<FIELD_LEN>() else { return Err(PrecompileError::InvalidInput) };
    let [real, imaginary] = parts else { return Err(PrecompileError::InvalidInput) };
    let element = read_field(real).zip(read_field(imaginary)).ok_or(PrecompileError::InvalidInput)?;
    Ok((used, points::map_to_g2(element).write()))
}

/// Splits the input into parts, at least one.
fn chunks<const LEN: usize>(input: &[u8]) -> Result<&[[u8; LEN]], PrecompileError> {
    match input.as_chunks() {
        ([], _) => Err(PrecompileError::InvalidInput),
        (parts, []) => Ok(parts),
        _ => Err(PrecompileError::InvalidInput),
    }
}

/// Gas of an MSM, with the discount for the number of points, in thousandths.
fn weighing_price(input: &[u8], len: usize, price: Gas, discounts: &[u16; 128]) -> Result<Gas, PrecompileError> {
    let count = input.len() / len;
    let last = count.min(discounts.len()).checked_sub(1).ok_or(PrecompileError::InvalidInput)?;
    Ok(count as Gas * price * Gas::from(discounts[last]) / 1_000)
}

/// The points need not be in the subgroup, only on the curve.
fn add<G: Group, const LEN: usize>(input: &[u8], used: Gas) -> PrecompileResult {
    let [left, right] = chunks::<LEN>(input)? else { return Err(PrecompileError::InvalidInput) };
    let left = G::read(left).ok_or(PrecompileError::InvalidInput)?;
    let right = G::read(right).ok_or(PrecompileError::InvalidInput)?;
    Ok((used, left.add(&right).write()))
}

fn weigh<G: Group, const LEN: usize>(input: &[u8], used: Gas) -> PrecompileResult {
    let parts = chunks::<LEN>(input)?;
    let (mut points, mut factors) = (Vec::with_capacity(parts.len()), Vec::with_capacity(parts.len()));
    for part in parts {
        let (point, factor) = part.split_last_chunk::<SCALAR_LEN>().ok_or(PrecompileError::InvalidInput)?;
        let point = read_in_subgroup::<G>(point)?;
        if !point.is_infinite() {
            points.push(point);
            let mut factor = *factor;
            factor.reverse();
            factors.push(factor);
        }
    }
    Ok((used, G::weigh(&points, &factors).write()))
}

fn read_in_subgroup<G: Group>(bytes: &[u8]) -> Result<G, PrecompileError> {
    G::read(bytes).filter(Group::is_in_subgroup).ok_or(PrecompileError::InvalidInput)
}
