//! Amounts, heights and their arithmetic. Every sum of money is checked.

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Block height; the genesis block has height 0.
pub type Height = u32;

/// Gas, the common meter of coin and account transactions.
pub type Gas = u64;

/// Grains in one CRN.
pub const GRAINS_PER_CRN: u64 = 100_000_000;

/// Wei in one grain.
pub const WEI_PER_GRAIN: u64 = 10_000_000_000;

/// A sum of amounts that does not fit in 64 bits (AMT-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sum of amounts does not fit in 64 bits")]
pub struct AmountOverflow;

/// An amount in grains (1 CRN = 10^8 grains).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Amount(u64);

impl Amount {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// So many grains.
    pub const fn from_grains(grains: u64) -> Self {
        Self(grains)
    }

    /// The amount in grains.
    pub const fn grains(self) -> u64 {
        self.0
    }

    /// Adds two amounts.
    ///
    /// # Errors
    /// [`AmountOverflow`].
    #[expect(clippy::should_implement_trait, reason = "the sum of an operator cannot fail")]
    pub fn add(self, other: Self) -> Result<Self, AmountOverflow> {
        self.0.checked_add(other.0).map(Self).ok_or(AmountOverflow)
    }

    /// Subtracts an amount; `None` if it is larger than `self`.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Sums amounts.
    ///
    /// # Errors
    /// [`AmountOverflow`].
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, AmountOverflow> {
        amounts.into_iter().try_fold(Self::ZERO, Self::add)
    }

    /// The same value in wei.
    pub fn to_wei(self) -> U256 {
        U256::from(self.0) * U256::from(WEI_PER_GRAIN)
    }

    /// Converts wei to grains; `None` unless it is a whole number of grains that fits in 64 bits.
    pub fn from_wei_exact(wei: U256) -> Option<Self> {
        let (grains, rest) = wei.div_rem(U256::from(WEI_PER_GRAIN));
        if !rest.is_zero() {
            return None;
        }
        u64::try_from(grains).ok().map(Self)
    }

    /// Converts wei to grains, rounded up; `None` if the result does not fit in 64 bits.
    pub fn from_wei_ceil(wei: U256) -> Option<Self> {
        let (grains, rest) = wei.div_rem(U256::from(WEI_PER_GRAIN));
        u64::try_from(grains).ok()?.checked_add(u64::from(!rest.is_zero())).map(Self)
    }
}

/// Formats in CRN with eight decimals, as in `1.50000000`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:08}", self.0 / GRAINS_PER_CRN, self.0 % GRAINS_PER_CRN)
    }
}
