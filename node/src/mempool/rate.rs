//! Prices of gas, comparable across both kinds of transaction.

use chain_core::{
    U256,
    units::{Amount, Gas, WEI_PER_GRAIN},
};

/// Fractional bits, so that prices which differ by less than a wei still rank.
const FRACTION: u32 = 16;

/// Wei offered for a unit of gas, base fee included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rate(u128);

/// Wei left for the miner for a unit of gas: negative where the base fee is not covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tip(i128);

impl Rate {
    /// A fee in grains spread over gas. Exact to 2^-16 wei: 64 + 34 + 16 bits fit.
    pub(crate) fn of_fee(fee: Amount, gas: Gas) -> Self {
        Self(((u128::from(fee.grains()) * u128::from(WEI_PER_GRAIN)) << FRACTION) / u128::from(gas.max(1)))
    }

    /// A price in whole wei; what no supply of money could pay is cut down to 2^110.
    pub(crate) fn of_wei(price: U256) -> Self {
        let most = 1 << 110;
        Self(u128::try_from(price).unwrap_or(most).min(most) << FRACTION)
    }

    /// What is left above a base fee.
    pub(crate) fn above(self, base_fee: u64) -> Tip {
        // Both are below 2^127.
        Tip(self.0 as i128 - (i128::from(base_fee) << FRACTION))
    }

    /// A rate that is so much higher.
    pub(crate) fn plus_wei(self, wei: u64) -> Self {
        Self(self.0 + (u128::from(wei) << FRACTION))
    }

    /// Half of it.
    pub(crate) fn halved(self) -> Self {
        Self(self.0 / 2)
    }

    /// The rate that leaves a tip above a base fee; the lowest there is if it would be negative.
    pub(crate) fn from_tip(tip: Tip, base_fee: u64) -> Self {
        Self(u128::try_from(tip.0 + (i128::from(base_fee) << FRACTION)).unwrap_or(0))
    }
}

impl Tip {
    /// No tip.
    pub(crate) const ZERO: Self = Self(0);

    /// A tip in whole wei.
    pub(crate) fn of_wei(tip: U256) -> Self {
        Rate::of_wei(tip).above(0)
    }

    /// The tip in wei, rounded down.
    pub(crate) fn wei(self) -> i128 {
        self.0 >> FRACTION
    }

    /// The tip in wei, rounded up.
    pub(crate) fn ceil_wei(self) -> i128 {
        -(-self.0 >> FRACTION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_of_one_grain_more_ranks_higher_even_over_a_full_block() {
        let gas = 60_000_000;
        assert!(Rate::of_fee(Amount::from_grains(2), gas) > Rate::of_fee(Amount::from_grains(1), gas));
        assert!(Rate::of_fee(Amount::from_grains(u64::MAX), 1) > Rate::of_fee(Amount::from_grains(u64::MAX - 1), 1));
    }

    #[test]
    fn both_kinds_meet_on_one_scale() {
        // 3 grains for 10 gas are 3 gwei per gas.
        let coin = Rate::of_fee(Amount::from_grains(3), 10);
        assert_eq!(coin, Rate::of_wei(U256::from(3_000_000_000u64)));
        assert_eq!(coin.above(1_000_000_000), Tip::of_wei(U256::from(2_000_000_000u64)));
        assert_eq!(coin.above(4_000_000_000).wei(), -1_000_000_000);
        assert_eq!(Rate::from_tip(coin.above(7), 7), coin);
    }

    #[test]
    fn absurd_prices_saturate() {
        assert_eq!(Rate::of_wei(U256::MAX), Rate::of_wei(U256::from(1u128 << 110)));
        assert!(Rate::of_wei(U256::MAX).above(u64::MAX) > Tip::ZERO);
    }
}
