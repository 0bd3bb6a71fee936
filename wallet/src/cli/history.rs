//! `history`.

use std::{cmp::Reverse, collections::BTreeMap};

use alloy_primitives::{Address, U256};
use chain_core::{
    hash::TxId,
    units::{Amount, Height},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    args::History,
    context::Context,
    dates,
    resend::{lost, warn_of_other_chain},
    screen::{self, Align, Report},
    tx::made_contract,
};
use crate::{
    coins,
    error::WalletError,
    file::Wallet,
    money::show_wei,
    node::{AccountEntry, CoinEntry, EntryHead, Node, NodeError},
    own::KeyTable,
};

/// The side of plain coins.
const COINS: &str = "coins";

/// The side of accounts.
const ACCOUNT: &str = "account";

/// One line: what a transaction did to one side of the wallet.
struct Line {
    head: EntryHead,
    /// `coins`, `account`, or the name of a policy.
    side: String,
    incoming: U256,
    outgoing: U256,
    failed: bool,
    /// The contract that it made.
    contract: Option<Address>,
}

/// Lists transactions.
pub fn execute(context: &Context, args: &History) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let (node, _) = context.node(&wallet.network)?;
    let mut entries = coins(&node, &wallet, args)?;
    entries.extend(policies(&node, &wallet, args)?);
    entries.extend(accounts(&node, &wallet, args)?);
    let first_block = node.block_hash(1)?;
    warn_of_other_chain(&wallet, first_block);
    let lost = lost(&node, &wallet, first_block)?;
    if !lost.is_empty() {
        let ids: Vec<String> = lost.iter().map(|sent| sent.txid.to_string()).collect();
        screen::warn(&format!("the node has lost {}: rebroadcast with `cairn-wallet resend`", ids.join(", ")));
    }
    // Newest first; what is not mined yet is newest of all. Within a block the order is always the same.
    entries.sort_by(|one, two| {
        let key = |entry: &Line| (Reverse(entry.head.height.unwrap_or(Height::MAX)), entry.head.txid.0);
        key(one).cmp(&key(two)).then_with(|| one.side.cmp(&two.side))
    });
    let older = entries.len() > args.limit as usize + args.skip as usize;
    let mut shown: Vec<Line> = entries.into_iter().skip(args.skip as usize).take(args.limit as usize).collect();
    if shown.is_empty() {
        return Ok(Report::new("", json!([])).hint(nothing(args)));
    }
    let own = wallet.key_table()?;
    name_contracts(&node, &own, &mut shown)?;
    let mined = shown.iter().filter(|entry| is_mined(&entry.head.kind)).count();
    let replaced = |entry: &Line| {
        let sent = wallet.sent.iter().find(|sent| sent.txid == entry.head.txid)?;
        sent.replaced(&wallet.sent, &wallet.network, &own)
    };
    let json = shown.iter().map(|entry| as_json(&wallet, entry, replaced(entry))).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = shown.iter().map(|entry| row(&wallet, entry, replaced(entry))).collect();
    let aligns = [Align::Left, Align::Right, Align::Left, Align::Left, Align::Point, Align::Left, Align::Left];
    let mut report = Report::new(screen::table(&aligns, &rows), json!(json));
    if older {
        let next = args.skip as usize + shown.len();
        report =
            report.hint(format!("There are older ones: `cairn-wallet history --skip {next}`, or a larger --limit."));
    }
    Ok(if mined >= MANY && mined * 2 > shown.len() {
        report.hint(format!(
            "{mined} of these {} are rewards of mined blocks: `cairn-wallet history --no-mined` leaves them out.",
            shown.len()
        ))
    } else {
        report
    })
}

/// Finds the contracts that the wallet's accounts made: they have no line of their own.
fn name_contracts(node: &Node, own: &KeyTable, shown: &mut [Line]) -> Result<(), WalletError> {
    let made: Vec<&mut Line> = shown.iter_mut().filter(|line| line.head.kind == "create").collect();
    let params = made.iter().map(|line| json!([line.head.txid.to_string()])).collect();
    let found: Vec<Value> = match node.call_many("coin_getTransaction", params) {
        // Without an index nothing is known of what is mined. The rest is worth showing.
        Err(NodeError::Refused { .. }) => return Ok(()),
        other => other?,
    };
    for (line, found) in made.into_iter().zip(&found) {
        let made = made_contract(&line.head.txid, found);
        line.contract = made.filter(|(from, _)| own.account(from, None).is_some()).map(|(_, contract)| contract);
    }
    Ok(())
}

/// Mined entries from which on they are said to be many, if they are most.
const MANY: usize = 5;

/// Whether a kind is what a block pays to those who mine it.
fn is_mined(kind: &str) -> bool {
    matches!(kind, "mined" | "reward")
}

fn nothing(args: &History) -> &'static str {
    let all = args.skip == 0 && !args.no_mined && args.since.is_none() && args.until.is_none();
    if all { "Nothing has come or gone yet." } else { "Nothing else has come or gone." }
}

/// Whether an entry of a node is wanted.
fn wanted(args: &History, entry: &EntryHead) -> bool {
    let mined = matches!(entry.kind.as_str(), "coinbase" | "reward");
    // What is not mined yet happens now.
    let time = entry.time.unwrap_or(u64::MAX);
    !(mined && args.no_mined)
        && args.since.is_none_or(|since| time >= since)
        && args.until.is_none_or(|until| entry.time.is_some_and(|time| time < until))
}

/// The newest wanted entries of each address, as many as could be shown.
fn load<T: DeserializeOwned>(
    node: &Node,
    method: &str,
    addresses: &[String],
    args: &History,
    head: fn(&T) -> &EntryHead,
) -> Result<Vec<Vec<T>>, WalletError> {
    // One more shows whether there are older ones.
    let most = args.limit as usize + args.skip as usize + 1;
    let too_old = |entry: &T| head(entry).time.zip(args.since).is_some_and(|(time, since)| time < since);
    Ok(node.entries(method, addresses, most, &|entry| wanted(args, head(entry)), &too_old)?)
}

fn row(wallet: &Wallet, entry: &Line, replaced: Option<(TxId, bool)>) -> Vec<String> {
    let when = match (entry.head.height, entry.head.time) {
        (Some(_), Some(time)) => dates::show(time),
        (Some(_), None) => String::new(),
        (None, _) => "pending".into(),
    };
    let amount = if entry.incoming >= entry.outgoing {
        format!("+{}", show_wei(entry.incoming - entry.outgoing))
    } else {
        format!("-{}", show_wei(entry.outgoing - entry.incoming))
    };
    let kind = if entry.failed { format!("{} (failed)", entry.head.kind) } else { entry.head.kind.clone() };
    let block = entry.head.height.map(|height| height.to_string()).unwrap_or_default();
    let txid = entry.head.txid.to_string();
    let mut name = wallet.label(&txid).unwrap_or_default().to_owned();
    if let Some((other, pays)) = replaced {
        let word = if pays { "replaces" } else { "cancels" };
        name = format!("{name} {word} {}", screen::short(&other.to_string())).trim_start().to_owned();
    }
    if let Some(contract) = entry.contract {
        name = format!("{name} creates {contract}").trim_start().to_owned();
    }
    vec![when, block, entry.side.clone(), kind, amount, txid, name]
}

/// Coins count in grains, accounts in wei.
fn as_json(wallet: &Wallet, entry: &Line, replaced: Option<(TxId, bool)>) -> Value {
    let mut json = json!({
        "txid": entry.head.txid.to_string(), "height": entry.head.height, "time": entry.head.time,
        "confirmations": entry.head.confirmations, "side": entry.side, "kind": entry.head.kind, "failed": entry.failed,
        "label": wallet.label(&entry.head.txid.to_string()),
    });
    if let Some((other, pays)) = replaced {
        json[if pays { "replaces" } else { "cancels" }] = json!(other.to_string());
    }
    if let Some(contract) = entry.contract {
        json["contract"] = json!(contract.to_string());
    }
    if entry.side == ACCOUNT {
        json["inWei"] = json!(entry.incoming.to_string());
        json["outWei"] = json!(entry.outgoing.to_string());
    } else {
        json["in"] = json!(Amount::from_wei_exact(entry.incoming));
        json["out"] = json!(Amount::from_wei_exact(entry.outgoing));
    }
    json
}

/// Sums what each transaction did to all addresses of coins together.
fn coins(node: &Node, wallet: &Wallet, args: &History) -> Result<Vec<Line>, WalletError> {
    let mut own = Vec::new();
    for (branch, count) in wallet.used.branches() {
        own.extend(coins::branch_addresses(wallet, branch, 0..count)?.into_iter().map(|own| own.address));
    }
    let pages = load(node, "coin_getHistory", &own, args, |entry: &CoinEntry| &entry.head)?;
    Ok(sums(pages.into_iter().flatten(), COINS))
}

/// Payments to and from the addresses of policies, by any signer.
fn policies(node: &Node, wallet: &Wallet, args: &History) -> Result<Vec<Line>, WalletError> {
    let addresses: Vec<String> =
        wallet.policies.iter().map(|named| wallet.network.address(&named.policy.lock())).collect();
    let pages = load(node, "coin_getHistory", &addresses, args, |entry: &CoinEntry| &entry.head)?;
    let named = wallet.policies.iter().zip(pages);
    Ok(named.flat_map(|(named, entries)| sums(entries.into_iter(), &named.name)).collect())
}

/// One line a transaction.
fn sums(entries: impl Iterator<Item = CoinEntry>, side: &str) -> Vec<Line> {
    let mut found: BTreeMap<[u8; 32], Line> = BTreeMap::new();
    for entry in entries {
        let (incoming, outgoing) = (entry.received.to_wei(), entry.sent.to_wei());
        let sum = found.entry(entry.head.txid.0).or_insert_with(|| coin_line(entry, side));
        sum.incoming = sum.incoming.saturating_add(incoming);
        sum.outgoing = sum.outgoing.saturating_add(outgoing);
    }
    let mut entries: Vec<Line> = found.into_values().collect();
    for entry in entries.iter_mut().filter(|entry| entry.head.kind == "coin") {
        entry.head.kind = if entry.outgoing > entry.incoming { "sent" } else { "received" }.into();
    }
    entries
}

fn coin_line(entry: CoinEntry, side: &str) -> Line {
    let kind: String = match entry.head.kind.as_str() {
        "coinbase" => "mined",
        known @ ("coin" | "withdrawal") => known,
        _ => "other",
    }
    .into();
    let head = EntryHead { kind, ..entry.head };
    Line { head, side: side.into(), incoming: U256::ZERO, outgoing: U256::ZERO, failed: false, contract: None }
}

fn accounts(node: &Node, wallet: &Wallet, args: &History) -> Result<Vec<Line>, WalletError> {
    let own = wallet.accounts()?.iter().map(ToString::to_string).collect::<Vec<_>>();
    let pages = load(node, "chain_getAccountHistory", &own, args, |entry: &AccountEntry| &entry.head)?;
    // A block without a tip pays its beneficiary nothing.
    let told = |entry: &AccountEntry| entry.head.kind != "reward" || !entry.value_wei.is_zero();
    Ok(pages.into_iter().flatten().filter(told).map(account_line).collect())
}

fn account_line(entry: AccountEntry) -> Line {
    let failed = entry.success == Some(false);
    let value = if failed { U256::ZERO } else { entry.value_wei };
    let fee = entry.fee_wei.unwrap_or_default();
    let (incoming, outgoing) = match entry.direction.as_str() {
        "in" => (value, U256::ZERO),
        "self" => (value, value.saturating_add(fee)),
        _ => (U256::ZERO, value.saturating_add(fee)),
    };
    let kind: String = match entry.head.kind.as_str() {
        known @ ("transfer" | "call" | "create" | "deposit" | "withdrawal" | "reward") => known,
        _ => "other",
    }
    .into();
    let head = EntryHead { kind, ..entry.head };
    Line { head, side: ACCOUNT.into(), incoming, outgoing, failed, contract: None }
}
