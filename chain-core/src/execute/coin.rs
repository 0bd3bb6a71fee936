//! Coin transactions in context.

use crate::{
    coin::{Coin, CoinTransaction},
    error::RuleError,
    units::{Amount, Gas},
};

/// What a coin transaction pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoinFee {
    /// Gas that it uses.
    pub gas: Gas,
    /// Inputs less outputs.
    pub fee: Amount,
    /// What of the fee is burned: gas x base fee, rounded up to a grain.
    pub burned: Amount,
    /// What is left for the miner.
    pub tip: Amount,
}

/// Splits the fee of a coin transaction of `size` encoded bytes that spends `spent` (COIN-6, COIN-9, COIN-10).
///
/// # Errors
/// [`RuleError`] if the sums overflow, more is made than spent, or the fee does not cover the base fee.
pub fn coin_fee(_tx: &CoinTransaction, _size: usize, _spent: &[Coin], _base_fee: u64) -> Result<CoinFee, RuleError> {
    todo!()
}
