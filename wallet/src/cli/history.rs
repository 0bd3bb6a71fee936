//! `history`.

use std::collections::HashMap;

use alloy_primitives::U256;
use chain_core::{hash::TxId, units::Height};
use serde_json::{Value, json};

use super::{
    args::History,
    context::Context,
    resend::lost,
    screen::{self, Align, Report},
    spend::now,
};
use crate::{
    error::WalletError,
    file::Wallet,
    funds,
    keys::Branch,
    money::show_wei,
    node::{AccountEntry, AccountPage, CoinEntry, CoinPage, Node},
};

/// One line: what a transaction did to one side of the wallet.
struct Entry {
    txid: TxId,
    height: Option<Height>,
    time: Option<u64>,
    confirmations: u64,
    side: &'static str,
    kind: String,
    incoming: U256,
    outgoing: U256,
    failed: bool,
}

/// Lists what came and went.
pub fn execute(context: &Context, args: &History) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let (node, _) = context.node(&wallet.network)?;
    let mut entries = coins(&node, &wallet, args.limit)?;
    entries.extend(accounts(&node, &wallet, args.limit)?);
    let lost = lost(&node, &wallet, node.block_hash(1)?)?;
    if !lost.is_empty() {
        let ids: Vec<String> = lost.iter().map(|sent| sent.txid.to_string()).collect();
        screen::note(&screen::yellow(&format!(
            "the node has lost {}: hand it in again with `cairn-wallet resend`",
            ids.join(", ")
        )));
    }
    // Newest first; what is not mined yet is newest of all.
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.height.unwrap_or(Height::MAX)));
    entries.truncate(args.limit as usize);
    if entries.is_empty() {
        return Ok(Report::new("Nothing has come or gone yet.", json!([])));
    }
    let json = entries.iter().map(as_json).collect::<Vec<_>>();
    let now = now();
    let rows: Vec<Vec<String>> = entries.iter().map(|entry| row(entry, now)).collect();
    let aligns = [Align::Left, Align::Right, Align::Left, Align::Left, Align::Point, Align::Left];
    Ok(Report::new(screen::table(&aligns, &rows), json!(json)))
}

fn row(entry: &Entry, now: u64) -> Vec<String> {
    let when = match (entry.height, entry.time) {
        (Some(_), Some(time)) => screen::age(now.saturating_sub(time)),
        (Some(_), None) => String::new(),
        (None, _) => "pending".into(),
    };
    let amount = if entry.incoming >= entry.outgoing {
        format!("+{}", show_wei(entry.incoming - entry.outgoing))
    } else {
        format!("-{}", show_wei(entry.outgoing - entry.incoming))
    };
    let kind = if entry.failed { format!("{} (failed)", entry.kind) } else { entry.kind.clone() };
    let block = entry.height.map(|height| height.to_string()).unwrap_or_default();
    vec![when, block, entry.side.into(), kind, amount, entry.txid.to_string()]
}

fn as_json(entry: &Entry) -> Value {
    json!({
        "txid": entry.txid.to_string(), "height": entry.height, "time": entry.time,
        "confirmations": entry.confirmations, "side": entry.side, "kind": entry.kind,
        "inWei": entry.incoming.to_string(), "outWei": entry.outgoing.to_string(), "failed": entry.failed,
    })
}

/// Sums what each transaction did to all addresses of coins together.
fn coins(node: &Node, wallet: &Wallet, limit: u32) -> Result<Vec<Entry>, WalletError> {
    let used = wallet.used;
    let mut own = Vec::new();
    for (branch, count) in
        [(Branch::Receive, used.receive), (Branch::Change, used.change), (Branch::Policy, used.policy)]
    {
        own.extend(funds::branch_addresses(wallet, branch, 0..count)?);
    }
    let params = own.iter().map(|own| json!([own.address, { "limit": limit }])).collect();
    let pages: Vec<CoinPage> = node.call_many("coin_getHistory", params)?;
    let mut found: HashMap<TxId, Entry> = HashMap::new();
    for entry in pages.into_iter().flat_map(|page| page.entries) {
        let (incoming, outgoing) = (entry.received.to_wei(), entry.sent.to_wei());
        let sum = found.entry(entry.txid).or_insert_with(|| coin_entry(&entry));
        sum.incoming = sum.incoming.saturating_add(incoming);
        sum.outgoing = sum.outgoing.saturating_add(outgoing);
    }
    let mut entries: Vec<Entry> = found.into_values().collect();
    for entry in &mut entries {
        if entry.kind == "coin" {
            entry.kind = if entry.outgoing > entry.incoming { "sent" } else { "received" }.into();
        }
    }
    Ok(entries)
}

fn coin_entry(entry: &CoinEntry) -> Entry {
    let kind = match entry.kind.as_str() {
        "coinbase" => "mined",
        known @ ("coin" | "withdrawal") => known,
        _ => "other",
    };
    Entry {
        txid: entry.txid,
        height: entry.height,
        time: entry.time,
        confirmations: entry.confirmations,
        side: "coins",
        kind: kind.into(),
        incoming: U256::ZERO,
        outgoing: U256::ZERO,
        failed: false,
    }
}

fn accounts(node: &Node, wallet: &Wallet, limit: u32) -> Result<Vec<Entry>, WalletError> {
    let indices = 0..wallet.used.accounts;
    let accounts = indices.map(|index| wallet.keys.account(index)).collect::<Result<Vec<_>, _>>()?;
    let params = accounts.iter().map(|account| json!([account.to_string(), { "limit": limit }])).collect();
    let pages: Vec<AccountPage> = node.call_many("chain_getAccountHistory", params)?;
    // A block without a tip pays its beneficiary nothing.
    let told = |entry: &AccountEntry| entry.kind != "reward" || !entry.value_wei.is_zero();
    let entries = pages.into_iter().flat_map(|page| page.entries).filter(told).map(|entry| {
        let failed = entry.success == Some(false);
        let value = if failed { U256::ZERO } else { entry.value_wei };
        let fee = entry.fee_wei.unwrap_or_default();
        let (incoming, outgoing) = match entry.direction.as_str() {
            "in" => (value, U256::ZERO),
            "self" => (value, value.saturating_add(fee)),
            _ => (U256::ZERO, value.saturating_add(fee)),
        };
        let kind = match entry.kind.as_str() {
            known @ ("transfer" | "call" | "create" | "deposit" | "withdrawal" | "reward") => known,
            _ => "other",
        };
        Entry {
            txid: entry.txid,
            height: entry.height,
            time: entry.time,
            confirmations: entry.confirmations,
            side: "account",
            kind: kind.into(),
            incoming,
            outgoing,
            failed,
        }
    });
    Ok(entries.collect())
}
