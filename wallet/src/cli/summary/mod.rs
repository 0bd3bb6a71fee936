//! Describes a transaction before it is signed.

use std::collections::BTreeMap;

use alloy_primitives::U256;
use chain_core::{
    transaction::coin::{KeyBytes, Lock},
    units::Amount,
};
use serde_json::{Value, json};

use super::{
    explain::name,
    screen::{self, Align},
};
use crate::{
    draft::{AccountDraft, Body, CoinDraft, Draft, Input, OutputLine, burns},
    error::WalletError,
    file::Wallet,
    keys::Branch,
    money::{show_gwei, show_wei},
    own::{KeyTable, Owner, policy_keys, quorum},
};

/// Describes a draft. `own` tells what belongs to the wallet that asks, and `wallet` what it calls others; nothing in the
/// file is believed about that.
///
/// # Errors
/// [`WalletError`] if an address in it does not fit.
pub fn describe(draft: &Draft, wallet: &Wallet, own: &KeyTable) -> Result<(String, Value), WalletError> {
    match &draft.transaction {
        Body::Coin(coin) => coins(draft, coin, wallet, own),
        Body::Account(account) => accounts(draft, account, own),
    }
}

fn row(label: &str, who: &str, amount: String, remark: &str) -> Vec<String> {
    vec![label.into(), who.into(), amount, remark.into()]
}

const ALIGNS: [Align; 4] = [Align::Left, Align::Left, Align::Point, Align::Left];

/// Grains that come from and go to the wallet or one of its policies. The files that are signed may hold any amounts, so sums are wide.
#[derive(Default)]
struct Flow {
    from: u128,
    to: u128,
}

impl Flow {
    /// What it loses; negative if it gains.
    fn loss(&self) -> i128 {
        self.from.cast_signed() - self.to.cast_signed()
    }

    fn row(&self, purse: &str) -> Vec<String> {
        let show = |grains: i128| Amount::from_grains(u64::try_from(grains).unwrap_or(u64::MAX)).to_string();
        match self.loss() {
            gain if gain < 0 => row(&format!("comes to {purse}"), "", show(-gain), ""),
            loss => row(&format!("leaves {purse}"), "", show(loss), ""),
        }
    }
}

/// What a transaction of coins takes from the wallet and from each of its policies: by the locks alone.
#[derive(Default)]
struct Flows<'a> {
    wallet: Flow,
    policies: BTreeMap<&'a str, Flow>,
    /// Addresses of inputs that are not the wallet's, with how many and how much.
    foreign: BTreeMap<&'a str, (usize, u128)>,
}

/// Addresses of foreign inputs that are listed one by one: a file may name a thousand.
const LISTED: usize = 20;

impl<'a> Flows<'a> {
    /// # Errors
    /// [`WalletError`] if an address does not fit.
    fn of(draft: &'a Draft, coin: &'a CoinDraft, own: &'a KeyTable) -> Result<Self, WalletError> {
        let mut flows = Self::default();
        for input in &coin.inputs {
            let amount = u128::from(input.amount.grains());
            match input_owner(draft, input, own)? {
                Owner::Key(_) | Owner::Account => flows.wallet.from += amount,
                Owner::Policy(name) => flows.policies.entry(name).or_default().from += amount,
                Owner::Foreign => {
                    let (count, sum) = flows.foreign.entry(&input.address).or_default();
                    (*count, *sum) = (*count + 1, *sum + amount);
                }
            }
        }
        for line in &coin.outputs {
            let amount = u128::from(line.amount.grains());
            match own.owner(&draft.network.destination(&line.to)?) {
                Owner::Key(_) | Owner::Account => flows.wallet.to += amount,
                Owner::Policy(name) => flows.policies.entry(name).or_default().to += amount,
                Owner::Foreign => {}
            }
        }
        Ok(flows)
    }

    fn foreign_rows(&self) -> Vec<Vec<String>> {
        let show = |sum: u128| Amount::from_grains(u64::try_from(sum).unwrap_or(u64::MAX)).to_string();
        let mut rows: Vec<Vec<String>> = self
            .foreign
            .iter()
            .take(LISTED)
            .map(|(address, (_, sum))| row("from", address, show(*sum), "not yours"))
            .collect();
        if self.foreign.len() > LISTED {
            let rest = self.foreign.values().skip(LISTED).map(|(_, sum)| sum).sum();
            let who = format!("{} other addresses", self.foreign.len() - LISTED);
            rows.push(row("from", &who, show(rest), "not yours"));
        }
        rows
    }

    fn heading(&self, coin: &CoinDraft) -> String {
        let foreign: usize = self.foreign.values().map(|(count, _)| count).sum();
        let policies = coin.inputs.iter().filter(|input| input.policy.is_some()).count();
        let mut from = screen::counted(coin.inputs.len() as u64, "coin");
        match (coin.inputs.len(), policies) {
            (_, 0) => {}
            (1, _) => from += " of a policy",
            _ => from += &format!(", {policies} of policies"),
        }
        if foreign > 0 {
            from += &format!(", {foreign} not of this wallet");
        }
        from
    }
}

/// Who owns an input. A key far down the tree is known by its hint, which proves itself: it is derived again.
fn input_owner<'a>(draft: &Draft, input: &Input, own: &'a KeyTable) -> Result<Owner<'a>, WalletError> {
    let lock = draft.network.coin_address(&input.address)?;
    Ok(match (own.owner(&lock), lock) {
        (Owner::Foreign, Lock::Key(key)) => match own.coin(&key, input.key) {
            Some((branch, _)) => Owner::Key(branch),
            None => Owner::Foreign,
        },
        (owner, _) => owner,
    })
}

/// Warns of money that no one can ever spend.
fn burnt(to: &str) -> &'static str {
    screen::warn(&format!("no one can have the key of {to}: what is paid to it is lost"));
    "burnt: no one has its key"
}

/// What an output is to the wallet, in a few words.
fn output_remark(lock: &Lock, line: &OutputLine, own: &KeyTable) -> String {
    match (own.owner(lock), lock) {
        (Owner::Key(Branch::Change), _) => "yours".into(),
        (Owner::Key(_), _) => "your own address".into(),
        (Owner::Account, _) => "deposit to your account".into(),
        (Owner::Policy(name), _) => format!("your policy '{name}'"),
        (Owner::Foreign, Lock::Account(account)) if burns(account) => burnt(&line.to).into(),
        (Owner::Foreign, Lock::Account(_)) => "deposit to an account".into(),
        (Owner::Foreign, Lock::Policy(_)) => "a policy that this wallet does not keep".into(),
        (Owner::Foreign, Lock::Key(key)) => match own.coin(key, line.change) {
            Some(_) => "a key of yours so far down the tree that no restore finds it".into(),
            None => String::new(),
        },
    }
}

fn coins(draft: &Draft, coin: &CoinDraft, wallet: &Wallet, own: &KeyTable) -> Result<(String, Value), WalletError> {
    let flows = Flows::of(draft, coin, own)?;
    // Only signatures that verify count.
    let mut signed = coin.clone();
    if signed.drop_bogus(&draft.network).is_err() {
        for input in &mut signed.inputs {
            input.signatures.clear();
        }
    }
    let mut rows = flows.foreign_rows();
    let (mut outputs, mut change) = (Vec::new(), Vec::new());
    for line in &coin.outputs {
        let lock = draft.network.destination(&line.to)?;
        let shown = |label: &str| row(label, &line.to, line.amount.to_string(), &output_remark(&lock, line, own));
        match own.owner(&lock) {
            Owner::Key(Branch::Change) => change.push(shown("change")),
            _ => rows.push(shown("to")),
        }
        let policy = match own.owner(&lock) {
            Owner::Policy(name) => Some(name),
            _ => None,
        };
        outputs.push(json!({ "to": line.to, "amount": line.amount, "own": own.owns(&lock), "policy": policy }));
    }
    // Its address is none that the user has named, and its place in the transaction is random.
    rows.extend(change);
    rows.push(row("fee", "", coin.fee.to_string(), ""));
    rows.extend(flows.policies.iter().map(|(name, flow)| flow.row(&format!("policy '{name}'"))));
    rows.push(flows.wallet.row("the wallet"));
    let heading = screen::bold(&format!("Spend {} on {}", flows.heading(coin), draft.network.name));
    let text = format!("{heading}\n{}{}", screen::table(&ALIGNS, &rows), signatures(&signed, wallet, own));
    let inputs = signed.inputs.iter().map(|input| {
        let owner = input_owner(draft, input, own)?;
        Ok(json!({
            "txid": input.txid.to_string(), "index": input.index, "amount": input.amount, "address": input.address,
            "signatures": input.signatures.len(), "signers": signers(input, wallet), "own": owner != Owner::Foreign,
        }))
    });
    let small = |grains: i128| i64::try_from(grains).unwrap_or(i64::MAX);
    let json = json!({
        "kind": "coin", "outputs": outputs, "fee": coin.fee, "leaves": small(flows.wallet.loss()),
        "policies": flows.policies.iter().map(|(name, flow)| json!({ "name": name, "leaves": small(flow.loss()) }))
            .collect::<Vec<_>>(),
        "inputs": inputs.collect::<Result<Vec<_>, WalletError>>()?,
    });
    Ok((text, json))
}

/// Who has signed for policies and who has not, once for coins of one policy with the same signatures.
fn signatures(signed: &CoinDraft, wallet: &Wallet, own: &KeyTable) -> String {
    let mut lines: Vec<String> = Vec::new();
    for input in &signed.inputs {
        let Some(policy) = &input.policy else { continue };
        let (given, missing): (Vec<_>, Vec<_>) =
            policy_keys(policy).into_iter().partition(|key| has_signed(input, key));
        let names = |keys: &[KeyBytes]| keys.iter().map(|key| name(wallet, own, key)).collect::<Vec<_>>().join(", ");
        let (address, all) = (screen::short(&input.address), given.len() + missing.len());
        let needed = quorum(policy).map_or_else(String::new, |needed| format!(", at least {needed} must"));
        let mut line = format!("{address}: {} of {all} keys have signed{needed}", given.len());
        if !given.is_empty() {
            line += &format!(": {}", names(&given));
        }
        if !missing.is_empty() {
            line += &format!("; not signed: {}", names(&missing));
        }
        if !lines.contains(&line) && lines.len() < LISTED {
            lines.push(line);
        }
    }
    lines.iter().map(|line| format!("  {}\n", screen::dim(line))).collect()
}

fn has_signed(input: &Input, key: &KeyBytes) -> bool {
    input.signatures.iter().any(|given| given.key.0 == key.0)
}

/// The keys of a coin's policy, for programs.
fn signers(input: &Input, wallet: &Wallet) -> Vec<Value> {
    let keys = input.policy.as_ref().map(policy_keys).unwrap_or_default();
    let of = |key: &KeyBytes| {
        let hex = hex::encode(key.0);
        json!({ "key": hex, "label": wallet.label(&hex), "signed": has_signed(input, key) })
    };
    keys.iter().map(of).collect()
}

fn accounts(draft: &Draft, account: &AccountDraft, own: &KeyTable) -> Result<(String, Value), WalletError> {
    let from = draft.network.account(&account.from)?;
    let sender = if own.account(&from, account.key).is_some() { "your account" } else { "not your account" };
    let mut rows = vec![row("from", &account.from, String::new(), sender)];
    let heading = destination(draft, account, own, &mut rows)?;
    let max_fee = account.max_fee();
    let expected = U256::from(draft.base_fee)
        .saturating_add(account.max_priority_fee_per_gas_wei)
        .min(account.max_fee_per_gas_wei)
        .saturating_mul(U256::from(account.gas_limit));
    // The base fee that the file names is only a guess; what the signature allows is the highest price.
    rows.push(row("fee", "", show_wei(max_fee), &format!("at most; about {} now", show_wei(expected))));
    let total = account.value_wei.saturating_add(max_fee);
    rows.push(row("leaves the account", "", show_wei(total), "at most"));
    let gas = format!(
        "chain id {}, nonce {}, {} gas at up to {} (tip {})",
        draft.network.chain_id,
        account.nonce,
        account.gas_limit,
        show_gwei(account.max_fee_per_gas_wei),
        show_gwei(account.max_priority_fee_per_gas_wei)
    );
    let heading = screen::bold(&format!("{heading} on {}", draft.network.name));
    let text = format!("{heading}\n{}{}  {}\n", screen::table(&ALIGNS, &rows), call(account), screen::dim(&gas));
    let called = account.called();
    let arguments = called.as_ref().and_then(|called| called.arguments.as_ref());
    let arguments = arguments.map(|arguments| arguments.iter().map(|(_, text)| text).collect::<Vec<_>>());
    let json = json!({
        "kind": "account", "chainId": draft.network.chain_id, "from": account.from, "to": account.to, "nonce": account.nonce,
        "valueWei": account.value_wei.to_string(), "maxFeeWei": max_fee.to_string(), "leavesWei": total.to_string(),
        "own": own.account(&from, account.key).is_some(),
        "withdrawTo": account.withdraw_to, "gasLimit": account.gas_limit,
        "function": called.as_ref().map(|called| &called.name), "functionIsKnown": called.as_ref().map(|called| called.known),
        "selector": called.as_ref().map(|called| format!("0x{}", hex::encode(called.selector))),
        "arguments": arguments, "contract": account.made_contract(&draft.network)?.map(|made| made.to_string()),
        "signed": draft.txid().is_some(),
    });
    Ok((text, json))
}

/// Adds who is paid or called; returns the heading.
fn destination(
    draft: &Draft,
    account: &AccountDraft,
    own: &KeyTable,
    rows: &mut Vec<Vec<String>>,
) -> Result<&'static str, WalletError> {
    let value = show_wei(account.value_wei);
    if let Some(address) = &account.withdraw_to {
        let mine = draft.network.coin_address(address).is_ok_and(|lock| own.owns(&lock));
        rows.push(row("to coins", address, value, if mine { "your own address" } else { "" }));
        return Ok("Withdraw from an account");
    }
    if let Some(made) = account.made_contract(&draft.network)? {
        rows.push(row("creates", &made.to_string(), value, &format!("{} bytes of code", account.input.len())));
        return Ok("Deploy a contract");
    }
    let to = account.to.as_deref().unwrap_or_default();
    let account_to = draft.network.account(to)?;
    let remark = match own.owns(&Lock::Account(account_to)) {
        true => "your account",
        false if !account.value_wei.is_zero() && burns(&account_to) => burnt(to),
        false => "",
    };
    rows.push(row("to", to, value, remark));
    Ok(if account.runs_code() { "Call a contract" } else { "Transfer from an account" })
}

/// Longest argument that is shown in full.
const LONGEST: usize = 400;

/// What is called and with what.
fn call(account: &AccountDraft) -> String {
    let calldata = || format!("  calldata 0x{}\n", shortened(&hex::encode(&account.input)));
    let Some(called) = account.called() else {
        return if account.to.is_some() && account.runs_code() { calldata() } else { String::new() };
    };
    let source = if called.known { "" } else { ", a name that the file or the ABI gives" };
    let selector = screen::dim(&format!("(selector 0x{}{source})", hex::encode(called.selector)));
    let mut text = format!("  {} {selector}\n", screen::bold(&called.name));
    for (kind, value) in called.arguments.iter().flatten() {
        text += &format!("    {} {}\n", screen::dim(kind), shortened(value));
    }
    if called.arguments.is_none() {
        text += &calldata();
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

#[cfg(test)]
mod tests;
