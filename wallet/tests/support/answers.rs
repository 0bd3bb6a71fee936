//! What the mock node answers.

use chain_core::{
    block::check::check_transaction,
    codec,
    hash::TxId,
    transaction::{
        Transaction,
        coin::{Coin, OutPoint, Output as CoinOutput},
        spend::spend_checks,
    },
    units::Amount,
};
use serde_json::{Value, json};

use super::{MockCoin, State};

pub fn answer(state: &mut State, call: &Value) -> Value {
    let method = call["method"].as_str().unwrap_or_default().to_owned();
    state.calls.push(method.clone());
    let answered = match &state.instead {
        _ if state.forbids.as_ref().is_some_and(|(other, _)| *other == method) => {
            Err(state.forbids.as_ref().map(|(_, error)| error.clone()).unwrap_or_default())
        }
        Some((other, answer)) if *other == method => Ok(answer.clone()),
        _ => result(state, &method, &call["params"]),
    };
    if let Ok(result) = &answered {
        state.answers.insert(method, result.clone());
    }
    match answered {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": call["id"], "result": result }),
        Err(error) => json!({ "jsonrpc": "2.0", "id": call["id"], "error": error }),
    }
}

fn result(state: &mut State, method: &str, params: &Value) -> Result<Value, Value> {
    let asked: Vec<String> = match &params[0] {
        Value::Array(list) => list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    };
    let network = &state.network;
    Ok(match method {
        "chain_getInfo" => json!({
            "chain": network.name, "chainId": network.chain_id, "hrp": network.hrp,
            "genesis": network.genesis.to_string(), "height": state.height, "headers": state.height,
            "baseFee": state.base_fee, "syncing": state.syncing, "coinbaseMaturity": 10, "targetInterval": 5,
            "time": 1_760_000_000, "more": "than the wallet knows",
        }),
        "coin_estimateFee" => json!({
            "baseFee": state.base_fee, "nextBaseFeeMax": state.base_fee / 8 * 9,
            "tipPerGas": { "slow": 0, "normal": 1_000_000, "fast": 100_000_000 }, "minReplacementPercent": 10,
        }),
        "coin_getCoins" => {
            let coins = state.coins.iter().filter(|coin| asked.contains(&coin.address)).map(coin_json);
            json!({ "height": state.height, "coins": coins.collect::<Vec<_>>(), "next": null })
        }
        "coin_getBalance" => balance(state, &asked),
        "coin_getHistory" => history(state, &asked, &params[1]),
        "chain_getAccountHistory" => json!({ "entries": state.account_history, "next": null }),
        "chain_getBlockHash" => json!(chain_core::hash::BlockHash(state.first_block).to_string()),
        "coin_sendRawTransaction" => send(state, params)?,
        "coin_getTransaction" => asked_transaction(state, &asked)?,
        "miner_setAddress" => {
            state.miner = asked.first().cloned();
            json!(true)
        }
        "miner_start" => {
            state.mining = true;
            json!(true)
        }
        "miner_stop" => {
            state.mining = false;
            json!(true)
        }
        "eth_getBalance" => {
            let own = state.balances.iter().find(|(account, _)| asked.contains(account));
            let wei = own.map_or(&state.balance_wei, |(_, wei)| wei);
            json!(format!("0x{:x}", wei.parse::<u128>().unwrap()))
        }
        "eth_getTransactionCount" => json!(format!("0x{:x}", nonce(state, params[1] == "pending"))),
        "eth_estimateGas" => {
            let input = params[0]["input"].as_str().unwrap_or_default();
            json!(if input.len() > 2 { "0x9000" } else { "0x5208" })
        }
        "eth_getCode" => json!("0x60016001"),
        "eth_call" => json!("0x"),
        "eth_getTransactionReceipt" => {
            let known = state.sent.iter().any(|sent| asked.contains(&format!("0x{}", sent.txid())));
            let receipt = json!({
                "status": if state.reverted { "0x0" } else { "0x1" }, "blockNumber": "0x79", "gasUsed": "0x5208",
                "effectiveGasPrice": "0x3b9aca00", "contractAddress": state.lies_about_contracts.then_some(LIAR), "logs": [],
            });
            if known && state.mined { receipt } else { Value::Null }
        }
        _ => return Err(json!({ "code": -32601, "message": format!("no method {method}") })),
    })
}

/// A transaction that was sent. Without an index only what waits is known.
fn asked_transaction(state: &State, asked: &[String]) -> Result<Value, Value> {
    let known = state.sent.iter().find(|sent| asked.contains(&sent.txid().to_string()));
    if state.no_index && (known.is_none() || state.mined) {
        return Err(json!({ "code": -32002, "message": "the node keeps no index of transactions" }));
    }
    Ok(known.map_or(Value::Null, |sent| transaction(state, sent)))
}

/// The next nonce: of what is mined, or after what waits as well.
fn nonce(state: &State, pending: bool) -> u64 {
    if let (true, Some(nonce)) = (pending, state.lies_about_nonce) {
        return nonce;
    }
    let waits = |nonce: u64| {
        let of = |sent: &Transaction| matches!(sent, Transaction::Account(tx) if tx.fields().nonce == nonce);
        pending && state.sent.iter().any(of)
    };
    (state.nonce..).find(|nonce| !waits(*nonce)).unwrap()
}

/// The account and the contract that a node makes up.
const LIAR: &str = "0x000000000000000000000000000000000000dEaD";

/// What the node says of a transaction that it has taken.
fn transaction(state: &State, sent: &Transaction) -> Value {
    let mined = state.mined;
    let mut answer = json!({
        "txid": sent.txid().to_string(), "height": mined.then_some(state.height + 1), "success": !state.reverted,
        "time": mined.then_some(1_760_000_000), "confirmations": if mined { state.confirmations } else { 0 },
        "fee": null, "gas": 21_000, "hex": hex::encode(codec::encode(sent)),
    });
    if let Transaction::Account(tx) = sent {
        let fields = tx.fields();
        answer["kind"] = json!("account");
        let from = tx.recover_sender().unwrap().to_string();
        answer["from"] = json!(if state.lies_about_contracts { LIAR } else { &from });
        answer["to"] = json!(fields.to.map(|to| to.to_string()));
        answer["nonce"] = json!(fields.nonce);
        answer["valueWei"] = json!(fields.value.to_string());
    }
    if let Transaction::Coin(tx) = sent {
        let spent = |outpoint: &OutPoint| {
            state.coins.iter().find(|coin| coin.outpoint == *outpoint).map_or(0, |coin| coin.amount)
        };
        let paid: u64 = tx.outputs.iter().map(|output| output.amount.grains()).sum();
        let output =
            |output: &CoinOutput| json!({ "amount": output.amount, "address": state.network.address(&output.lock) });
        answer["kind"] = json!("coin");
        answer["gas"] = json!(tx.gas(tx.size()));
        answer["fee"] = json!(tx.inputs.iter().map(spent).sum::<u64>().saturating_sub(paid));
        answer["outputs"] = tx.outputs.iter().map(output).collect();
    }
    answer
}

fn coin_json(coin: &MockCoin) -> Value {
    json!({
        "txid": coin.outpoint.txid.to_string(), "index": coin.outpoint.index, "amount": coin.amount,
        "address": coin.address, "height": coin.height, "coinbase": !coin.mature, "mature": coin.mature,
        "confirmations": 1, "spentBy": coin.spent_by.map(|txid| txid.to_string()),
    })
}

fn balance(state: &State, asked: &[String]) -> Value {
    let sum = |wanted: &dyn Fn(&MockCoin) -> bool| {
        let coins = state.coins.iter().filter(|coin| asked.contains(&coin.address) && wanted(coin));
        coins.map(|coin| coin.amount).sum::<u64>()
    };
    let mined = |coin: &MockCoin| coin.height.is_some();
    json!({
        "confirmed": sum(&|coin| mined(coin) && coin.mature), "immature": sum(&|coin| !coin.mature),
        "pendingIn": sum(&|coin| !mined(coin) && coin.spent_by.is_none()),
        "pendingOut": sum(&|coin| mined(coin) && coin.spent_by.is_some()),
        "spendable": 0, "coins": state.coins.len(),
    })
}

/// Newest first, in pages as a node makes them.
fn history(state: &State, asked: &[String], options: &Value) -> Value {
    if state.all_used {
        let txid = TxId([3; 32]).to_string();
        let entry = json!({ "txid": txid, "height": 1, "time": 1, "confirmations": 9, "kind": "coin", "received": 1, "sent": 0 });
        return json!({ "entries": [entry], "next": null });
    }
    let entry = |txid: &TxId, height: Option<u32>, kind: &str, amount: u64| {
        json!({
            "txid": txid.to_string(), "height": height, "blockHash": null, "time": height.map(|_| 1_760_000_000),
            "confirmations": 9, "kind": kind, "received": amount, "sent": 0,
        })
    };
    let coins = state.coins.iter().filter(|coin| asked.contains(&coin.address));
    let mut entries: Vec<Value> = coins
        .map(|coin| {
            let kind = if coin.height.is_some() { "coinbase" } else { "coin" };
            entry(&coin.outpoint.txid, coin.height, kind, coin.amount)
        })
        .collect();
    let received = state.received.iter().filter(|(address, ..)| asked.contains(address));
    entries.extend(received.map(|(_, txid, amount, height)| entry(txid, Some(*height), "coin", *amount)));
    entries.sort_by_key(|entry| std::cmp::Reverse(entry["height"].as_u64().unwrap_or(u64::MAX)));
    let start = options["cursor"].as_str().map_or(0, |cursor| cursor.parse::<usize>().unwrap());
    let limit = options["limit"].as_u64().unwrap_or(100).min(1_000) as usize;
    let next = (start + limit < entries.len()).then(|| (start + limit).to_string());
    let page: Vec<Value> = entries.into_iter().skip(start).take(limit).collect();
    json!({ "entries": page, "next": next })
}

/// Takes a transaction as a node would: well-formed, coins known, signatures good. Its outputs become coins.
fn send(state: &mut State, params: &Value) -> Result<Value, Value> {
    if let Some(error) = &state.refuse {
        return Err(error.clone());
    }
    let refused = |message: String| json!({ "code": -32003, "message": message, "data": { "reason": "invalid" } });
    let bytes = hex::decode(params[0].as_str().unwrap()).unwrap();
    let transaction: Transaction = codec::decode(&bytes).map_err(|error| refused(error.to_string()))?;
    check_transaction(&transaction).map_err(|error| refused(error.to_string()))?;
    let txid = transaction.txid();
    if state.sent.iter().any(|sent| sent.txid() == txid) {
        return Ok(json!(txid.to_string()));
    }
    if let Transaction::Coin(tx) = &transaction {
        let mut spent = Vec::new();
        for input in &tx.inputs {
            let coin = state.coins.iter_mut().find(|coin| coin.outpoint == *input);
            let coin = coin.ok_or_else(|| refused(format!("unknown coin {}:{}", input.txid, input.index)))?;
            coin.spent_by = Some(txid);
            let lock = state.network.coin_address(&coin.address).unwrap();
            let output = CoinOutput { amount: Amount::from_grains(coin.amount), lock };
            spent.push(Coin { output, height: coin.height.unwrap_or(state.height), coinbase: false });
        }
        let checks = spend_checks(&state.network.genesis, tx, &spent, state.height + 1);
        let checks = checks.map_err(|error| refused(error.to_string()))?;
        if !checks.iter().all(|check| check.verify()) {
            return Err(refused("a signature is wrong".into()));
        }
        for (output, index) in tx.outputs.iter().zip(0..) {
            state.coins.push(MockCoin {
                outpoint: OutPoint { txid, index },
                address: state.network.address(&output.lock),
                amount: output.amount.grains(),
                height: None,
                mature: true,
                spent_by: None,
            });
        }
    }
    if let (Transaction::Account(tx), true) = (&transaction, state.mined) {
        state.nonce = state.nonce.max(tx.fields().nonce + 1);
    }
    state.sent.push(transaction);
    Ok(json!(txid.to_string()))
}
