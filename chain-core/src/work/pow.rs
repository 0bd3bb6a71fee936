//! Compact targets and their work.
//!
//! A compact target (`bits`) is Bitcoin's: the upper byte is a size in bytes, the lower 23 bits the leading digits, and
//! bit 23 a sign that must not be set.

use alloy_primitives::U256;

use crate::{error::RuleError, hash::BlockHash};

/// Sign bit of a compact target.
const SIGN: u32 = 0x0080_0000;

/// The target of canonical bits.
///
/// # Errors
/// [`RuleError`] for bits that are negative, zero, above 256 bits, or not in the shortest form.
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

/// The canonical bits of a target, rounded down to 23 bits of mantissa.
pub fn bits(target: U256) -> u32 {
    let size = target.bit_len().div_ceil(8);
    let leading = if size <= 3 { target << (8 * (3 - size)) } else { target >> (8 * (size - 3)) };
    let mantissa = u32::try_from(leading).expect("three bytes are left");
    let size = u32::try_from(size).expect("at most 32");
    if mantissa & SIGN == 0 { size << 24 | mantissa } else { (size + 1) << 24 | mantissa >> 8 }
}

/// Expected number of hashes to meet a target: `2^256 / (target + 1)`, saturating.
pub fn work(target: U256) -> U256 {
    match target.checked_add(U256::ONE) {
        // 2^256 itself does not fit: (2^256 - (target + 1)) / (target + 1) + 1 is the same.
        Some(divisor) if divisor != U256::ONE => (!target / divisor) + U256::ONE,
        Some(_) => U256::MAX,
        None => U256::ONE,
    }
}

/// Checks a header's hash against its bits, and the bits against the easiest ones allowed.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // HDR-1
    #[test]
    fn reads_canonical_bits() {
        assert_eq!(target(0x0101_0000), Ok(U256::from(1)));
        assert_eq!(target(0x017f_0000), Ok(U256::from(0x7f)));
        assert_eq!(target(0x0200_8000), Ok(U256::from(0x80)));
        assert_eq!(target(0x0312_3456), Ok(U256::from(0x12_3456)));
        assert_eq!(target(0x0412_3456), Ok(U256::from(0x1234_5600)));
        assert_eq!(target(0x1d00_ffff), Ok(U256::from(0xffff) << 208));
        assert_eq!(target(0x207f_ffff), Ok(U256::from(0x7f_ffff) << 232));
    }

    // HDR-1
    #[test]
    fn refuses_negative_bits() {
        for bits in [0x0480_0001, 0x0492_3456, 0x1d80_ffff, 0x01fe_dcba] {
            assert_eq!(target(bits), Err(RuleError::BitsNegative { got: bits }));
        }
    }

    // HDR-1
    #[test]
    fn refuses_bits_of_zero() {
        for bits in [0, 0x0000_0001, 0x0100_3456, 0x0200_0056, 0x1d00_0000, 0x0480_0000, 0xff00_0000] {
            assert_eq!(target(bits), Err(RuleError::BitsZero { got: bits }));
        }
    }

    // HDR-1
    #[test]
    fn refuses_bits_beyond_256_bits_and_takes_the_largest() {
        for bits in [0x2101_0000, 0x2200_0100, 0x2300_0001, 0xff12_3456] {
            assert_eq!(target(bits), Err(RuleError::BitsOverflow { got: bits }));
        }
        assert_eq!(target(0x2100_ffff), Ok(U256::from(0xffff) << 240));
    }

    // HDR-1
    #[test]
    fn refuses_bits_that_are_not_the_shortest_form() {
        for (bits, expected) in [
            (0x1e00_00ff, 0x1d00_ff00),
            (0x1e00_7fff, 0x1d7f_ff00),
            (0x2000_1234, 0x1f12_3400),
            (0x0112_3456, 0x0112_0000),
            (0x0212_3456, 0x0212_3400),
            (0x2200_0001, 0x2001_0000),
        ] {
            assert_eq!(target(bits), Err(RuleError::BitsNotCanonical { got: bits, expected }));
            assert!(target(expected).is_ok());
        }
    }

    // HDR-1
    #[test]
    fn refuses_a_target_one_step_above_the_limit_and_takes_the_limit() {
        let limit = target(0x1d00_ffff).unwrap();
        let hash = BlockHash::default();
        let above = RuleError::BitsAboveLimit { got: 0x1d01_0000, limit: 0x1d00_ffff };
        assert_eq!(check_pow(&hash, 0x1d01_0000, limit), Err(above));
        assert_eq!(check_pow(&hash, 0x1d00_ffff, limit), Ok(limit));
    }

    // HDR-2
    #[test]
    fn takes_a_hash_equal_to_the_target_and_refuses_the_next() {
        let limit = target(0x207f_ffff).unwrap();
        let bits = 0x1d00_ffff;
        let exact = BlockHash(target(bits).unwrap().to_le_bytes());
        assert!(check_pow(&exact, bits, limit).is_ok());
        let above = BlockHash((target(bits).unwrap() + U256::ONE).to_le_bytes());
        assert_eq!(check_pow(&above, bits, limit), Err(RuleError::HashAboveTarget { hash: above, bits }));
    }

    // HDR-6
    #[test]
    fn counts_work_as_bitcoin_does() {
        assert_eq!(work(target(0x1d00_ffff).unwrap()), U256::from(0x1_0001_0001_u64));
        assert_eq!(work(U256::MAX), U256::ONE);
        assert_eq!(work(U256::MAX - U256::ONE), U256::ONE);
        assert_eq!(work(U256::from(0x7f) << 248), U256::from(2));
        assert_eq!(work(U256::ONE), U256::ONE << 255);
        assert_eq!(work(U256::ZERO), U256::MAX);
    }

    proptest! {
        // HDR-1
        #[test]
        fn bits_of_a_target_are_canonical_and_round_down(limbs: [u64; 4], shift in 0_usize..256) {
            let exact = U256::from_limbs(limbs) >> shift;
            prop_assume!(!exact.is_zero());
            let rounded = target(bits(exact)).unwrap();
            prop_assert!(rounded <= exact);
            prop_assert!(exact - rounded <= exact >> 15);
            prop_assert_eq!(bits(rounded), bits(exact));
        }

        // HDR-1
        #[test]
        fn any_bits_are_refused_or_read_back_the_same(any: u32) {
            if let Ok(target) = target(any) {
                prop_assert_eq!(bits(target), any);
            }
        }
    }
}
