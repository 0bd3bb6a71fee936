//! What a transaction does, in words.

use alloy_primitives::U256;
use chain_core::{coin::Lock, units::Amount};
use serde_json::{Value, json};

use super::screen::{self, Align};
use crate::{
    error::WalletError,
    money::{show_gwei, show_wei},
    request::{AccountRequest, Body, CoinRequest, KeyTable, Request, policy_keys},
};

/// Describes a request. `own` tells what belongs to the wallet that asks; nothing in the file is believed about that.
///
/// # Errors
/// [`WalletError`] if an address in it does not fit.
pub fn describe(request: &Request, own: &KeyTable) -> Result<(String, Value), WalletError> {
    match &request.transaction {
        Body::Coin(coin) => coins(request, coin, own),
        Body::Account(account) => accounts(request, account, own),
    }
}

fn row(label: &str, who: &str, amount: String, remark: &str) -> Vec<String> {
    vec![label.into(), who.into(), amount, remark.into()]
}

const ALIGNS: [Align; 4] = [Align::Left, Align::Left, Align::Point, Align::Left];

fn coins(request: &Request, coin: &CoinRequest, own: &KeyTable) -> Result<(String, Value), WalletError> {
    let mut rows = Vec::new();
    let mut leaves = coin.fee;
    let mut outputs = Vec::new();
    for line in &coin.outputs {
        let lock = request.network.destination(&line.to)?;
        let mine =
            own.owns(&lock) || matches!((lock, line.change), (Lock::Key(key), hint) if own.coin(&key, hint).is_some());
        // Change of a policy returns where it came from.
        let returns = coin.inputs.iter().any(|input| input.address == line.to);
        let remark = match (lock, mine, returns) {
            (Lock::Account(_), true, _) => "deposit to your account",
            (Lock::Account(_), false, _) => "deposit to an account",
            (_, true, _) if line.change.is_some() => "your change",
            (_, true, _) => "your own address",
            (_, _, true) => "change",
            (Lock::Policy(_), ..) => "a policy",
            _ => "",
        };
        if !mine && !returns {
            leaves = leaves.add(line.amount).unwrap_or(Amount(u64::MAX));
        }
        rows.push(row("to", &line.to, line.amount.to_string(), remark));
        outputs.push(json!({ "to": line.to, "amount": line.amount, "own": mine }));
    }
    rows.push(row("fee", "", coin.fee.to_string(), ""));
    rows.push(row("leaves the wallet", "", leaves.to_string(), ""));
    let policies = coin.inputs.iter().filter(|input| input.policy.is_some()).count();
    let from = match (coin.inputs.len(), policies) {
        (1, 0) => "1 coin".to_owned(),
        (count, 0) => format!("{count} coins"),
        (1, _) => "1 coin of a policy".to_owned(),
        (count, _) => format!("{count} coins, {policies} of policies"),
    };
    let heading = screen::bold(&format!("Spend {from} on {}", request.network.name));
    let text = format!("{heading}\n{}{}", screen::table(&ALIGNS, &rows), signatures(coin));
    let json = json!({
        "kind": "coin", "outputs": outputs, "fee": coin.fee,
        "inputs": coin.inputs.iter().map(|input| json!({
            "txid": input.txid.to_string(), "index": input.index, "amount": input.amount, "address": input.address,
            "signatures": input.signatures.len(),
        })).collect::<Vec<_>>(),
    });
    Ok((text, json))
}

/// How far the signing of policies is.
fn signatures(coin: &CoinRequest) -> String {
    let mut text = String::new();
    for input in &coin.inputs {
        let Some(policy) = &input.policy else { continue };
        let keys = policy_keys(policy);
        let signed = keys.iter().filter(|key| input.signatures.iter().any(|given| given.key.0 == key.0)).count();
        text += &format!(
            "  {}\n",
            screen::dim(&format!("{}: {signed} of {} keys have signed", screen::short(&input.address), keys.len()))
        );
    }
    text
}

fn accounts(request: &Request, account: &AccountRequest, own: &KeyTable) -> Result<(String, Value), WalletError> {
    let from = request.network.account(&account.from)?;
    let sender = if own.account(&from, account.key).is_some() { "your account" } else { "" };
    let mut rows = vec![row("from", &account.from, String::new(), sender)];
    let heading = destination(request, account, own, &mut rows)?;
    let max_fee = account.max_fee();
    let expected = (U256::from(request.base_fee) + account.max_priority_fee_per_gas_wei)
        .min(account.max_fee_per_gas_wei)
        .saturating_mul(U256::from(account.gas_limit));
    rows.push(row("fee", "", show_wei(expected), &format!("at most {}", show_wei(max_fee))));
    let total = account.value_wei.saturating_add(expected);
    rows.push(row("leaves the account", "", show_wei(total), ""));
    let gas = format!(
        "nonce {}, {} gas at up to {} (tip {})",
        account.nonce,
        account.gas_limit,
        show_gwei(account.max_fee_per_gas_wei),
        show_gwei(account.max_priority_fee_per_gas_wei)
    );
    let heading = screen::bold(&format!("{heading} on {}", request.network.name));
    let text = format!("{heading}\n{}{}  {}\n", screen::table(&ALIGNS, &rows), call(account), screen::dim(&gas));
    let arguments =
        account.arguments().map(|arguments| arguments.into_iter().map(|(_, text)| text).collect::<Vec<_>>());
    let json = json!({
        "kind": "account", "from": account.from, "to": account.to, "nonce": account.nonce,
        "valueWei": account.value_wei.to_string(), "maxFeeWei": max_fee.to_string(),
        "withdrawTo": account.withdraw_to, "gasLimit": account.gas_limit, "function": account.function,
        "arguments": arguments, "contract": account.made_contract(&request.network)?.map(|made| made.to_string()),
        "signed": !account.signed.is_empty(),
    });
    Ok((text, json))
}

/// Adds who is paid or called; answers what is done in a few words.
fn destination(
    request: &Request,
    account: &AccountRequest,
    own: &KeyTable,
    rows: &mut Vec<Vec<String>>,
) -> Result<&'static str, WalletError> {
    let value = show_wei(account.value_wei);
    if let Some(address) = &account.withdraw_to {
        let mine = request.network.coin_address(address).is_ok_and(|lock| own.owns(&lock));
        rows.push(row("to coins", address, value, if mine { "your own address" } else { "" }));
        return Ok("Withdraw from an account");
    }
    if let Some(made) = account.made_contract(&request.network)? {
        rows.push(row("makes", &made.to_string(), value, &format!("{} bytes of code", account.input.len())));
        return Ok("Make a contract");
    }
    rows.push(row("to", account.to.as_deref().unwrap_or_default(), value, ""));
    Ok(if account.runs_code() { "Call a contract" } else { "Transfer from an account" })
}

/// Longest argument that is shown in full.
const LONGEST: usize = 400;

/// What is called and with what.
fn call(account: &AccountRequest) -> String {
    let (Some(function), Some(arguments)) = (&account.function, account.arguments()) else {
        return match &account.input[..] {
            data if account.to.is_some() && account.runs_code() => {
                format!("  calldata 0x{}\n", shortened(&hex::encode(data)))
            }
            _ => String::new(),
        };
    };
    let mut text = format!("  {}\n", screen::bold(function));
    for (kind, value) in arguments {
        text += &format!("    {} {}\n", screen::dim(&kind), shortened(&value));
    }
    text
}

/// A text that is cut if it is very long, and says so.
fn shortened(text: &str) -> String {
    let length = text.chars().count();
    if length <= LONGEST {
        return text.into();
    }
    format!("{}… ({length} characters)", text.chars().take(LONGEST).collect::<String>())
}
