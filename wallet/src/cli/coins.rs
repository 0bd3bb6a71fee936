//! `coins`, `freeze`, `unfreeze`.

use serde_json::{Value, json};

use super::{
    args::CoinIds,
    context::Context,
    parse::read_coin,
    screen::{self, Align, Report},
};
use crate::{
    coins::{self, OwnCoin, coin_name},
    error::{WalletError, usage},
    file::Wallet,
    node::ChainInfo,
};

/// Lists the wallet's own coins; those of policies are listed by `policy show`.
pub fn list(context: &Context, all: bool) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let (node, info) = context.node(&wallet.network)?;
    let coins = coins::load(&node, &wallet, node.block_hash(1)?)?;
    let mut found: Vec<(&OwnCoin, &str)> = Vec::new();
    found.extend(coins.spendable.iter().map(|coin| (coin, "spendable")));
    found.extend(coins.frozen.iter().map(|coin| (coin, "frozen")));
    found.extend(coins.immature.iter().map(|coin| (coin, "immature")));
    found.extend(coins.pending.iter().map(|coin| (coin, "pending")));
    if all {
        found.extend(coins.spent.iter().map(|coin| (coin, "spent")));
    }
    // Kept for what the node has lost; `resend` hands that in again.
    found.extend(coins.lost.iter().map(|coin| (coin, "lost")));
    found.sort_by_key(|(coin, _)| (std::cmp::Reverse(coin.output.amount), coin.outpoint));
    if found.is_empty() {
        return Ok(
            Report::new("", json!([])).hint("There are no coins; `cairn-wallet address` shows where to be paid.")
        );
    }
    let rows: Vec<Vec<String>> = found.iter().map(|(coin, state)| row(&wallet, coin, state, &info)).collect();
    let json: Vec<Value> = found.iter().map(|(coin, state)| as_json(&wallet, coin, state)).collect();
    let aligns = [Align::Left, Align::Point, Align::Left, Align::Right, Align::Left];
    let report = Report::new(screen::table(&aligns, &rows), json!(json));
    Ok(if found.len() > 1 { report.hint("The largest come first.") } else { report })
}

fn row(wallet: &Wallet, coin: &OwnCoin, state: &str, info: &ChainInfo) -> Vec<String> {
    let depth = coin.height.map(|height| info.height.saturating_sub(height).saturating_add(1));
    let age = match (coin.ripens_in(info.coinbase_maturity, info.height), depth) {
        (Some(blocks), _) => format!("mature in {}", screen::counted(blocks, "block")),
        (None, depth) => depth.map_or_else(String::new, |depth| screen::counted(depth, "block")),
    };
    let address = wallet.label(&coin.address).map_or_else(|| screen::short(&coin.address), str::to_owned);
    vec![coin_name(&coin.outpoint), coin.output.amount.to_string(), state.into(), age, address]
}

fn as_json(wallet: &Wallet, coin: &OwnCoin, state: &str) -> Value {
    json!({
        "coin": coin_name(&coin.outpoint), "txid": coin.outpoint.txid.to_string(), "index": coin.outpoint.index,
        "amount": coin.output.amount, "address": coin.address, "height": coin.height, "state": state,
        "coinbase": coin.coinbase, "spentBy": coin.spent_by.map(|txid| txid.to_string()),
        "label": wallet.label(&coin.address),
    })
}

/// Keeps coins from being spent, or lets them be spent again.
pub fn freeze(context: &Context, args: &CoinIds, freeze: bool) -> Result<Report, WalletError> {
    let named = args.coins.iter().map(|text| Ok(coin_name(&read_coin(text)?)));
    let named = named.collect::<Result<Vec<String>, WalletError>>()?;
    let (lock, mut wallet) = context.wallet_to_change()?;
    if freeze {
        let (node, _) = context.node(&wallet.network)?;
        let coins = coins::load(&node, &wallet, node.block_hash(1)?)?;
        let own = [&coins.spendable, &coins.frozen, &coins.immature, &coins.pending];
        let own: Vec<String> = own.into_iter().flatten().map(|coin| coin_name(&coin.outpoint)).collect();
        if let Some(foreign) = named.iter().find(|name| !own.contains(name)) {
            return Err(usage!("{foreign} is not an unspent coin of this wallet"));
        }
        wallet.frozen.extend(named);
    } else {
        for name in named {
            if !wallet.frozen.remove(&name) {
                return Err(usage!("{name} is not frozen"));
            }
        }
    }
    lock.write(&wallet)?;
    let text = wallet.frozen.iter().map(|name| format!("{name}\n")).collect::<String>();
    let report = Report::new(text, json!({ "frozen": wallet.frozen }));
    Ok(report.hint(match wallet.frozen.len() {
        0 => "No coin is frozen.".to_owned(),
        count => format!("Frozen: {}.", screen::counted(count as u64, "coin")),
    }))
}
