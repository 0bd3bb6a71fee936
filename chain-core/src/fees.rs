//! The base fee (EIP-1559), driven by the gas of both kinds of transaction.

use crate::{spec::ChainSpec, units::Gas};

/// How fast the base fee moves: at most one part in so many a block.
const CHANGE_DENOMINATOR: u128 = 8;

/// Base fee of the block after one with this base fee and gas, in wei a gas.
pub fn next_base_fee(spec: &ChainSpec, base_fee: u64, gas_used: Gas) -> u64 {
    // FEE-1
    let target = u128::from(spec.gas_limit / 2);
    let base = u128::from(base_fee);
    let distance = u128::from(gas_used).abs_diff(target);
    let change = base * distance / target / CHANGE_DENOMINATOR;
    let next = if u128::from(gas_used) > target { base + change.max(1) } else { base - change };
    let fits = u64::try_from(next).unwrap_or(u64::MAX);
    // An unchanged fee when the gas is on target follows from a change of zero.
    fits.max(spec.base_fee_floor)
}
