//! The base fee (EIP-1559), driven by the gas of both kinds of transaction.

use std::cmp::Ordering;

use crate::{spec::ChainSpec, units::Gas};

/// The base fee changes by at most one part in this many per block.
const CHANGE_DENOMINATOR: u128 = 8;

/// Base fee of the block after one with this base fee and gas, in wei per gas.
pub fn next_base_fee(spec: &ChainSpec, base_fee: u64, gas_used: Gas) -> u64 {
    // FEE-1
    let target = u128::from(spec.gas_limit / 2);
    let base = u128::from(base_fee);
    let distance = u128::from(gas_used).abs_diff(target);
    let change = base * distance / target / CHANGE_DENOMINATOR;
    // EIP-1559 rounds a decrease to zero below 8 wei, so a chain without a floor would be free only until its first full
    // block.
    let next = match u128::from(gas_used).cmp(&target) {
        Ordering::Greater => base + change.max(1),
        Ordering::Less => base.saturating_sub(change.max(1)),
        Ordering::Equal => base,
    };
    u64::try_from(next).unwrap_or(u64::MAX).max(spec.base_fee_floor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec(gas_limit: Gas, base_fee_floor: u64) -> ChainSpec {
        ChainSpec { gas_limit, base_fee_floor, ..ChainSpec::main() }
    }

    // FEE-1
    #[test]
    fn moves_as_in_ethereum() {
        let spec = spec(20_000_000, 0);
        for (base_fee, gas_used, expected) in [
            (1_000_000_000, 10_000_000, 1_000_000_000),
            (1_000_000_000, 9_000_000, 987_500_000),
            (1_000_000_000, 11_000_000, 1_012_500_000),
            (1_000_000_000, 20_000_000, 1_125_000_000),
            (1_000_000_000, 0, 875_000_000),
            (7, 20_000_000, 8),
            (0, 10_000_001, 1),
            (0, 0, 0),
            (u64::MAX, 20_000_000, u64::MAX),
        ] {
            assert_eq!(next_base_fee(&spec, base_fee, gas_used), expected, "{base_fee} after {gas_used}");
        }
    }

    // FEE-1
    #[test]
    fn a_free_chain_is_free_again_after_a_full_block() {
        let spec = spec(20_000_000, 0);
        let full = next_base_fee(&spec, 0, 20_000_000);
        assert_eq!(full, 1);
        assert_eq!(next_base_fee(&spec, full, 0), 0);
        let fees: Vec<u64> =
            std::iter::successors(Some(9), |fee| Some(next_base_fee(&spec, *fee, 0))).take(11).collect();
        assert_eq!(fees, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]);
        assert_eq!(next_base_fee(&spec, 7, 10_000_000), 7, "on target it stays");
        assert_eq!(next_base_fee(&spec, 7, 9_999_999), 6);
    }

    // FEE-1
    #[test]
    fn never_falls_under_the_floor() {
        let spec = spec(60_000_000, 1_000_000_000);
        assert_eq!(next_base_fee(&spec, 1_000_000_000, 0), 1_000_000_000);
        assert_eq!(next_base_fee(&spec, 1_142_857_143, 0), 1_000_000_001);
        assert_eq!(next_base_fee(&spec, 1_142_857_142, 0), 1_000_000_000);
    }

    proptest! {
        // FEE-1
        #[test]
        fn changes_by_an_eighth_at_most(base_fee in 0..u64::MAX / 2, gas_limit in 100_000_u64..1 << 40, share in 0.0..=1.0) {
            let spec = spec(gas_limit & !1, 0);
            let next = next_base_fee(&spec, base_fee, (spec.gas_limit as f64 * share) as u64);
            prop_assert!(next.abs_diff(base_fee) <= (base_fee / 8).max(1));
        }
    }
}
