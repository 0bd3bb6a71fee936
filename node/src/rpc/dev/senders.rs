//! Who may send without a key, what waits to be mined, and a signature as wallets ask for it.

use alloy_primitives::Address;
use chain_core::hash::TxId;
use serde_json::Value;

use crate::{
    dev::message_hash,
    rpc::base::{Args, Context, Data, Method, RpcResult, cannot, data, over_limit},
};

pub const METHODS: &[Method] = &[
    Method::new("anvil_impersonateAccount", &["address"], impersonate),
    Method::new("hardhat_impersonateAccount", &["address"], impersonate),
    Method::new("anvil_stopImpersonatingAccount", &["address"], stop_impersonating),
    Method::new("hardhat_stopImpersonatingAccount", &["address"], stop_impersonating),
    Method::new("anvil_autoImpersonateAccount", &["on"], impersonate_all),
    Method::new("personal_sign", &["data", "address", "password"], personal_sign),
    Method::new("anvil_dropTransaction", &["hash"], drop_transaction),
    Method::new("hardhat_dropTransaction", &["hash"], hardhat_drop_transaction),
    Method::new("anvil_dropAllTransactions", &[], drop_all),
    Method::new("anvil_removePoolTransactions", &["address"], drop_of_sender),
];

/// Transactions that a pool can hold are fewer.
const ALL: usize = usize::MAX;

fn impersonate(context: &Context, mut args: Args) -> RpcResult<Value> {
    if context.accounts.impersonate(args.required()?, true) {
        return Ok(true.into());
    }
    Err(over_limit("too many accounts are impersonated: stop some, or use anvil_autoImpersonateAccount"))
}

fn stop_impersonating(context: &Context, mut args: Args) -> RpcResult<Value> {
    Ok(context.accounts.impersonate(args.required()?, false).into())
}

fn impersonate_all(context: &Context, mut args: Args) -> RpcResult<Value> {
    context.accounts.impersonate_all(args.required()?);
    Ok(true.into())
}

fn personal_sign(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (Data(message), address) = (args.required()?, args.required()?);
    args.optional::<String>()?;
    let signature = context.accounts.sign(&address, message_hash(&message));
    signature.map(|signature| data(&signature)).ok_or_else(|| cannot("unknown account"))
}

/// The hash as in Anvil if it was in the pool, else `null`.
fn drop_transaction(context: &Context, mut args: Args) -> RpcResult<Value> {
    let txid: TxId = args.required()?;
    let dropped = context.ask(context.engine.drop_transactions(vec![txid]))?;
    Ok(if dropped > 0 { data(&txid.0) } else { Value::Null })
}

fn hardhat_drop_transaction(context: &Context, args: Args) -> RpcResult<Value> {
    Ok((!drop_transaction(context, args)?.is_null()).into())
}

fn drop_all(context: &Context, _: Args) -> RpcResult<Value> {
    let all = context.query(|engine| engine.mempool().best(ALL))?;
    context.ask(context.engine.drop_transactions(all.into_iter().map(|entry| entry.txid).collect()))?;
    Ok(Value::Null)
}

fn drop_of_sender(context: &Context, mut args: Args) -> RpcResult<Value> {
    let sender: Address = args.required()?;
    let own = context.query(move |engine| engine.mempool().of_sender(&sender))?;
    context.ask(context.engine.drop_transactions(own.into_iter().map(|entry| entry.txid).collect()))?;
    Ok(Value::Null)
}
