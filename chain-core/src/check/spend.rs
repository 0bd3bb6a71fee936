//! A coin transaction against the coins that it spends.

use crate::{
    coin::{Coin, CoinTransaction},
    error::RuleError,
    hash::BlockHash,
    sighash::SignatureCheck,
    units::Height,
};

/// Lists the signatures that remain to be verified when `tx` spends these coins in a block of this height.
///
/// `spent` are the coins of `tx.inputs`, in order; `tx` has passed [`super::check_coin_transaction`].
///
/// # Errors
/// COIN-11, POL-1 to POL-5.
///
/// # Panics
/// If there are not as many coins and witnesses as inputs.
pub fn spend_checks(
    _genesis: &BlockHash,
    _tx: &CoinTransaction,
    _spent: &[Coin],
    _height: Height,
) -> Result<Vec<SignatureCheck>, RuleError> {
    todo!()
}
