//! Prices of gas: of a block, of the next one, of a transaction.

use chain_core::{
    U256,
    block::first_transaction,
    fees::next_base_fee,
    transaction::{Transaction, account::Fees},
    units::Gas,
};

use super::{
    context::Context,
    error::{RpcResult, internal},
    read::{header, parent},
};
use crate::store::{BlockRef, HeaderRecord, Snapshot};

/// What a transaction pays for a unit of gas.
pub fn effective_price(fees: &Fees, base_fee: u64) -> U256 {
    fees.fee_cap().min(U256::from(base_fee).saturating_add(fees.tip_cap()))
}

/// The base fee of a block on the active chain.
pub fn base_fee(context: &Context, record: &HeaderRecord) -> u64 {
    record.executed.map_or(context.spec.initial_base_fee, |executed| executed.base_fee)
}

/// The base fee of the block after one of the active chain: its own, or what the next block will have.
pub fn fee_after(context: &Context, snapshot: &Snapshot, at: BlockRef) -> RpcResult<u64> {
    if let Some(next) = snapshot.at_height(at.height.saturating_add(1))? {
        return Ok(base_fee(context, &header(snapshot, next)?));
    }
    let info = context.engine.chain_info();
    if info.hash == at.hash { Ok(info.next_base_fee) } else { fee_by_gas(context, snapshot, at) }
}

/// The base fee of the block after this one, by the gas that this one used.
fn fee_by_gas(context: &Context, snapshot: &Snapshot, at: BlockRef) -> RpcResult<u64> {
    let record = header(snapshot, at)?;
    let used: Gas = record.executed.map_or(0, |executed| executed.gas_used);
    Ok(next_base_fee(&context.spec, base_fee(context, &record), used))
}

/// Most blocks between one that was never connected and one that was.
const MOST_BETWEEN: usize = 100;

/// The base fee of a block that was never connected, by the gas that the coinbases before it say was used; `None` if one of
/// these blocks is not stored.
pub fn base_fee_of_unconnected(context: &Context, snapshot: &Snapshot, at: BlockRef) -> RpcResult<Option<u64>> {
    // Of each block what sets its base fee and that of the next: bodies would fill the memory.
    let (mut blocks, mut at) = (Vec::new(), at);
    let mut fee = loop {
        let record = header(snapshot, at)?;
        if record.executed.is_some() {
            break fee_by_gas(context, snapshot, at)?;
        }
        if !record.body || blocks.len() == MOST_BETWEEN {
            return Ok(None);
        }
        let (_, first) = first_transaction(&snapshot.body_bytes(at)?).map_err(internal)?;
        let Transaction::Coinbase(coinbase) = first else { return Ok(None) };
        blocks.push((context.spec.base_fee_set_by(&coinbase.extra), coinbase.gas_used));
        at = parent(snapshot, at)?;
    };
    while let Some((set, gas_used)) = blocks.pop() {
        fee = set.unwrap_or(fee);
        if !blocks.is_empty() {
            fee = next_base_fee(&context.spec, fee, gas_used);
        }
    }
    Ok(Some(fee))
}
