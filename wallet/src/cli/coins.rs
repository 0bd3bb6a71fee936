//! `coins`, `freeze`, `unfreeze`.

use chain_core::transaction::coin::OutPoint;
use serde_json::{Value, json};

use super::{
    args::{CoinNames, Coins},
    context::Context,
    screen::{self, Align, Report},
    spend::read_txid,
};
use crate::{
    error::WalletError,
    file::Wallet,
    funds::{self, OwnCoin, coin_name},
};

/// Lists the wallet's own coins; those of policies are listed by `policy show`.
pub fn list(context: &Context, args: &Coins) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let (node, info) = context.node(&wallet.network)?;
    let funds = funds::load(&node, &wallet, node.block_hash(1)?)?;
    let mut found: Vec<(&OwnCoin, &str)> = Vec::new();
    found.extend(funds.spendable.iter().map(|coin| (coin, "spendable")));
    found.extend(funds.frozen.iter().map(|coin| (coin, "frozen")));
    found.extend(funds.immature.iter().map(|coin| (coin, "immature")));
    found.extend(funds.pending.iter().map(|coin| (coin, "pending")));
    if args.all {
        found.extend(funds.spent.iter().map(|coin| (coin, "spent")));
    }
    // Kept for what the node has lost; `resend` hands that in again.
    found.extend(funds.lost.iter().map(|coin| (coin, "lost")));
    found.sort_by_key(|(coin, _)| (std::cmp::Reverse(coin.output.amount), coin.outpoint));
    if found.is_empty() {
        return Ok(
            Report::new("", json!([])).hint("There are no coins; `cairn-wallet address` shows where to be paid.")
        );
    }
    let rows: Vec<Vec<String>> = found.iter().map(|(coin, state)| row(&wallet, coin, state, info.height)).collect();
    let json: Vec<Value> = found.iter().map(|(coin, state)| as_json(&wallet, coin, state)).collect();
    let aligns = [Align::Left, Align::Point, Align::Left, Align::Right, Align::Left];
    Ok(Report::new(screen::table(&aligns, &rows), json!(json)))
}

fn row(wallet: &Wallet, coin: &OwnCoin, state: &str, tip: u32) -> Vec<String> {
    let depth = coin.height.map(|height| tip.saturating_sub(height).saturating_add(1));
    let age = depth.map_or_else(String::new, |depth| screen::counted(depth, "block"));
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

/// Reads `TXID:N`.
///
/// # Errors
/// [`WalletError::Usage`].
pub fn read_coin(text: &str) -> Result<OutPoint, WalletError> {
    let wrong =
        || WalletError::Usage(format!("'{text}' does not name a coin: write TXID:N, as `cairn-wallet coins` does"));
    let (txid, index) = text.trim().rsplit_once(':').ok_or_else(wrong)?;
    Ok(OutPoint { txid: read_txid(txid)?, index: index.parse().map_err(|_| wrong())? })
}

/// Keeps coins from being spent, or lets them be spent again.
pub fn freeze(context: &Context, args: &CoinNames, freeze: bool) -> Result<Report, WalletError> {
    let named = args.coins.iter().map(|text| Ok(coin_name(&read_coin(text)?)));
    let named = named.collect::<Result<Vec<String>, WalletError>>()?;
    let (lock, mut wallet) = context.wallet_to_change()?;
    if freeze {
        let (node, _) = context.node(&wallet.network)?;
        let funds = funds::load(&node, &wallet, node.block_hash(1)?)?;
        let own = [&funds.spendable, &funds.frozen, &funds.immature, &funds.pending];
        let own: Vec<String> = own.into_iter().flatten().map(|coin| coin_name(&coin.outpoint)).collect();
        if let Some(foreign) = named.iter().find(|name| !own.contains(name)) {
            return Err(WalletError::Usage(format!("{foreign} is not an unspent coin of this wallet")));
        }
        wallet.frozen.extend(named);
    } else {
        for name in named {
            if !wallet.frozen.remove(&name) {
                return Err(WalletError::Usage(format!("{name} is not frozen")));
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
