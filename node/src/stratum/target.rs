//! Difficulties of pools as targets: 1 is the target 00000000ffff0000…, as Bitcoin's first.

use chain_core::U256;

/// The target of difficulty 1.
const ONE: U256 = U256::from_limbs([0, 0, 0, 0xffff_0000]);

/// Difficulties that a session may have: from less than one hash a share to more than any machine's.
pub const LEAST: f64 = 1e-10;
/// The other end.
pub const MOST: f64 = 1e15;

/// The target of a difficulty within [`LEAST`] and [`MOST`].
pub fn target(difficulty: f64) -> U256 {
    // 53 bits are what a difficulty has, and what the miner computes its target from.
    let quotient = (f64::from(0xffff_u32) / difficulty.clamp(LEAST, MOST)).to_bits();
    let mantissa = U256::from(quotient & ((1 << 52) - 1) | 1 << 52);
    // Of these difficulties it is never negative. ONE is 0xffff shifted by 208.
    let shift = (quotient >> 52) as usize + 208 - 1_023 - 52;
    mantissa.checked_shl(shift).unwrap_or(U256::MAX)
}

/// A difficulty that devices can show and keep, no higher than this one: an integer, as ESP-Miner up to 2.13 reads it, or below 1
/// three digits.
pub fn rounded(difficulty: f64) -> f64 {
    if difficulty >= 1.0 {
        return difficulty.floor();
    }
    let text = format!("{difficulty:e}");
    let cut = text.split_once('e').and_then(|(digits, power)| {
        // Three and the point.
        format!("{}e{power}", digits.get(..4).unwrap_or(digits)).parse().ok()
    });
    cut.unwrap_or(difficulty)
}

/// The difficulty of a target, or of a hash as a number.
pub fn difficulty(number: U256) -> f64 {
    f64::from(ONE) / f64::from(number.max(U256::ONE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_core::work::pow;

    #[test]
    fn difficulty_one_is_the_target_that_miners_know() {
        assert_eq!(target(1.0), U256::from(0xffff) << 208);
        assert_eq!(target(1.0), ONE);
        assert_eq!(target(1.0), pow::target(0x1d00_ffff).unwrap());
    }

    #[test]
    fn difficulties_above_and_below_one_have_their_targets() {
        assert_eq!(target(0.5), ONE << 1);
        assert_eq!(target(65_536.0), ONE >> 16);
        assert_eq!(target(1.0 / 65_536.0), ONE << 16);
        assert_eq!(target(65_535.0), U256::ONE << 208);
        assert_eq!(target(LEAST), U256::MAX);
        assert!(target(MOST) > U256::ZERO);
        for wrong in [0.0, -1.0, f64::INFINITY, f64::NEG_INFINITY] {
            let target = target(wrong);
            assert!(target > U256::ZERO, "{wrong}");
        }
    }

    #[test]
    fn a_target_comes_back_as_its_difficulty() {
        for value in [0.001, 0.37, 1.0, 1_000.5, 123_456_789.0] {
            assert!((difficulty(target(value)) / value - 1.0).abs() < 1e-12, "{value}");
        }
        assert!(difficulty(U256::ZERO).is_finite());
    }
}
