//! `tx` and `fees`.

use alloy_primitives::{Address, U256};
use chain_core::{
    codec,
    hash::TxId,
    transaction::{
        Transaction,
        coin::{CoinTransaction, KeyBytes, Lock, OutPoint, Output, Witness},
    },
    units::{Amount, GRAINS_PER_CRN},
};
use serde_json::{Value, json};

use super::{
    context::Context,
    dates,
    parse::read_txid,
    screen::{self, Align, Report},
    session::receipt,
};
use crate::{
    error::WalletError,
    fees::{self, Prices, Speed, TRANSFER_GAS},
    file::Wallet,
    money::{show_gwei, show_wei},
    network::Network,
    node::{FeeEstimate, Node, NodeError},
    own::KeyTable,
    payment::PaymentError,
};

/// Shows one transaction, of any sender.
pub fn show(context: &Context, txid: &str) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let txid = read_txid(txid)?;
    let (node, _) = context.node(&wallet.network)?;
    let sent = wallet.sent.iter().any(|sent| sent.txid == txid);
    let Some(mut found) = node.transaction_details(&txid)? else {
        let more = match sent {
            true => "; this wallet sent it: `cairn-wallet resend` rebroadcasts it",
            false => ": it is neither on its chain nor waits for a block",
        };
        return Err(WalletError::Unknown(format!("{txid} is unknown to the node{more}")));
    };
    let Some(transaction) = signed(&txid, &found) else {
        let reason = "the bytes in it are not those of this transaction".to_owned();
        return Err(NodeError::BadAnswer { method: "coin_getTransaction".into(), reason }.into());
    };
    correct(&mut found, &transaction, &wallet.network);
    let own = wallet.key_table()?;
    let mut rows = vec![row("state", state(&found), "")];
    rows.push(row("kind", text(&found, "kind"), ""));
    if let Some(name) = wallet.label(&txid.to_string()) {
        rows.push(row("label", name.into(), ""));
    }
    let outcome = Outcome::of(&node, &txid, &found);
    rows.extend(body(&wallet, &own, &found, &outcome));
    let mut json = found;
    json["contract"] = json!(outcome.contract.map(|contract| contract.to_string()));
    json["feeWei"] = json!(outcome.fee.map(|fee| fee.to_string()));
    json["txid"] = json!(txid.to_string());
    json["own"] = json!(sent);
    json["label"] = json!(wallet.label(&txid.to_string()));
    let table = screen::table(&[Align::Left, Align::Left, Align::Left], &rows);
    Ok(Report::new(format!("{}\n{table}", screen::bold(&txid.to_string())), json))
}

/// The transaction in a node's answer, if it is the one that was asked for.
fn signed(txid: &TxId, found: &Value) -> Option<Transaction> {
    let bytes = hex::decode(found["hex"].as_str()?).ok()?;
    codec::decode(&bytes).ok().filter(|transaction: &Transaction| transaction.txid() == *txid)
}

/// Replaces what the node says of a transaction by what its bytes say.
fn correct(found: &mut Value, transaction: &Transaction, network: &Network) {
    let outputs: Vec<&Output> = match transaction {
        Transaction::Account(tx) => {
            let fields = tx.fields();
            found["kind"] = "account".into();
            found["from"] = json!(tx.recover_sender().ok().map(|from| from.to_string()));
            found["to"] = json!(fields.to.map(|to| to.to_string()));
            found["nonce"] = fields.nonce.into();
            found["valueWei"] = fields.value.to_string().into();
            return;
        }
        Transaction::Coin(tx) => {
            found["kind"] = "coin".into();
            tx.outputs.iter().collect()
        }
        Transaction::Coinbase(coinbase) => {
            found["kind"] = "coinbase".into();
            coinbase.coins().map(|(_, output)| output).collect()
        }
    };
    let said = found["outputs"].as_array().cloned().unwrap_or_default();
    let output = |(index, output): (usize, &Output)| {
        let mut shown = said.get(index).filter(|said| said.is_object()).cloned().unwrap_or_else(|| json!({}));
        shown["amount"] = json!(output.amount);
        shown["address"] = network.address(&output.lock).into();
        shown
    };
    found["outputs"] = outputs.into_iter().enumerate().map(output).collect();
}

/// The contract that an account's transaction makes, and that account; none for any other.
pub fn made_contract(txid: &TxId, found: &Value) -> Option<(Address, Address)> {
    let Transaction::Account(tx) = signed(txid, found)? else { return None };
    let creates = tx.fields().to.is_none() && found["success"] != false;
    let from = tx.recover_sender().ok().filter(|_| creates)?;
    Some((from, from.create(tx.fields().nonce)))
}

/// What only an account's transaction has.
#[derive(Default)]
struct Outcome {
    contract: Option<Address>,
    /// What it paid, in wei; known once a block holds it.
    fee: Option<U256>,
}

impl Outcome {
    fn of(node: &Node, txid: &TxId, found: &Value) -> Self {
        let is_mined = found["kind"] == "account" && found["height"].is_u64();
        let receipt = if is_mined { receipt(node, txid) } else { None };
        let contract = made_contract(txid, found).map(|(_, contract)| contract);
        Self { contract, fee: receipt.map(|receipt| receipt.fee()) }
    }
}

fn row(name: &str, value: String, remark: &str) -> Vec<String> {
    vec![name.into(), value, remark.into()]
}

/// A field as text.
fn text(value: &Value, field: &str) -> String {
    let text = match &value[field] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    text.chars().take(200).collect()
}

fn state(found: &Value) -> String {
    let failed = if found["success"] == false { ", failed" } else { "" };
    match (found["height"].as_u64(), found["time"].as_u64()) {
        (Some(height), Some(time)) => {
            let depth = screen::counted(found["confirmations"].as_u64().unwrap_or(1), "confirmation");
            format!("in block {height} of {}, {depth}{failed}", dates::show(time))
        }
        _ => "not mined yet".into(),
    }
}

/// Who pays whom how much.
fn body(wallet: &Wallet, own: &KeyTable, found: &Value, outcome: &Outcome) -> Vec<Vec<String>> {
    let whose = |address: &str| match wallet.label(address) {
        Some(name) => name.to_owned(),
        None if wallet.network.destination(address).is_ok_and(|lock| own.owns(&lock)) => "yours".into(),
        None => String::new(),
    };
    let mut rows = Vec::new();
    if found["kind"] == "account" {
        let to = match &outcome.contract {
            Some(contract) => ("creates", contract.to_string()),
            None => ("to", text(found, "to")),
        };
        for (field, address) in [("from", text(found, "from")), to] {
            rows.push(row(field, address.clone(), &whose(&address)));
        }
        let value = text(found, "valueWei").parse().map(show_wei).unwrap_or_default();
        rows.push(row("value", format!("{value} CRN"), ""));
        rows.push(row("nonce", text(found, "nonce"), ""));
    }
    for output in found["outputs"].as_array().into_iter().flatten() {
        let address = text(output, "address");
        let amount =
            output["amount"].as_u64().map(|grains| Amount::from_grains(grains).to_string()).unwrap_or_default();
        rows.push(row("pays", format!("{amount} to {address}"), &whose(&address)));
    }
    if let Some(fee) = found["fee"].as_u64() {
        rows.push(row("fee", format!("{} CRN", Amount::from_grains(fee)), ""));
    }
    if let Some(fee) = outcome.fee {
        rows.push(row("fee", format!("{} CRN", show_wei(fee)), ""));
    }
    rows
}

/// Shows what gas costs now.
pub fn fees(context: &Context) -> Result<Report, WalletError> {
    let (node, info) = context.any_node()?;
    let estimate = node.fees()?;
    let speeds = [("slow", Speed::Slow), ("normal", Speed::Normal), ("fast", Speed::Fast)];
    let heads = [format!("coins ({} gas)", payment_gas()), format!("transfer ({TRANSFER_GAS} gas)")];
    let mut rows = vec![vec!["".into(), "tip".into(), heads[0].clone(), heads[1].clone()]];
    let mut last = None;
    let mut json = json!({ "baseFeeWei": estimate.base_fee.to_string(), "network": info.chain });
    for (name, speed) in speeds {
        let (tip, coin, account) = costs(&estimate, speed)?;
        match rows.last_mut() {
            // On a chain with room in its blocks all speeds cost the same.
            Some(row) if last == Some((tip, coin, account)) => row[0] += &format!(", {name}"),
            _ => rows.push(vec![
                name.into(),
                show_gwei(U256::from(tip)),
                coin.to_string(),
                Amount::from_wei_ceil(account).ok_or(PaymentError::TooLarge)?.to_string(),
            ]),
        }
        last = Some((tip, coin, account));
        json[name] = json!({ "tipWei": tip.to_string(), "payment": coin, "transferWei": account.to_string() });
    }
    let base = show_gwei(U256::from(estimate.base_fee));
    let text = format!("{} {base} per gas\n", screen::bold("Base fee"));
    let aligns = [Align::Left, Align::Right, Align::Right, Align::Right];
    Ok(Report::new(text + &screen::table(&aligns, &rows), json).hint(
        "Fees in CRN, rounded up to 0.00000001: of a payment in coins with one input and two outputs, and of a transfer \
         between accounts.",
    ))
}

/// Gas of a coin transaction with one input and two outputs of some CRN: what most payments are. Amounts above 42 CRN take
/// four bytes more each.
fn payment_gas() -> u64 {
    let output = Output { amount: Amount::from_grains(GRAINS_PER_CRN), lock: Lock::Key(KeyBytes([0; 32])) };
    let payment = CoinTransaction {
        inputs: vec![OutPoint { txid: TxId([0; 32]), index: 0 }],
        outputs: vec![output; 2],
        witnesses: vec![Witness::Key([0; 64].into())],
    };
    payment.gas(payment.size())
}

/// Tip in wei, and the fees of the two most usual transactions: of coins, and of accounts in wei.
fn costs(estimate: &FeeEstimate, speed: Speed) -> Result<(u64, Amount, U256), WalletError> {
    let prices = Prices::new(estimate, speed);
    let account = U256::from(prices.base).saturating_add(U256::from(prices.tip));
    Ok((prices.tip, fees::fee(payment_gas(), prices.coin())?, account.saturating_mul(U256::from(TRANSFER_GAS))))
}
