//! `tx` and `fees`.

use alloy_primitives::{Address, U256};
use chain_core::{
    codec,
    execute::GATEWAY,
    hash::{BlockHash, TxId},
    transaction::{
        Transaction,
        account::{AccountTransaction, Fields},
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
    draft::withdraw_lock,
    error::WalletError,
    fees::{self, Prices, Speed, TRANSFER_GAS},
    file::Wallet,
    money::{show_gwei, show_wei},
    node::{FeeEstimate, Node, NodeError},
    own::KeyTable,
    payment::PaymentError,
};

/// Coins that are listed of those which a transaction spends.
const MOST_INPUTS: usize = 10;

/// Shows one transaction, of any sender. Who pays whom how much is read from its bytes; where it stands, whether it succeeded and what it
/// cost is the node's word.
pub fn show(context: &Context, txid: &str) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let txid = read_txid(txid)?;
    let (node, _) = context.node(&wallet.network)?;
    let sent = wallet.sent.iter().any(|sent| sent.txid == txid);
    let Some(found) = node.details(&txid)?.map(Value::Object) else {
        let more = match sent {
            true => "; this wallet sent it: `cairn-wallet resend` rebroadcasts it",
            false => ": it is neither on its chain nor waits for a block",
        };
        return Err(WalletError::Unknown(format!("{txid} is unknown to the node{more}")));
    };
    let transaction =
        signed(&txid, &found).ok_or_else(|| senseless("the bytes in it are not those of this transaction"))?;
    let place = Place::read(&found)?;
    let label = wallet.label(&txid.to_string());
    let mut json = json!({
        "txid": txid.to_string(), "own": sent, "label": label, "hex": hex::encode(transaction.encode()),
        "blockHash": place.as_ref().and_then(|place| place.block).map(|block| block.to_string()), "height": place.as_ref().map(|place| place.height),
        "time": place.as_ref().map(|place| place.time),
        "confirmations": place.as_ref().map_or(0, |place| place.confirmations),
    });
    let owner = Owner { wallet: &wallet, keys: wallet.key_table()? };
    let (kind, body) = match &transaction {
        Transaction::Account(tx) => ("account", account(&owner, &node, (&txid, tx), place.as_ref(), &mut json)?),
        Transaction::Coin(tx) => ("coin", coin(&owner, tx, &found, &mut json)),
        Transaction::Coinbase(coinbase) => {
            let outputs: Vec<_> = coinbase.coins().map(|(_, output)| output).collect();
            ("coinbase", owner.outputs(&outputs, &mut json))
        }
    };
    json["kind"] = kind.into();
    let failed = if json["success"] == false { ", failed" } else { "" };
    let state = place.map_or_else(|| "not mined yet".to_owned(), |place| place.show() + failed);
    let mut rows = vec![row("state", state, ""), row("kind", kind.into(), "")];
    rows.extend(label.map(|name| row("label", name.into(), "")));
    rows.extend(body);
    let table = screen::table(&[Align::Left, Align::Left, Align::Left], &rows);
    Ok(Report::new(format!("{}\n{table}", screen::bold(&txid.to_string())), json))
}

fn senseless(reason: &str) -> NodeError {
    NodeError::BadAnswer { method: "coin_getTransaction".into(), reason: reason.into() }
}

/// The transaction in a node's answer, if it is the one that was asked for. Its id does not cover the witnesses of a coin transaction.
fn signed(txid: &TxId, found: &Value) -> Option<Transaction> {
    let bytes = hex::decode(found["hex"].as_str()?).ok()?;
    codec::decode(&bytes).ok().filter(|transaction: &Transaction| transaction.txid() == *txid)
}

/// The contract that an account's transaction makes, and that account; none for any other.
pub fn made_contract(txid: &TxId, found: &Value) -> Option<(Address, Address)> {
    let Transaction::Account(tx) = signed(txid, found)? else { return None };
    let creates = tx.fields().to.is_none() && found["success"] != false;
    let from = tx.recover_sender().ok().filter(|_| creates)?;
    Some((from, from.create(tx.fields().nonce)))
}

/// Whom a plain withdrawal pays, if it can succeed.
fn withdraws(fields: &Fields) -> Option<Lock> {
    let amount = Amount::from_wei_exact(fields.value).filter(|amount| *amount != Amount::ZERO);
    let lock = withdraw_lock(&fields.input).filter(|_| fields.to == Some(GATEWAY) && amount.is_some())?;
    matches!(lock, Lock::Key(_) | Lock::Policy(_)).then_some(lock)
}

/// Where a mined transaction stands, as the node says.
struct Place {
    block: Option<BlockHash>,
    height: u32,
    time: u32,
    confirmations: u32,
    success: bool,
}

impl Place {
    /// Nothing if it is not mined.
    fn read(found: &Value) -> Result<Option<Self>, NodeError> {
        if found["height"].is_null() {
            return Ok(None);
        }
        let number = |field: &str| found[field].as_u64().and_then(|number| u32::try_from(number).ok());
        let place = match (number("height"), number("time"), number("confirmations"), found["success"].as_bool()) {
            (Some(height), Some(time), Some(confirmations @ 1..), Some(success)) => {
                let block = found["blockHash"].as_str().and_then(|text| text.parse().ok());
                Self { block, height, time, confirmations, success }
            }
            _ => return Err(senseless("no block can have its height, time, confirmations and success")),
        };
        Ok(Some(place))
    }

    fn show(&self) -> String {
        let depth = screen::counted(self.confirmations, "confirmation");
        format!("in block {} of {}, {depth}", self.height, dates::show(self.time.into()))
    }
}

fn row(name: &str, value: String, remark: &str) -> Vec<String> {
    vec![name.into(), value, remark.into()]
}

/// Says which addresses are the wallet's own.
struct Owner<'w> {
    wallet: &'w Wallet,
    keys: KeyTable,
}

impl Owner<'_> {
    fn remark(&self, address: &str) -> &str {
        let is_own = || self.wallet.network.destination(address).is_ok_and(|lock| self.keys.owns(&lock));
        self.wallet.label(address).unwrap_or_else(|| if is_own() { "yours" } else { "" })
    }

    fn row(&self, name: &str, address: &str) -> Vec<String> {
        row(name, address.to_owned(), self.remark(address))
    }

    fn outputs(&self, outputs: &[&Output], json: &mut Value) -> Vec<Vec<String>> {
        let shown = |output: &&Output| (output.amount, self.wallet.network.address(&output.lock));
        let shown: Vec<_> = outputs.iter().map(shown).collect();
        let part = |(amount, address): &(Amount, String)| json!({ "amount": amount, "address": address });
        json["outputs"] = shown.iter().map(part).collect();
        let pays =
            |(amount, address): &(Amount, String)| row("pays", format!("{amount} to {address}"), self.remark(address));
        shown.iter().map(pays).collect()
    }
}

/// What spends coins: the coins, and whom it pays.
fn coin(owner: &Owner<'_>, tx: &CoinTransaction, found: &Value, json: &mut Value) -> Vec<Vec<String>> {
    let spends = |spent: &OutPoint| row("spends", format!("{}:{}", spent.txid, spent.index), "");
    let mut rows: Vec<_> = tx.inputs.iter().take(MOST_INPUTS).map(spends).collect();
    if let Some(more) = tx.inputs.len().checked_sub(MOST_INPUTS).filter(|more| *more > 0) {
        rows.push(row("", format!("and {} more (--json shows all)", screen::counted(more, "coin")), ""));
    }
    let inputs = tx.inputs.iter().map(|spent| json!({ "txid": spent.txid.to_string(), "index": spent.index }));
    json["inputs"] = inputs.collect();
    rows.extend(owner.outputs(&tx.outputs.iter().collect::<Vec<_>>(), json));
    // The coins that it spends are not in its bytes.
    let fee = found["fee"].as_u64().map(Amount::from_grains);
    json["fee"] = json!(fee);
    rows.extend(fee.map(|fee| row("fee", format!("{fee} CRN"), "as the node says")));
    rows
}

/// What an account signed: who pays whom, or what is called.
fn account(
    owner: &Owner<'_>,
    node: &Node,
    (txid, tx): (&TxId, &AccountTransaction),
    place: Option<&Place>,
    json: &mut Value,
) -> Result<Vec<Vec<String>>, WalletError> {
    let (fields, success) = (tx.fields(), place.map(|place| place.success));
    let from = tx.recover_sender().map_err(|_| senseless("nobody signed it"))?;
    let creates = fields.to.is_none() && success != Some(false);
    let contract = creates.then(|| from.create(fields.nonce).to_string());
    let withdraws =
        withdraws(fields).filter(|_| success != Some(false)).map(|lock| owner.wallet.network.address(&lock));
    let (from, to) = (from.to_string(), fields.to.map(|to| to.to_string()));
    let fee = place.and_then(|_| receipt(node, txid)).map(|receipt| receipt.fee());
    let most = fields.fees.fee_cap().saturating_mul(U256::from(fields.gas_limit));
    if fee.is_some_and(|fee| fee > most) {
        let reason = "its fee is higher than what was signed".to_owned();
        return Err(NodeError::BadAnswer { method: "eth_getTransactionReceipt".into(), reason }.into());
    }
    let mut rows = vec![owner.row("from", &from)];
    rows.push(match (&to, &contract) {
        (Some(to), _) => owner.row("to", to),
        (None, Some(contract)) => owner.row("creates", contract),
        (None, None) => row("creates", "nothing".into(), ""),
    });
    rows.extend(withdraws.iter().map(|address| owner.row("pays", address)));
    rows.push(row("value", format!("{} CRN", show_wei(fields.value)), ""));
    rows.push(row("nonce", fields.nonce.to_string(), ""));
    rows.extend(fee.map(|fee| row("fee", format!("{} CRN", show_wei(fee)), "as the node says")));
    let own = json!({
        "from": from, "to": to, "contract": contract, "withdrawsTo": withdraws, "valueWei": fields.value.to_string(),
        "nonce": fields.nonce, "success": success, "feeWei": fee.map(|fee| fee.to_string()),
    });
    if let (Value::Object(json), Value::Object(own)) = (json, own) {
        json.extend(own);
    }
    Ok(rows)
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
