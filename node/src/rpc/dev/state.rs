//! Edits of the state: each is a block with one transaction that makes them.

use alloy_primitives::Address;
use chain_core::{execute::Edit, gas::MAX_CODE};
use serde_json::Value;

use super::params::Word;
use crate::rpc::base::{Args, Context, Data, Method, RpcResult, account, invalid};

pub const METHODS: &[Method] = &[
    Method::new("anvil_setBalance", &["address", "balance"], set_balance),
    Method::new("hardhat_setBalance", &["address", "balance"], set_balance),
    Method::new("anvil_addBalance", &["address", "balance"], add_balance),
    Method::new("anvil_setNonce", &["address", "nonce"], set_nonce),
    Method::new("evm_setAccountNonce", &["address", "nonce"], set_nonce),
    Method::new("hardhat_setNonce", &["address", "nonce"], set_nonce),
    Method::new("anvil_setCode", &["address", "code"], set_code),
    Method::new("hardhat_setCode", &["address", "code"], set_code),
    Method::new("anvil_setStorageAt", &["address", "slot", "value"], set_storage_at),
    Method::new("hardhat_setStorageAt", &["address", "slot", "value"], set_storage_at),
    Method::new("anvil_setCoinbase", &["address"], set_coinbase),
    Method::new("hardhat_setCoinbase", &["address"], set_coinbase),
];

fn edit(context: &Context, edits: Vec<Edit>) -> RpcResult<Value> {
    context.ask(context.mining.edit(edits))?;
    Ok(true.into())
}

fn set_balance(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (account, Word(wei)) = (args.required()?, args.required()?);
    edit(context, vec![Edit::Balance { account, wei }])
}

fn add_balance(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (address, Word(more)) = (args.required()?, args.required()?);
    let wei = account(&context.snapshot()?, &address)?.balance.saturating_add(more);
    edit(context, vec![Edit::Balance { account: address, wei }])
}

fn set_nonce(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (account, Word(nonce)) = (args.required()?, args.required()?);
    let nonce = u64::try_from(nonce).ok().filter(|nonce| *nonce < u64::MAX);
    let nonce = nonce.ok_or_else(|| invalid("nonce: expected at most 2^64 - 2"))?;
    edit(context, vec![Edit::Nonce { account, nonce }])
}

fn set_code(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (account, Data(code)) = (args.required()?, args.required()?);
    if code.len() > MAX_CODE {
        return Err(invalid(format!("code: expected at most {MAX_CODE} bytes, got {}", code.len())));
    }
    edit(context, vec![Edit::Code { account, code }])
}

/// An account without anything would lose its storage at once (EIP-161). Other tools keep it, so it gets the nonce of a new
/// contract.
fn set_storage_at(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (address, Word(slot), Word(value)) = (args.required::<Address>()?, args.required()?, args.required()?);
    let mut edits = Vec::new();
    if account(&context.snapshot()?, &address)?.is_empty() {
        edits.push(Edit::Nonce { account: address, nonce: 1 });
    }
    edits.push(Edit::Slot { account: address, slot, value });
    edit(context, edits)
}

fn set_coinbase(context: &Context, mut args: Args) -> RpcResult<Value> {
    context.mining.set_beneficiary(args.required()?);
    Ok(true.into())
}
