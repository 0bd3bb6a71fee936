//! Prices of gas: of a block, of the next one, of a transaction.

use chain_core::{U256, transaction::account::Fees, units::Gas};

use super::{context::Context, error::RpcResult, read::header};
use crate::store::{BlockRef, HeaderRecord, Snapshot};

/// What a transaction pays for a unit of gas.
pub fn effective_price(fees: &Fees, base_fee: u64) -> U256 {
    fees.fee_cap().min(U256::from(base_fee).saturating_add(fees.tip_cap()))
}

/// The base fee of a block on the active chain.
pub fn base_fee(context: &Context, record: &HeaderRecord) -> u64 {
    record.executed.map_or(context.spec.initial_base_fee, |executed| executed.base_fee)
}

/// The base fee of the block after this one.
pub fn fee_after(context: &Context, snapshot: &Snapshot, at: BlockRef) -> RpcResult<u64> {
    let record = header(snapshot, at)?;
    let used: Gas = record.executed.map_or(0, |executed| executed.gas_used);
    Ok(chain_core::fees::next_base_fee(&context.spec, base_fee(context, &record), used))
}
