//! Modular powers: modulo the odd part and the power of two separately, combined by the Chinese remainder theorem
//! (CRT).

use alloy_primitives::ruint::algorithms::div;

use super::{
    number::{Exponent, add_product, subtract, trim},
    ring::{Binary, Long, Ring, Short, inverse},
};

/// `base` to the power of `exponent` modulo `modulus`; 0 if that is 0. Base and modulus come without leading zeros.
pub(super) fn power(base: &[u64], exponent: Exponent<'_>, modulus: &[u64]) -> Vec<u64> {
    let Some(zeros) = modulus.iter().position(|digit| *digit != 0) else { return Vec::new() };
    let shift = 64 * zeros + modulus[zeros].trailing_zeros() as usize;
    if shift == 0 {
        return odd_power(base, exponent, modulus);
    }
    let odd = shifted_right(modulus, shift);
    let odd_power = odd_power(base, exponent, &odd);
    let binary_power = binary_power(base, exponent, shift);
    join(&odd_power, &odd, &binary_power, shift)
}

/// A power modulo an odd number.
fn odd_power(base: &[u64], exponent: Exponent<'_>, modulus: &[u64]) -> Vec<u64> {
    if modulus == [1] {
        return Vec::new();
    }
    if exponent.bits() == 0 {
        return vec![1];
    }
    let mut base = [&vec![0; modulus.len()], base].concat();
    let mut entered = modulus.to_vec();
    div(&mut base, &mut entered);
    match *modulus {
        [a] => raise(&mut Short::new([a]), &entered, exponent),
        [a, b] => raise(&mut Short::new([a, b]), &entered, exponent),
        [a, b, c] => raise(&mut Short::new([a, b, c]), &entered, exponent),
        [a, b, c, d] => raise(&mut Short::new([a, b, c, d]), &entered, exponent),
        _ => raise(&mut Long::new(modulus), &entered, exponent),
    }
}

/// A power modulo 2 to the power of `shift`.
fn binary_power(base: &[u64], exponent: Exponent<'_>, shift: usize) -> Vec<u64> {
    let len = shift.div_ceil(64);
    let mut digits = vec![0; len];
    let is_odd = base.first().is_some_and(|digit| digit & 1 == 1);
    // The powers of an odd number repeat after 2^shift of them or less; those of an even one are 0 from `shift` on.
    let exponent = if is_odd { exponent.lowest(shift.div_ceil(8)) } else { exponent };
    if exponent.bits() == 0 {
        digits[0] = 1;
    } else if is_odd || exponent.bits() < usize::BITS as usize {
        digits.iter_mut().zip(base).for_each(|(digit, value)| *digit = *value);
        digits = raise(&mut Binary::new(len), &digits, exponent);
    }
    mask(&mut digits, shift);
    digits
}

/// A power with a positive exponent, by sliding windows over its bits.
fn raise<R: Ring>(ring: &mut R, base: &[u64], exponent: Exponent<'_>) -> Vec<u64> {
    let window = match exponent.bits() {
        0..=24 => 1,
        25..=80 => 3,
        81..=240 => 4,
        241..=672 => 5,
        _ => 6,
    };
    let table = odd_powers(ring, base, 1 << (window - 1));
    let mut power: Option<Vec<u64>> = None;
    let mut left = exponent.bits();
    while left > 0 {
        let mut end = left - 1;
        if !exponent.bit(end) {
            left = end;
            power.iter_mut().for_each(|power| ring.square(power));
            continue;
        }
        end = left.saturating_sub(window);
        while !exponent.bit(end) {
            end += 1;
        }
        let value = (end..left).rev().fold(0, |value, index| value << 1 | usize::from(exponent.bit(index)));
        let factor = &table[value / 2 * base.len()..][..base.len()];
        power = Some(match power {
            None => factor.to_vec(),
            Some(mut power) => {
                (end..left).for_each(|_| ring.square(&mut power));
                ring.multiply(&mut power, factor);
                power
            }
        });
        left = end;
    }
    let mut power = power.unwrap_or_default();
    ring.leave(&mut power);
    power
}

/// The first `count` odd powers, in order.
fn odd_powers<R: Ring>(ring: &mut R, base: &[u64], count: usize) -> Vec<u64> {
    let mut powers = base.to_vec();
    if count > 1 {
        let mut squared = base.to_vec();
        ring.square(&mut squared);
        let mut last = base.to_vec();
        for _ in 1..count {
            ring.multiply(&mut last, &squared);
            powers.extend_from_slice(&last);
        }
    }
    powers
}

/// CRT: the number below `odd` times 2^shift that is `odd_power` modulo `odd` and `binary_power` modulo 2^shift.
fn join(odd_power: &[u64], odd: &[u64], binary_power: &[u64], shift: usize) -> Vec<u64> {
    let len = binary_power.len();
    let mut quotient = binary_power.to_vec();
    let mut taken = odd_power.to_vec();
    taken.resize(len, 0);
    subtract(&mut quotient, &taken);
    Binary::new(len).multiply(&mut quotient, &binary_inverse(odd, len));
    mask(&mut quotient, shift);
    let mut joined = odd_power.to_vec();
    joined.resize(len + odd.len(), 0);
    for (start, by) in quotient.iter().enumerate() {
        let (sum, high) = joined[start..].split_at_mut(odd.len());
        high[0] = add_product(sum, odd, *by);
    }
    joined
}

/// The inverse of an odd number modulo 2^(64 `len`). Each step of Newton's method doubles the correct digits.
fn binary_inverse(odd: &[u64], len: usize) -> Vec<u64> {
    let mut number = odd.to_vec();
    number.resize(len, 0);
    let mut ring = Binary::new(len);
    let mut result = vec![0; len];
    result[0] = inverse(odd[0]);
    let mut right = 1;
    while right < len {
        let mut product = number.clone();
        ring.multiply(&mut product, &result);
        let mut rest = vec![0; len];
        rest[0] = 2;
        subtract(&mut rest, &product);
        ring.multiply(&mut result, &rest);
        right *= 2;
    }
    result
}

fn shifted_right(number: &[u64], shift: usize) -> Vec<u64> {
    let (digits, bits) = (&number[shift / 64..], shift % 64);
    let above = digits.iter().skip(1).chain([&0]);
    let shifted: Vec<u64> = digits
        .iter()
        .zip(above)
        .map(|(low, high)| ((u128::from(*high) << 64 | u128::from(*low)) >> bits) as u64)
        .collect();
    trim(&shifted).to_vec()
}

/// Clears all but the lowest `bits` of a number that has just the digits for them.
fn mask(number: &mut [u64], bits: usize) {
    if let (Some(last), rest @ 1..) = (number.last_mut(), bits % 64) {
        *last &= (1 << rest) - 1;
    }
}
