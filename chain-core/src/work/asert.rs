//! Difficulty: ASERT (aserti3-2d), in integer arithmetic.
//!
//! Source: Bitcoin Cash specification "ASERT difficulty adjustment algorithm" (2020-11-15). The target doubles with
//! each half-life that the chain is behind its schedule, and halves with each that it is ahead.

use alloy_primitives::{U256, ruint::Uint};

/// Room for a target times the fraction's factor of 17 bits.
type Wide = Uint<320, 5>;

/// Parameters of the algorithm. Times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asert {
    /// Target time between blocks.
    pub interval: u32,
    /// Half-life: delay after which the target has doubled.
    pub half_life: u64,
    /// Easiest target.
    pub limit: U256,
}

impl Asert {
    /// Target of the block after one that came `time_delta` seconds after the anchor's parent and `height_delta` blocks
    /// after the anchor, whose target is `anchor`.
    pub fn next_target(&self, anchor: U256, time_delta: i64, height_delta: i64) -> U256 {
        let schedule = i128::from(self.interval) * (i128::from(height_delta) + 1);
        let exponent = (i128::from(time_delta) - schedule) * 65_536 / i128::from(self.half_life);
        let (shift, fraction) = ((exponent >> 16) - 16, exponent as u16);
        let factor = Uint::<64, 1>::from(two_to_the(fraction));
        let product: Wide = anchor.widening_mul(factor);
        let shifted = match usize::try_from(shift.unsigned_abs()) {
            Ok(by) if shift < 0 && by < 320 => product >> by,
            Ok(by) if shift >= 0 && by <= product.leading_zeros() => product << by,
            _ if shift < 0 => Wide::ZERO,
            _ => Wide::MAX,
        };
        shifted.clamp(Wide::from(1), Wide::from(self.limit)).to()
    }
}

/// `2^(fraction / 65536)` times 65,536, by a cubic polynomial whose error is under 0.013 %.
fn two_to_the(fraction: u16) -> u64 {
    let x = u128::from(fraction);
    let cubic = 195_766_423_245_049 * x + 971_821_376 * x * x + 5_127 * x * x * x + (1 << 47);
    65_536 + u64::try_from(cubic >> 48).expect("less than 65,536")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asert() -> Asert {
        Asert { interval: 30, half_life: 8_640, limit: U256::MAX >> 8 }
    }

    const ANCHOR: U256 = U256::from_limbs([0, 0, 1, 0]);

    // HDR-3
    #[test]
    fn keeps_the_target_on_schedule() {
        for height in [0, 1, 1_000_000] {
            assert_eq!(asert().next_target(ANCHOR, 30 * (height + 1), height), ANCHOR);
        }
    }

    // HDR-3
    #[test]
    fn doubles_a_half_life_late_and_halves_a_half_life_early() {
        assert_eq!(asert().next_target(ANCHOR, 30 + 8_640, 0), ANCHOR << 1);
        assert_eq!(asert().next_target(ANCHOR, 30 - 8_640, 0), ANCHOR >> 1);
        assert_eq!(asert().next_target(ANCHOR, 30 + 10 * 8_640, 0), ANCHOR << 10);
    }

    // HDR-3
    #[test]
    fn stays_between_one_and_the_limit_at_any_distance() {
        for late in [1 << 30, u32::MAX.into(), i64::MAX] {
            assert_eq!(asert().next_target(ANCHOR, late, 0), asert().limit);
            assert_eq!(asert().next_target(ANCHOR, 0, late), U256::ONE);
        }
        assert_eq!(asert().next_target(asert().limit, 31, 0), asert().limit);
        assert_eq!(asert().next_target(U256::ONE, 29, 0), U256::ONE);
    }

    #[test]
    fn the_polynomial_meets_its_ends() {
        assert_eq!(two_to_the(0), 65_536);
        assert_eq!(two_to_the(32_768), 92_674); // 65,536 x the root of 2 is 92,682
        assert_eq!(two_to_the(65_535), 131_071);
    }
}
