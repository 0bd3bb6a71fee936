//! `eth_accounts`, sending and signing: for the accounts of a development chain. On every other chain the node has no keys.

use alloy_primitives::{Address, B256, U256};
use chain_core::{
    transaction::account::{AccountTransaction, Fees, Fields},
    units::Gas,
};
use serde_json::{Value, json};

use super::{
    blocks::transaction_fields,
    call::{SECONDS, estimate},
    send::submit,
};
use crate::{
    dev::message_hash,
    rpc::base::{
        Any, Args, BigQuantity, BlockTag, Call, CallRequest, Context, Data, Method, Object, Options, Overrides,
        RpcError, RpcResult, Simulation, account, cannot, data, in_geths_words, invalid, quantity, rejected,
    },
};

pub const METHODS: &[Method] = &[
    Method::new("eth_accounts", &[], accounts),
    Method::new("eth_requestAccounts", &[], accounts),
    Method::new("eth_sendTransaction", &["transaction"], send_transaction).code().within(SECONDS),
    Method::new("eth_signTransaction", &["transaction"], sign_transaction).code().within(SECONDS),
    Method::new("eth_sendUnsignedTransaction", &["transaction"], send_unsigned).code().within(SECONDS),
    Method::new("eth_sign", &["address", "data"], sign),
    Method::new("eth_signTypedData", &["address", "typedData"], sign_typed_data),
    Method::new("eth_signTypedData_v4", &["address", "typedData"], sign_typed_data),
];

/// What a transaction offers to the miner if it does not say.
pub(super) const TIP: u64 = 1_000_000_000;

fn accounts(context: &Context, _: Args) -> RpcResult<Value> {
    Ok(context.accounts.list().map(|address| json!(format!("{address:#x}"))).collect())
}

/// As in geth, so that libraries know it.
fn unknown_account() -> RpcError {
    cannot("unknown account")
}

fn sign_hash(context: &Context, address: &Address, hash: B256) -> RpcResult<Value> {
    let signature = context.accounts.sign(address, hash).ok_or_else(unknown_account)?;
    Ok(data(&signature))
}

fn sign(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (address, Data(message)) = (args.required()?, args.required()?);
    sign_hash(context, &address, message_hash(&message))
}

/// An object, or its text.
fn sign_typed_data(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (address, Any(given)) = (args.required()?, args.required()?);
    let typed = match given.as_str() {
        Some(text) => serde_json::from_str(text).map_err(|error| invalid(format!("typedData: {error}")))?,
        None => given,
    };
    let hash = cairn_client::typed_data::hash(&typed).map_err(|reason| invalid(format!("typedData: {reason}")))?;
    sign_hash(context, &address, hash)
}

/// The fields as given, the rest as the chain suggests, signed; or without a signature, for any sender.
fn complete(context: &Context, args: &mut Args, signs: bool) -> RpcResult<(AccountTransaction, Address)> {
    let options = Options::lenient("transaction", args.required::<Object>()?);
    let CallRequest { mut fields, nonce, gas, .. } = CallRequest::of(context, "transaction", &options)?;
    let from: Address =
        options.get("from")?.ok_or_else(|| invalid("transaction.from: missing, expected an account"))?;
    let sign = |fields| {
        let accounts = &context.accounts;
        let signed = if signs { accounts.transaction(&from, fields) } else { accounts.unsigned(&from, fields) };
        let signed = signed.ok_or_else(unknown_account)?;
        signed.map_err(|rule| rejected("invalid", in_geths_words(&rule)))
    };
    if options.get::<Any>("gasPrice")?.is_none() {
        fields.fees = suggested(context, &options)?;
    }
    fields.nonce = nonce.map_or_else(|| next_nonce(context, from), Ok)?;
    fields.gas_limit = match gas {
        Some(gas) => gas,
        None => {
            // Who may not send runs no code here.
            context.check_sender(&sign(Fields { gas_limit: 0, ..fields.clone() })?, &args.call())?;
            gas_for(context, &options, args.call())?
        }
    };
    Ok((sign(fields)?, from))
}

/// The fees as given, the rest so that the next block takes it even if its base fee doubles.
fn suggested(context: &Context, options: &Options) -> RpcResult<Fees> {
    let tip = options.get::<BigQuantity>("maxPriorityFeePerGas")?.map(|tip| tip.0);
    let max_fee = options.get::<BigQuantity>("maxFeePerGas")?.map(|max_fee| max_fee.0);
    let base_fee = U256::from(context.engine.chain_info().next_base_fee);
    let max_priority_fee = tip.unwrap_or(U256::from(TIP).min(max_fee.unwrap_or(U256::MAX)));
    let doubled = base_fee.saturating_mul(U256::from(2)).saturating_add(max_priority_fee);
    Ok(Fees::Dynamic { max_fee: max_fee.unwrap_or(doubled), max_priority_fee })
}

fn gas_for(context: &Context, options: &Options, call: Call) -> RpcResult<Gas> {
    let mut request = CallRequest::of(context, "transaction", options)?;
    let simulation = Simulation::new(context, Some(BlockTag::Pending), &Overrides::default(), &mut request, call)?;
    estimate(&request, &simulation)
}

/// The nonce after those of the mempool.
pub(super) fn next_nonce(context: &Context, sender: Address) -> RpcResult<u64> {
    let mined = account(&context.snapshot()?, &sender)?.nonce;
    Ok(context.query(move |engine| engine.mempool().pending_nonce(&sender))?.unwrap_or(mined).max(mined))
}

fn sign_transaction(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (tx, from) = complete(context, &mut args, true)?;
    let mut fields = transaction_fields(&tx, Some(from));
    // Of one that is in no block: the most that it pays.
    fields.insert("gasPrice".into(), quantity(tx.fields().fees.fee_cap()));
    Ok(json!({ "raw": data(tx.raw()), "tx": fields }))
}

fn send_transaction(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (transaction, _) = complete(context, &mut args, true)?;
    // Somebody here impersonates it: that is not for others.
    submit(context, transaction, &args.call())
}

/// As Anvil has it, for any sender.
fn send_unsigned(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (transaction, _) = complete(context, &mut args, false)?;
    submit(context, transaction, &args.call())
}
