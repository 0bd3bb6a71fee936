//! `eth_*` about fees: what gas costs, what it has cost, how much a call needs.

use alloy_primitives::U256;
use chain_core::{transaction::Transaction, units::Gas};
use serde_json::{Value, json};

use crate::{
    rpc::base::{
        Any, Args, BlockTag, Context, Method, Quantity, RpcError, RpcResult, base_fee, cannot, effective_price,
        fee_after, header, invalid, no_header, param, quantity, receipts, resolve,
    },
    store::{BlockRef, Snapshot},
};

pub const METHODS: &[Method] = &[
    Method::new("eth_gasPrice", &[], gas_price),
    Method::new("eth_maxPriorityFeePerGas", &[], max_priority_fee),
    Method::new("eth_baseFee", &[], next_base_fee),
    // The least that EIP-4844 allows: there are no blobs to pay for.
    Method::new("eth_blobBaseFee", &[], |_, _| Ok(quantity(1))),
    Method::new("eth_feeHistory", &["blockCount", "newestBlock", "rewardPercentiles"], fee_history).reads(),
];

/// Most blocks of one fee history.
const MAX_BLOCKS: u64 = 1_024;
/// Most blocks of one fee history with rewards, which need the bodies.
const MAX_REWARD_BLOCKS: u64 = 128;
/// Most percentiles.
const MAX_PERCENTILES: usize = 100;

fn gas_price(context: &Context, _: Args) -> RpcResult<Value> {
    let estimate = context.ask(context.engine.estimate_fee())?;
    Ok(quantity(U256::from(estimate.base_fee) + U256::from(estimate.normal)))
}

fn max_priority_fee(context: &Context, _: Args) -> RpcResult<Value> {
    let estimate = context.ask(context.engine.estimate_fee())?;
    Ok(quantity(estimate.normal))
}

fn next_base_fee(context: &Context, _: Args) -> RpcResult<Value> {
    let snapshot = context.snapshot()?;
    Ok(quantity(fee_after(context, &snapshot, snapshot.tip())?))
}

/// A count that clients send as QUANTITY or, like older ones, as an integer.
pub struct Count(pub u64);

param!(Count, "a quantity such as \"0x5\" or an integer", |value| {
    Quantity::parse(value).map(|quantity| quantity.0).or_else(|| u64::parse(value)).map(Self)
});

fn percentiles(given: Option<Any>) -> RpcResult<Option<Vec<f64>>> {
    let wrong = || invalid("rewardPercentiles: expected at most 100 numbers from 0 to 100 in ascending order");
    let Some(Any(value)) = given else {
        return Ok(None);
    };
    let values = value.as_array().ok_or_else(wrong)?.iter().map(Value::as_f64).collect::<Option<Vec<_>>>();
    let values = values.filter(|values| values.len() <= MAX_PERCENTILES).ok_or_else(wrong)?;
    let in_range = values.iter().all(|value| (0.0..=100.0).contains(value));
    if in_range && values.is_sorted() { Ok(Some(values)) } else { Err(wrong()) }
}

fn fee_history(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Count(count) = args.required()?;
    let newest: BlockTag = args.required()?;
    // Without any there are no rewards, as in geth.
    let percentiles = percentiles(args.optional()?)?.filter(|percentiles| !percentiles.is_empty());
    let most = if percentiles.is_some() { MAX_REWARD_BLOCKS } else { MAX_BLOCKS };
    let snapshot = context.snapshot()?;
    let newest = resolve(context, &snapshot, newest)?.ok_or_else(|| beyond_head(&snapshot, newest))?;
    if count == 0 {
        return Ok(json!({ "oldestBlock": quantity(0), "baseFeePerGas": [], "gasUsedRatio": [] }));
    }
    let count = count.min(most).min(u64::from(newest.height) + 1);
    // At most the height, which fits.
    let oldest = newest.height + 1 - count as u32;
    let (mut fees, mut ratios, mut rewards) = (Vec::new(), Vec::new(), Vec::new());
    for height in oldest..=newest.height {
        let at = snapshot.at_height(height)?.ok_or_else(|| no_header(&snapshot, BlockTag::Number(height.into())))?;
        let record = header(&snapshot, at)?;
        fees.push(quantity(base_fee(context, &record)));
        let used = record.executed.map_or(0, |executed| executed.gas_used);
        ratios.push(used as f64 / context.spec.gas_limit as f64);
        if let Some(percentiles) = &percentiles {
            rewards.push(rewards_of(&snapshot, at, base_fee(context, &record), percentiles)?);
        }
    }
    fees.push(quantity(fee_after(context, &snapshot, newest)?));
    let mut answer = json!({
        "oldestBlock": quantity(oldest),
        "baseFeePerGas": fees,
        "gasUsedRatio": ratios,
    });
    if percentiles.is_some() {
        answer["reward"] = rewards.into();
    }
    Ok(answer)
}

/// In geth's words.
fn beyond_head(snapshot: &Snapshot, newest: BlockTag) -> RpcError {
    match newest {
        BlockTag::Number(number) => {
            cannot(format!("request beyond head block: requested {number}, head {}", snapshot.tip().height))
        }
        _ => no_header(snapshot, newest),
    }
}

/// Tips per gas of a block's account transactions at these percentiles of their gas.
fn rewards_of(snapshot: &Snapshot, at: BlockRef, base_fee: u64, percentiles: &[f64]) -> RpcResult<Value> {
    let receipts = receipts(snapshot, at)?;
    if receipts.is_empty() {
        return Ok(percentiles.iter().map(|_| quantity(U256::ZERO)).collect());
    }
    let block = snapshot.body(at)?;
    let mut tips: Vec<(U256, Gas)> = Vec::with_capacity(receipts.len());
    for receipt in &receipts {
        if let Some(Transaction::Account(tx)) = block.transactions.get(receipt.position as usize) {
            let price = effective_price(&tx.fields().fees, base_fee);
            tips.push((price.saturating_sub(U256::from(base_fee)), receipt.gas_used));
        }
    }
    tips.sort_unstable();
    let total: Gas = tips.iter().map(|(_, gas)| gas).sum();
    let at = |percentile: &f64| {
        let threshold = total as f64 * percentile / 100.0;
        let mut sum = 0;
        let reached = tips.iter().find(|(_, gas)| {
            sum += gas;
            sum as f64 >= threshold
        });
        quantity(reached.or(tips.last()).map_or(U256::ZERO, |(tip, _)| *tip))
    };
    Ok(percentiles.iter().map(at).collect())
}
