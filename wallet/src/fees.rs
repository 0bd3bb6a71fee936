//! Fees, and limits above which a fee is taken for a mistake.

use alloy_primitives::U256;
use chain_core::units::{Amount, GRAINS_PER_CRN, Gas};

use crate::{money, node::FeeEstimate};

/// A fee that no one pays on purpose: 0.1 CRN.
const ABSURD: Amount = Amount::from_grains(GRAINS_PER_CRN / 10);

/// A fee that is never too much, whatever it is compared with: 0.0001 CRN.
const TRIFLE: Amount = Amount::from_grains(GRAINS_PER_CRN / 10_000);

/// The part of what is sent that a fee may be: a tenth.
const PART: u64 = 10;

/// Encoded bytes of an input with a key: outpoint with a small index, variant, signature.
const KEY_INPUT_BYTES: u64 = 98;

/// Gas of spending a coin under a key.
pub const KEY_INPUT_GAS: Gas = 16 * KEY_INPUT_BYTES + 5_000;

/// Why a fee is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeeError {
    #[error("a fee of {fee} CRN is absurd (more than {ABSURD} CRN)")]
    Absurd { fee: Amount },
    #[error("a fee of {fee} CRN is more than a tenth of the {sent} CRN that are sent")]
    Disproportionate { fee: Amount, sent: Amount },
    #[error("unknown fee rate '{0}': write slow, normal, fast, or the tip in gwei per gas")]
    Rate(String),
    #[error(
        "the node names a base fee of {} per gas, at which a transfer alone costs {fee} CRN: that can only be a mistake or \
         a lie. Compare with another node (--rpc URL)", money::show_gwei(U256::from(*.base))
    )]
    AbsurdBase { base: u64, fee: Amount },
    #[error(
        "a tip of {} per gas (--fee-rate) makes a transfer alone cost {fee} CRN, which is absurd (more than {ABSURD} CRN)",
        money::show_gwei(U256::from(*.tip))
    )]
    AbsurdTip { tip: u64, fee: Amount },
    /// Gas or price so large that their product does not fit.
    #[error("the fee is more money than there can be")]
    TooLarge,
}

/// How fast a transaction should be mined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speed {
    /// The node's suggestion for some day.
    Slow,
    /// Its suggestion for a few blocks.
    #[default]
    Normal,
    /// Its suggestion for the next block.
    Fast,
    /// A tip in wei a unit of gas.
    Tip(u64),
}

impl std::str::FromStr for Speed {
    type Err = FeeError;

    fn from_str(text: &str) -> Result<Self, FeeError> {
        match text.trim() {
            "slow" => Ok(Self::Slow),
            "normal" => Ok(Self::Normal),
            "fast" => Ok(Self::Fast),
            other => money::parse_gwei(other).map(Self::Tip).map_err(|_| FeeError::Rate(text.into())),
        }
    }
}

/// Prices of gas for one transaction, in wei.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Base fee of the next block.
    pub base: u64,
    /// What the base fee may rise to by the block after: a transaction that pays this is not stuck at once.
    pub base_max: u64,
    pub tip: u64,
}

impl Prices {
    /// Takes the node's estimate at a speed.
    pub fn new(estimate: &FeeEstimate, speed: Speed) -> Self {
        let tip = match speed {
            Speed::Slow => estimate.tip_per_gas.slow,
            Speed::Normal => estimate.tip_per_gas.normal,
            Speed::Fast => estimate.tip_per_gas.fast,
            Speed::Tip(wei) => wei,
        };
        Self { base: estimate.base_fee, base_max: estimate.next_base_fee_max.max(estimate.base_fee), tip }
    }

    /// The price that a coin transaction pays: what it offers beyond the base fee goes to the miner.
    pub fn coin(&self) -> u128 {
        u128::from(self.base_max) + u128::from(self.tip)
    }

    /// Most that an account transaction offers; what it does not need is not taken.
    pub fn account_max(&self) -> U256 {
        U256::from(self.base) * U256::from(2) + U256::from(self.tip)
    }
}

/// Gas of a transfer between accounts, the cheapest transaction.
pub const TRANSFER_GAS: Gas = 21_000;

/// Refuses a base fee at which the cheapest transaction costs what no one pays on purpose.
pub fn check_base(prices: &Prices) -> Result<(), FeeError> {
    let fee = fee(TRANSFER_GAS, prices.base.into())?;
    if fee > ABSURD { Err(FeeError::AbsurdBase { base: prices.base, fee }) } else { Ok(()) }
}

/// Refuses a tip at which the cheapest transaction costs what no one pays on purpose.
pub fn check_tip(prices: &Prices) -> Result<(), FeeError> {
    let fee = fee(TRANSFER_GAS, prices.tip.into())?;
    if fee > ABSURD { Err(FeeError::AbsurdTip { tip: prices.tip, fee }) } else { Ok(()) }
}

/// Gas at a price, rounded up to a grain.
pub fn fee(gas: Gas, price: u128) -> Result<Amount, FeeError> {
    let wei = U256::from(gas) * U256::from(price);
    Amount::from_wei_ceil(wei).ok_or(FeeError::TooLarge)
}

/// What spending a coin under a key will cost at these prices.
pub fn dust_limit(prices: &Prices) -> Result<Amount, FeeError> {
    fee(KEY_INPUT_GAS, u128::from(prices.base))
}

/// Refuses a fee that can only be a mistake.
pub fn check(fee: Amount, sent: Amount) -> Result<(), FeeError> {
    if fee > ABSURD {
        return Err(FeeError::Absurd { fee });
    }
    if fee > TRIFLE && fee.grains() > sent.grains() / PART {
        return Err(FeeError::Disproportionate { fee, sent });
    }
    Ok(())
}

/// The same for an account's fee and value in wei.
pub fn check_wei(fee: U256, sent: U256) -> Result<(), FeeError> {
    let grains = |wei| Amount::from_wei_ceil(wei).ok_or(FeeError::TooLarge);
    check(grains(fee)?, grains(sent).unwrap_or(Amount::from_grains(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::types::Tips;

    fn estimate() -> FeeEstimate {
        let tip_per_gas = Tips { slow: 0, normal: 1_000, fast: 9_000 };
        FeeEstimate {
            base_fee: 1_000_000_000,
            next_base_fee_max: 1_125_000_000,
            tip_per_gas,
            min_replacement_percent: 10,
        }
    }

    #[test]
    fn prices_follow_the_speed() {
        assert_eq!(Prices::new(&estimate(), Speed::Slow).coin(), 1_125_000_000);
        assert_eq!(Prices::new(&estimate(), Speed::Normal).coin(), 1_125_001_000);
        assert_eq!(Prices::new(&estimate(), "fast".parse().unwrap()).tip, 9_000);
        assert_eq!(Prices::new(&estimate(), "2.5".parse().unwrap()).account_max(), U256::from(4_500_000_000u64));
        assert_eq!("quick".parse::<Speed>(), Err(FeeError::Rate("quick".into())));
        assert_eq!("-1".parse::<Speed>(), Err(FeeError::Rate("-1".into())));
    }

    #[test]
    fn fees_are_rounded_up_to_a_grain() {
        assert_eq!(fee(21_000, 1_000_000_000), Ok(Amount::from_grains(2_100)));
        assert_eq!(fee(21_001, 1_000_000_000), Ok(Amount::from_grains(2_101)));
        assert_eq!(fee(1, 1), Ok(Amount::from_grains(1)));
        assert_eq!(fee(1, 0), Ok(Amount::ZERO));
        assert_eq!(fee(u64::MAX, u128::MAX), Err(FeeError::TooLarge));
    }

    #[test]
    fn a_base_fee_that_nobody_can_pay_is_no_lack_of_coins() {
        let at = |gwei: u64| Prices { base: gwei * 1_000_000_000, base_max: u64::MAX, tip: u64::MAX };
        assert_eq!(check_base(&at(4_761)), Ok(()));
        let base = 4_762_000_000_000;
        let error = check_base(&at(4_762)).unwrap_err();
        assert_eq!(error, FeeError::AbsurdBase { base, fee: Amount::from_grains(10_000_200) });
        assert!(error.to_string().starts_with("the node names a base fee of 4762 gwei per gas"), "{error}");
        assert!(check_base(&Prices { base: u64::MAX, ..at(0) }).is_err());
    }

    #[test]
    fn refuses_fees_that_can_only_be_mistakes() {
        let crn = |amount: u64| Amount::from_grains(amount * GRAINS_PER_CRN);
        assert_eq!(check(ABSURD, crn(1_000)), Ok(()));
        let fee = Amount::from_grains(ABSURD.grains() + 1);
        assert_eq!(check(fee, crn(1_000)), Err(FeeError::Absurd { fee }));
        assert_eq!(check(TRIFLE, Amount::from_grains(1)), Ok(()));
        let (fee, sent) = (Amount::from_grains(TRIFLE.grains() + 1), Amount::from_grains(TRIFLE.grains() * 10));
        assert_eq!(check(fee, sent), Err(FeeError::Disproportionate { fee, sent }));
        assert_eq!(check(fee, Amount::from_grains(fee.grains() * 10)), Ok(()));
    }
}
