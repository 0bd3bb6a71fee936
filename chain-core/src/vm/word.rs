//! Arithmetic of 256-bit words, with fast paths for common cases.

use alloy_primitives::U256;

/// The sum, wrapped.
#[inline(always)]
pub(super) fn add(a: U256, b: U256) -> U256 {
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (a.into_limbs(), b.into_limbs());
    let (s0, c) = a0.overflowing_add(b0);
    let (s1, c) = a1.carrying_add(b1, c);
    let (s2, c) = a2.carrying_add(b2, c);
    let (s3, _) = a3.carrying_add(b3, c);
    U256::from_limbs([s0, s1, s2, s3])
}

/// The difference, wrapped.
#[inline(always)]
pub(super) fn sub(a: U256, b: U256) -> U256 {
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (a.into_limbs(), b.into_limbs());
    let (s0, c) = a0.overflowing_sub(b0);
    let (s1, c) = a1.borrowing_sub(b1, c);
    let (s2, c) = a2.borrowing_sub(b2, c);
    let (s3, _) = a3.borrowing_sub(b3, c);
    U256::from_limbs([s0, s1, s2, s3])
}

/// Whether `a` is less than `b`: the borrow of their difference.
#[inline(always)]
pub(super) fn less(a: U256, b: U256) -> bool {
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (a.into_limbs(), b.into_limbs());
    let (_, c) = a0.overflowing_sub(b0);
    let (_, c) = a1.borrowing_sub(b1, c);
    let (_, c) = a2.borrowing_sub(b2, c);
    a3.borrowing_sub(b3, c).1
}

/// Whether `a` is less than `b`, both signed: the unsigned comparison, reversed if the signs differ.
#[inline(always)]
pub(super) fn less_signed(a: U256, b: U256) -> bool {
    less(a, b) != (is_negative(&a) != is_negative(&b))
}

#[inline(always)]
pub(super) fn is_zero(a: U256) -> bool {
    let [a0, a1, a2, a3] = a.into_limbs();
    a0 | a1 | a2 | a3 == 0
}

#[inline(always)]
pub(super) fn equal(a: U256, b: U256) -> bool {
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (a.into_limbs(), b.into_limbs());
    (a0 ^ b0) | (a1 ^ b1) | (a2 ^ b2) | (a3 ^ b3) == 0
}

/// 1 or 0.
#[inline(always)]
pub(super) fn flag(set: bool) -> U256 {
    U256::from_limbs([u64::from(set), 0, 0, 0])
}

/// The word as a 64-bit number, if it fits.
#[inline(always)]
pub(super) fn small(a: &U256) -> Option<u64> {
    let [low, a1, a2, a3] = *a.as_limbs();
    (a1 | a2 | a3 == 0).then_some(low)
}

/// `a * b + c + d`, which fits in two limbs: the low one and the high one.
#[inline(always)]
fn multiply_add(a: u64, b: u64, c: u64, d: u64) -> (u64, u64) {
    a.carrying_mul_add(b, c, d)
}

/// The product, wrapped.
#[inline(always)]
pub(super) fn mul(a: U256, b: U256) -> U256 {
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (a.into_limbs(), b.into_limbs());
    let (r0, c) = multiply_add(a0, b0, 0, 0);
    let (r1, c) = multiply_add(a1, b0, c, 0);
    let (r2, c) = multiply_add(a2, b0, c, 0);
    let r3 = a3.wrapping_mul(b0).wrapping_add(c);
    let (r1, c) = multiply_add(a0, b1, r1, 0);
    let (r2, c) = multiply_add(a1, b1, r2, c);
    let r3 = a2.wrapping_mul(b1).wrapping_add(c).wrapping_add(r3);
    let (r2, c) = multiply_add(a0, b2, r2, 0);
    let r3 = a1.wrapping_mul(b2).wrapping_add(c).wrapping_add(r3);
    let r3 = a0.wrapping_mul(b3).wrapping_add(r3);
    U256::from_limbs([r0, r1, r2, r3])
}

/// The quotient; 0 by 0.
pub(super) fn div(a: U256, b: U256) -> U256 {
    match (small(&a), small(&b)) {
        (_, Some(0)) => U256::ZERO,
        (Some(a), Some(b)) => U256::from_limbs([a / b, 0, 0, 0]),
        _ if less(a, b) => U256::ZERO,
        _ => a.wrapping_div(b),
    }
}

/// The remainder; 0 by 0.
pub(super) fn rem(a: U256, b: U256) -> U256 {
    match (small(&a), small(&b)) {
        (_, Some(0)) => U256::ZERO,
        (Some(a), Some(b)) => U256::from_limbs([a % b, 0, 0, 0]),
        _ if less(a, b) => a,
        _ => a.wrapping_rem(b),
    }
}

#[inline(always)]
fn is_negative(a: &U256) -> bool {
    a.as_limbs()[3] >> 63 == 1
}

fn negate_if(a: U256, negate: bool) -> U256 {
    if negate { sub(U256::ZERO, a) } else { a }
}

/// The quotient of signed words, rounded towards zero; 0 by 0.
pub(super) fn div_signed(a: U256, b: U256) -> U256 {
    if is_zero(b) {
        return U256::ZERO;
    }
    let (a_negative, b_negative) = (is_negative(&a), is_negative(&b));
    let quotient = div(negate_if(a, a_negative), negate_if(b, b_negative));
    negate_if(quotient, a_negative != b_negative)
}

/// The remainder of signed words, which has the sign of `a`; 0 by 0.
pub(super) fn rem_signed(a: U256, b: U256) -> U256 {
    if is_zero(b) {
        return U256::ZERO;
    }
    let a_negative = is_negative(&a);
    let remainder = rem(negate_if(a, a_negative), negate_if(b, is_negative(&b)));
    negate_if(remainder, a_negative)
}

/// `(a + b) mod m`; 0 by 0.
pub(super) fn add_mod(a: U256, b: U256, m: U256) -> U256 {
    if less(a, m) && less(b, m) {
        let (sum, overflow) = a.overflowing_add(b);
        return if overflow || !less(sum, m) { sub(sum, m) } else { sum };
    }
    a.add_mod(b, m)
}

/// The power, wrapped.
pub(super) fn exp(mut base: U256, exponent: U256) -> U256 {
    let mut result = U256::ONE;
    let bits = exponent.bit_len();
    for bit in 0..bits {
        if exponent.bit(bit) {
            result = mul(result, base);
        }
        if bit + 1 < bits {
            base = mul(base, base);
        }
    }
    result
}

/// Repeats the sign bit of byte `index` (0 is the lowest) in all bytes above it.
#[inline(always)]
pub(super) fn sign_extend(index: U256, a: U256) -> U256 {
    let Some(index @ 0..31) = small(&index) else { return a };
    let bits = 56 - 8 * (index % 8) as u32;
    let extend = |limb: u64| {
        let extended = ((limb << bits) as i64) >> bits;
        (extended as u64, (extended >> 63) as u64)
    };
    let [a0, a1, a2, a3] = a.into_limbs();
    let ((e0, s0), (e1, s1), (e2, s2), (e3, _)) = (extend(a0), extend(a1), extend(a2), extend(a3));
    U256::from_limbs(match index / 8 {
        0 => [e0, s0, s0, s0],
        1 => [a0, e1, s1, s1],
        2 => [a0, a1, e2, s2],
        _ => [a0, a1, a2, e3],
    })
}

/// The byte at `index`, 0 being the highest; 0 beyond.
#[inline(always)]
pub(super) fn byte(index: U256, a: U256) -> U256 {
    match small(&index) {
        Some(index @ 0..32) => {
            let limb = a.as_limbs()[3 - (index / 8) as usize];
            U256::from_limbs([limb >> (56 - 8 * (index % 8)) & 0xff, 0, 0, 0])
        }
        _ => U256::ZERO,
    }
}

/// `high:low` shifted left by `bits` < 64: the high limb.
#[inline(always)]
fn funnel_left(high: u64, low: u64, bits: u32) -> u64 {
    high << bits | (low >> 1) >> (63 - bits)
}

/// `high:low` shifted right by `bits` < 64: the low limb.
#[inline(always)]
fn funnel_right(high: u64, low: u64, bits: u32) -> u64 {
    low >> bits | (high << 1) << (63 - bits)
}

/// Shifted left; 0 beyond 255.
#[inline(always)]
pub(super) fn shl(shift: U256, a: U256) -> U256 {
    let Some(shift @ 0..256) = small(&shift) else { return U256::ZERO };
    let bits = shift as u32 % 64;
    let [a0, a1, a2, a3] = a.into_limbs();
    let [r0, r1, r2, r3] =
        [a0 << bits, funnel_left(a1, a0, bits), funnel_left(a2, a1, bits), funnel_left(a3, a2, bits)];
    U256::from_limbs(match shift / 64 {
        0 => [r0, r1, r2, r3],
        1 => [0, r0, r1, r2],
        2 => [0, 0, r0, r1],
        _ => [0, 0, 0, r0],
    })
}

/// Shifted right, filled with `fill` from above.
#[inline(always)]
fn shift_right(shift: u64, a: U256, fill: u64) -> U256 {
    let bits = shift as u32 % 64;
    let [a0, a1, a2, a3] = a.into_limbs();
    let [r0, r1, r2, r3] = [
        funnel_right(a1, a0, bits),
        funnel_right(a2, a1, bits),
        funnel_right(a3, a2, bits),
        funnel_right(fill, a3, bits),
    ];
    U256::from_limbs(match shift / 64 {
        0 => [r0, r1, r2, r3],
        1 => [r1, r2, r3, fill],
        2 => [r2, r3, fill, fill],
        _ => [r3, fill, fill, fill],
    })
}

/// Shifted right; 0 beyond 255.
#[inline(always)]
pub(super) fn shr(shift: U256, a: U256) -> U256 {
    match small(&shift) {
        Some(shift @ 0..256) => shift_right(shift, a, 0),
        _ => U256::ZERO,
    }
}

/// Shifted right, filled with the sign bit.
#[inline(always)]
pub(super) fn sar(shift: U256, a: U256) -> U256 {
    let fill = (a.as_limbs()[3] as i64 >> 63) as u64;
    match small(&shift) {
        Some(shift @ 0..256) => shift_right(shift, a, fill),
        _ => U256::from_limbs([fill; 4]),
    }
}

/// Number of leading zero bits (EIP-7939).
#[inline(always)]
pub(super) fn clz(a: U256) -> U256 {
    U256::from_limbs([a.leading_zeros() as u64, 0, 0, 0])
}
