//! `eth_fillTransaction`: what a transaction leaves out, so that it can be signed.

use alloy_primitives::U256;
use chain_core::transaction::account::{AccountTransaction, Fees};
use serde_json::{Value, json};

use super::{
    accounts::{TIP, next_nonce},
    blocks::unsigned_fields,
    call::{SECONDS, estimate},
};
use crate::rpc::base::{
    Args, BlockTag, CallRequest, Context, Method, Overrides, RpcResult, Simulation, data, quantity,
};

pub const METHODS: &[Method] = &[Method::new("eth_fillTransaction", &["transaction"], fill).code().within(SECONDS)];

fn fill(context: &Context, mut args: Args) -> RpcResult<Value> {
    let mut request = CallRequest::read(context, &mut args)?;
    let simulation =
        Simulation::new(context, Some(BlockTag::Pending), &Overrides::default(), &mut request, args.call())?;
    request.fields.gas_limit = match request.gas {
        Some(gas) => gas,
        None => estimate(&request, &simulation)?,
    };
    request.fields.nonce = match request.nonce {
        Some(nonce) => nonce,
        None => next_nonce(context, request.from)?,
    };
    if !request.priced {
        let estimate = context.ask(context.engine.estimate_fee())?;
        // Who sends from an account of the node pays the same.
        let is_own = context.accounts.list().next().is_some();
        let tip = U256::from(if is_own { TIP } else { estimate.normal });
        // Enough for six full blocks in a row.
        let max_fee = U256::from(estimate.base_fee) * U256::from(2) + tip;
        request.fields.fees = match request.fields.fees {
            Fees::Legacy { .. } => Fees::Legacy { gas_price: U256::from(estimate.base_fee) + tip },
            Fees::Dynamic { .. } => Fees::Dynamic { max_fee, max_priority_fee: tip },
        };
    }
    let raw = data(AccountTransaction::unsigned(request.fields.clone()).raw());
    let mut tx = unsigned_fields(&request.fields);
    // Of a transaction without a block it is the most that it may cost.
    tx.insert("gasPrice".into(), quantity(request.fields.fees.fee_cap()));
    Ok(json!({ "raw": raw, "tx": tx }))
}
