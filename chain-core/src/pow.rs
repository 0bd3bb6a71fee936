//! Proof of work: compact targets and what they are worth.
//!
//! A compact target (`bits`) is Bitcoin's: the upper byte is a size in bytes, the lower 23 bits the leading digits, and
//! bit 23 a sign that must not be set.

use alloy_primitives::U256;

use crate::{error::RuleError, hash::BlockHash};

/// Sign bit of a compact target.
const SIGN: u32 = 0x0080_0000;

/// The target that canonical bits stand for.
///
/// # Errors
/// [`RuleError`] for bits that are negative, zero, beyond 256 bits, or not the shortest form.
pub fn target(bits: u32) -> Result<U256, RuleError> {
    // HDR-1
    let (size, mantissa) = (bits >> 24, bits & (SIGN - 1));
    if mantissa != 0 && bits & SIGN != 0 {
        return Err(RuleError::BitsNegative { got: bits });
    }
    let digits = U256::from(if size < 3 { mantissa >> (8 * (3 - size)) } else { mantissa });
    if digits.is_zero() {
        return Err(RuleError::BitsZero { got: bits });
    }
    let zeros = 8 * size.saturating_sub(3) as usize;
    let target = digits.checked_shl(zeros).ok_or(RuleError::BitsOverflow { got: bits })?;
    let canonical = self::bits(target);
    if canonical != bits {
        return Err(RuleError::BitsNotCanonical { got: bits, expected: canonical });
    }
    Ok(target)
}

/// The canonical bits of a target, rounded down to what 23 bits of mantissa can say.
pub fn bits(target: U256) -> u32 {
    let size = target.bit_len().div_ceil(8);
    let leading = if size <= 3 { target << (8 * (3 - size)) } else { target >> (8 * (size - 3)) };
    let mantissa = u32::try_from(leading).expect("three bytes are left");
    let size = u32::try_from(size).expect("at most 32");
    if mantissa & SIGN == 0 { size << 24 | mantissa } else { (size + 1) << 24 | mantissa >> 8 }
}

/// Expected hashes to find one at or under a target: `2^256 / (target + 1)`.
pub fn work(target: U256) -> U256 {
    match target.checked_add(U256::ONE) {
        Some(divisor) => (!target / divisor) + U256::ONE,
        None => U256::ONE,
    }
}

/// Checks a header's hash against its bits, and the bits against the easiest that are allowed.
///
/// # Errors
/// [`RuleError`] for bits that are malformed or above the limit, and for a hash above the target.
pub fn check_pow(hash: &BlockHash, bits: u32, limit: U256) -> Result<U256, RuleError> {
    let target = target(bits)?;
    // HDR-1
    if target > limit {
        return Err(RuleError::BitsAboveLimit { got: bits, limit: self::bits(limit) });
    }
    // HDR-2
    if U256::from_le_bytes(hash.0) > target {
        return Err(RuleError::HashAboveTarget { hash: *hash, bits });
    }
    Ok(target)
}
