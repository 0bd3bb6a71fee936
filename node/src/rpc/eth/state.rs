//! `eth_*` about accounts and the node: balances, nonces, code.

use alloy_primitives::{Address, U256};
use chain_core::state::StateView;
use serde_json::{Map, Value, json};

use crate::{
    engine::ChainInfo,
    rpc::base::{
        Args, BlockTag, Context, Method, Object, Param, RpcResult, account, data, invalid, over_limit, param, quantity,
        state_at,
    },
};

pub const METHODS: &[Method] = &[
    Method::new("eth_chainId", &[], chain_id).brief(),
    Method::new("eth_blockNumber", &[], block_number).brief(),
    Method::new("eth_syncing", &[], syncing).brief(),
    Method::new("eth_coinbase", &[], coinbase),
    Method::new("eth_mining", &[], |context, _| Ok(context.mining.status().mining.into())),
    Method::new("eth_hashrate", &[], hashrate),
    Method::new("eth_getBalance", &["address", "block"], get_balance).brief(),
    Method::new("eth_getTransactionCount", &["address", "block"], get_transaction_count).brief(),
    Method::new("eth_getCode", &["address", "block"], get_code).brief(),
    Method::new("eth_getAccount", &["address", "block"], get_account).brief(),
    Method::new("eth_getAccountInfo", &["address", "block"], get_account_info).brief(),
    Method::new("eth_getStorageAt", &["address", "slot", "block"], get_storage_at).brief(),
    Method::new("eth_getStorageValues", &["requests", "block"], get_storage_values).reads(),
];

/// Most storage slots of one call.
pub const MAX_SLOTS: usize = 1_024;

fn chain_id(context: &Context, _: Args) -> RpcResult<Value> {
    Ok(quantity(context.spec.chain_id))
}

fn block_number(context: &Context, _: Args) -> RpcResult<Value> {
    Ok(quantity(context.snapshot()?.tip().height))
}

fn syncing(context: &Context, _: Args) -> RpcResult<Value> {
    let info = context.engine.chain_info();
    if !info.syncing {
        return Ok(false.into());
    }
    Ok(syncing_status(&info))
}

/// How far a node is that is syncing.
pub fn syncing_status(info: &ChainInfo) -> Value {
    let (start, current, highest) = match info.sync {
        Some(progress) => (progress.start, progress.current, progress.highest),
        None => (0, info.height, info.best_header),
    };
    json!({
        "startingBlock": quantity(start),
        "currentBlock": quantity(current),
        "highestBlock": quantity(highest),
    })
}

fn coinbase(context: &Context, _: Args) -> RpcResult<Value> {
    Ok(data(context.mining.status().beneficiary.as_slice()))
}

fn hashrate(context: &Context, _: Args) -> RpcResult<Value> {
    // A rate of hashes is far below 2^64; the fraction is of no interest.
    Ok(quantity(context.mining.status().hashrate as u64))
}

fn get_balance(context: &Context, mut args: Args) -> RpcResult<Value> {
    let address = args.required()?;
    let snapshot = state_at(context, args.optional()?)?;
    Ok(quantity(account(&snapshot, &address)?.balance))
}

/// As reth has it.
fn get_account(context: &Context, mut args: Args) -> RpcResult<Value> {
    let address = args.required()?;
    let account = account(&state_at(context, args.optional()?)?, &address)?;
    Ok(json!({
        "balance": quantity(account.balance),
        "nonce": quantity(account.nonce),
        "codeHash": account.code_hash,
        "storageRoot": account.storage_root,
    }))
}

/// Balance, nonce and code at once, which tools that fork a chain ask for.
fn get_account_info(context: &Context, mut args: Args) -> RpcResult<Value> {
    let address = args.required()?;
    let snapshot = state_at(context, args.optional()?)?;
    let account = account(&snapshot, &address)?;
    let code = data(&snapshot.code(&account.code_hash)?);
    Ok(json!({ "balance": quantity(account.balance), "nonce": quantity(account.nonce), "code": code }))
}

fn get_transaction_count(context: &Context, mut args: Args) -> RpcResult<Value> {
    let address = args.required()?;
    let tag = args.optional()?;
    let pending = match tag {
        Some(BlockTag::Pending) => context.query(move |engine| engine.mempool().pending_nonce(&address))?,
        _ => None,
    };
    let nonce = account(&state_at(context, tag)?, &address)?.nonce;
    Ok(quantity(pending.unwrap_or(nonce).max(nonce)))
}

fn get_code(context: &Context, mut args: Args) -> RpcResult<Value> {
    let address = args.required()?;
    let snapshot = state_at(context, args.optional()?)?;
    Ok(data(&snapshot.code(&account(&snapshot, &address)?.code_hash)?))
}

/// A slot: a QUANTITY, or 32 bytes as DATA, which Ethereum's tools use as well.
pub struct Slot {
    pub key: U256,
    /// As the caller wrote it.
    pub given: String,
}

param!(Slot, "a storage slot: up to 64 hexadecimal digits, with or without \"0x\"", |value| {
    let given = value.as_str()?.to_owned();
    let digits = given.strip_prefix("0x").or(given.strip_prefix("0X")).unwrap_or(&given);
    if digits.len() > 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let key = if digits.is_empty() { U256::ZERO } else { U256::from_str_radix(digits, 16).ok()? };
    Some(Self { key, given })
});

fn get_storage_at(context: &Context, mut args: Args) -> RpcResult<Value> {
    let (address, slot) = (args.required()?, args.required::<Slot>()?);
    let snapshot = state_at(context, args.optional()?)?;
    let word = snapshot.storage(&address, &slot.key)?;
    Ok(data(&word.to_be_bytes::<32>()))
}

/// Slots of several accounts: an object of arrays of slots by address, answered in the same form.
fn get_storage_values(context: &Context, mut args: Args) -> RpcResult<Value> {
    let wrong = || invalid(format!("requests: expected an object of addresses with arrays of {}", Slot::EXPECTED));
    let Object(requests) = args.required()?;
    let mut wanted = Vec::with_capacity(requests.len());
    for (address, slots) in requests {
        let account = Address::parse(&Value::from(address.as_str())).ok_or_else(wrong)?;
        let slots = slots.as_array().and_then(|slots| slots.iter().map(Slot::parse).collect::<Option<Vec<_>>>());
        wanted.push((address, account, slots.ok_or_else(wrong)?));
    }
    match wanted.iter().map(|(_, _, slots)| slots.len()).sum::<usize>() {
        0 => return Err(invalid("requests: empty request, expected at least one slot")),
        slots if slots > MAX_SLOTS => {
            return Err(over_limit(format!("requests: at most {MAX_SLOTS} slots in one call")));
        }
        _ => {}
    }
    let state = state_at(context, args.optional()?)?;
    let mut values = Map::new();
    for (address, account, slots) in wanted {
        let word =
            |slot: &Slot| -> RpcResult<Value> { Ok(data(&state.storage(&account, &slot.key)?.to_be_bytes::<32>())) };
        values.insert(address, slots.iter().map(word).collect::<RpcResult<Vec<_>>>()?.into());
    }
    Ok(Value::Object(values))
}
