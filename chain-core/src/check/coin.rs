//! A coin transaction alone.

use crate::{coin::CoinTransaction, error::RuleError};

/// Checks all that a coin transaction shows without the coins that it spends.
///
/// # Errors
/// COIN-1 to COIN-6, POL-1.
pub fn check_coin_transaction(_tx: &CoinTransaction) -> Result<(), RuleError> {
    todo!()
}
