//! `balance`.

use alloy_primitives::U256;
use chain_core::units::Amount;
use serde_json::{Value, json};

use super::{
    context::Context,
    resend::warn_of_other_chain,
    screen::{self, Align, Report},
};
use crate::{
    coins,
    error::WalletError,
    file::Wallet,
    money::show_wei,
    node::{AccountState, ChainInfo, CoinBalance, Node},
};

const ALIGNS: [Align; 3] = [Align::Left, Align::Point, Align::Left];

fn row(label: &str, amount: String, remark: String) -> Vec<String> {
    vec![label.into(), amount, remark]
}

/// Shows what there is.
pub fn execute(context: &Context) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let (node, info) = context.node(&wallet.network)?;
    let addresses: Vec<String> = coins::addresses(&wallet)?.into_iter().map(|own| own.address).collect();
    let coins = node.coin_balance(&addresses)?;
    let (account_rows, accounts, account_sum) = accounts(&node, &wallet)?;
    let (policy_rows, policies) = policies(&node, &wallet)?;
    if !wallet.sent.is_empty() {
        warn_of_other_chain(&wallet, node.block_hash(1)?);
    }
    let mut text = format!("{}\n", screen::bold("Coins"));
    text += &screen::table(&ALIGNS, &coin_rows(&coins, &info));
    text += &format!("{}\n", screen::bold("Accounts"));
    text += &screen::table(&ALIGNS, &account_rows);
    if !policy_rows.is_empty() {
        text += &format!("{}\n", screen::bold("Policies"));
        text += &screen::table(&ALIGNS, &policy_rows);
    }
    let total = expected(&coins).saturating_add(account_sum);
    text += &format!("{} {} CRN\n", screen::bold("Total"), show_wei(total));
    let json = json!({
        "network": wallet.network.name, "height": info.height, "syncing": info.syncing,
        "coins": {
            "confirmed": coins.confirmed, "immature": coins.immature, "pendingIn": coins.pending_in,
            "pendingOut": coins.pending_out, "count": coins.coins,
        },
        "accounts": accounts, "policies": policies, "totalWei": total.to_string(),
    });
    Ok(Report::new(text, json))
}

/// What the coins will be once all that is pending is mined.
fn expected(coins: &CoinBalance) -> U256 {
    let sum = coins.confirmed.to_wei() + coins.immature.to_wei() + coins.pending_in.to_wei();
    sum.saturating_sub(coins.pending_out.to_wei())
}

fn coin_rows(coins: &CoinBalance, info: &ChainInfo) -> Vec<Vec<String>> {
    let mut rows = vec![row("confirmed", coins.confirmed.to_string(), String::new())];
    if coins.immature > Amount::ZERO {
        let remark = format!("mined; each is spendable {} blocks after its block", info.coinbase_maturity);
        rows.push(row("immature", coins.immature.to_string(), remark));
    }
    if coins.pending_in > Amount::ZERO {
        rows.push(row("pending in", format!("+{}", coins.pending_in), "not mined yet".into()));
    }
    if coins.pending_out > Amount::ZERO {
        rows.push(row("pending out", format!("-{}", coins.pending_out), "not mined yet".into()));
    }
    rows
}

/// Rows, JSON and sum of the accounts.
type Accounts = (Vec<Vec<String>>, Vec<Value>, U256);

fn accounts(node: &Node, wallet: &Wallet) -> Result<Accounts, WalletError> {
    let (mut rows, mut json, mut sum) = (Vec::new(), Vec::new(), U256::ZERO);
    let own = wallet.accounts()?;
    let (states, arriving) = (node.account_states(&own)?, node.arriving(&own)?);
    let found = own.iter().zip(states).zip(arriving);
    // Addresses stand in one column, whatever stands before them.
    let width = match own.len() > wallet.used.accounts as usize {
        true => "imported".len(),
        false => wallet.used.accounts.saturating_sub(1).to_string().len(),
    };
    for (index, ((account, AccountState { balance, pending }), arriving)) in found.enumerate() {
        let mut remarks = Vec::new();
        if !arriving.is_zero() {
            remarks.push(format!("+{} not mined yet", show_wei(arriving)));
        }
        match pending {
            0 => {}
            1 => remarks.push("1 transaction is not mined yet".into()),
            more => remarks.push(format!("{more} transactions are not mined yet")),
        }
        let remark = remarks.join(", ");
        let derived = (index < wallet.used.accounts as usize).then_some(index);
        let number = derived.map_or("imported".into(), |index| index.to_string());
        rows.push(row(&format!("{number:>width$}  {account}"), show_wei(balance), remark));
        json.push(json!({
            "index": derived, "account": account.to_string(), "balanceWei": balance.to_string(),
            "pendingTransactions": pending, "pendingInWei": arriving.to_string(),
        }));
        sum = sum.saturating_add(balance).saturating_add(arriving);
    }
    Ok((rows, json, sum))
}

fn policies(node: &Node, wallet: &Wallet) -> Result<(Vec<Vec<String>>, Vec<Value>), WalletError> {
    let (mut rows, mut json) = (Vec::new(), Vec::new());
    for named in &wallet.policies {
        let address = wallet.network.address(&named.policy.lock());
        let coins = node.coin_balance(std::slice::from_ref(&address))?;
        let remark = match coins.pending_in {
            Amount::ZERO => String::new(),
            pending => format!("+{pending} not mined yet"),
        };
        rows.push(row(&named.name, coins.confirmed.to_string(), remark));
        json.push(json!({
            "name": named.name, "address": address, "confirmed": coins.confirmed, "pendingIn": coins.pending_in,
            "pendingOut": coins.pending_out,
        }));
    }
    Ok((rows, json))
}
