//! Blocks and transactions for people: amounts in CRN, times as dates, who is paid.

use alloy_primitives::{U256, utils::format_ether};
use cairn_client::{counted, utc};
use chain_core::units::Amount;
use serde_json::Value;

/// Letters of an input that are shown: a selector and two words.
const INPUT: usize = 136;

/// A text as it is, anything else as JSON.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// One line: a name, and what it is.
fn line(name: &str, value: impl std::fmt::Display) -> String {
    format!("{name:<14} {value}\n")
}

/// Lines of an object's fields; those that are not there are left out.
fn fields(object: &Value, names: &[&str]) -> String {
    let shown = |name: &&str| object.get(*name).filter(|value| !value.is_null()).map(|value| line(name, text(value)));
    names.iter().filter_map(shown).collect()
}

fn time(value: &Value) -> String {
    value.as_u64().map(|seconds| line("time", format_args!("{} UTC ({seconds})", utc(seconds)))).unwrap_or_default()
}

fn grains(value: &Value) -> String {
    format!("{} CRN", Amount::from_grains(value.as_u64().unwrap_or_default()))
}

/// Wei in CRN: eight decimals, more only where the amount has them.
fn wei(value: U256) -> String {
    let exact = format_ether(value);
    let (whole, fraction) = exact.split_once('.').unwrap_or((&exact, ""));
    format!("{whole}.{:0<8} CRN", fraction.trim_end_matches('0'))
}

/// A number that JSON has as decimals or, as Ethereum does, in hex after `0x`.
fn number(value: &Value) -> Option<U256> {
    value.as_str()?.parse().ok()
}

/// Whom the outputs of a transaction pay.
fn outputs(name: &str, transaction: &Value) -> String {
    let paid =
        |output: &Value| line(name, format_args!("{} to {}", grains(&output["amount"]), text(&output["address"])));
    transaction["outputs"].as_array().into_iter().flatten().map(paid).collect()
}

/// A block with its transactions in full, as `chain_getBlock` gives it at verbosity 2.
pub fn block(block: &Value) -> String {
    let transactions = block["transactions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut lines = fields(block, &["height", "hash", "prev", "next"]) + &time(&block["time"]);
    lines += &fields(block, &["confirmations", "difficulty", "bits", "nonce", "size", "gasUsed"]);
    if let Some(fee) = block["baseFee"].as_u64() {
        lines += &line("base fee", format_args!("{fee} wei per gas"));
    }
    // The first transaction is the coinbase: subsidy and the fees of coins.
    lines += &transactions.first().map(|coinbase| outputs("reward", coinbase)).unwrap_or_default();
    if let Some(account) = block["beneficiary"].as_str() {
        lines += &line("tips to", account);
    }
    lines += &fields(block, &["extra"]);
    lines += &line("transactions", transactions.len());
    lines.extend(transactions.iter().map(|tx| format!("  {}  {}\n", text(&tx["txid"]), text(&tx["kind"]))));
    lines
}

/// A transaction as `coin_getTransaction` gives it; `receipt` is that of an account's, once it is mined.
pub fn transaction(found: &Value, receipt: &Value) -> String {
    let mut lines = fields(found, &["txid", "kind"]);
    if found["blockHash"].is_null() {
        lines += &line("state", "waits in the mempool");
    } else {
        lines += &(fields(found, &["height", "blockHash", "position"]) + &time(&found["time"]));
    }
    lines += &fields(found, &["confirmations"]);
    if found["success"] == false {
        lines += &line("success", "no: it failed, and its fee was taken");
    }
    lines += &match found["kind"].as_str() {
        Some("account") => account(found, receipt),
        Some("coinbase") => outputs("reward", found) + &line("tips to", text(&found["beneficiary"])),
        _ => inputs(found) + &outputs("pays", found),
    };
    if !found["fee"].is_null() {
        lines += &line("fee", grains(&found["fee"]));
    }
    lines + &fields(found, &["gas", "size"])
}

/// The coins that are spent, and what unlocks them.
fn inputs(found: &Value) -> String {
    let spent = |input: &Value| {
        let by = text(&input["witness"]["type"]);
        line("spends", format_args!("{}:{} by its {by}", text(&input["txid"]), input["index"]))
    };
    found["inputs"].as_array().into_iter().flatten().map(spent).collect()
}

/// Who sends what to whom, and what it costs.
fn account(found: &Value, receipt: &Value) -> String {
    let mut lines = fields(found, &["from"]);
    lines += &line("to", found["to"].as_str().unwrap_or("a new contract"));
    lines += &receipt["contractAddress"].as_str().map(|made| line("contract", made)).unwrap_or_default();
    lines += &line("value", wei(number(&found["valueWei"]).unwrap_or_default()));
    lines += &fields(found, &["nonce"]);
    for (name, field) in [("max fee", "maxFeePerGas"), ("max tip", "maxPriorityFeePerGas")] {
        lines += &line(name, format_args!("{} wei per gas", text(&found[field])));
    }
    if let (Some(gas), Some(price)) = (number(&receipt["gasUsed"]), number(&receipt["effectiveGasPrice"])) {
        let fee = wei(gas.saturating_mul(price));
        lines += &line("fee", format_args!("{fee}: {gas} gas of {} at {price} wei", found["gasLimit"]));
    }
    let input = text(&found["input"]);
    if !input.is_empty() {
        let shown: String = input.chars().take(INPUT).collect();
        let cut = if shown.len() < input.len() { "…" } else { "" };
        lines += &line("input", format_args!("0x{shown}{cut} ({})", counted(input.len() / 2, "byte")));
    }
    outputs_of(found) + &lines
}

/// What a withdrawal pays in coins.
fn outputs_of(found: &Value) -> String {
    let paid = |coin: &Value| {
        let name = format!("{}:{}", text(&coin["txid"]), coin["index"]);
        line("withdraws", format_args!("{} to {} as {name}", grains(&coin["amount"]), text(&coin["address"])))
    };
    found["withdrawals"].as_array().into_iter().flatten().map(paid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_block_says_what_it_pays_to_whom() {
        let shown = block(&json!({
            "height": 7, "hash": "ab", "prev": "aa", "next": null, "time": 1_764_310_859, "confirmations": 1,
            "difficulty": 2.5, "bits": "207fffff", "nonce": 9, "size": 345, "gasUsed": 8_000, "baseFee": 7,
            "beneficiary": "0x01", "extra": "00ff",
            "transactions": [
                { "txid": "c0", "kind": "coinbase", "outputs": [{ "amount": 500_000_700, "address": "lcrn1a" }] },
                { "txid": "c1", "kind": "coin" },
            ],
        }));
        let expected = "height         7\nhash           ab\nprev           aa\n\
                        time           2025-11-28 06:20 UTC (1764310859)\nconfirmations  1\ndifficulty     2.5\n\
                        bits           207fffff\nnonce          9\nsize           345\ngasUsed        8000\n\
                        base fee       7 wei per gas\nreward         5.00000700 CRN to lcrn1a\ntips to        0x01\n\
                        extra          00ff\ntransactions   2\n  c0  coinbase\n  c1  coin\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_transaction_of_coins_says_what_it_spends_and_pays() {
        let mut found = json!({
            "txid": "c1", "kind": "coin", "blockHash": null, "height": null, "confirmations": 0, "fee": 1_234,
            "gas": 25_432, "size": 277, "success": true, "hex": "00",
            "inputs": [{ "txid": "ff", "index": 1, "witness": { "type": "key", "signature": "11" } }],
            "outputs": [{ "index": 0, "amount": 150_000_000, "address": "lcrn1b", "lock": { "type": "key" } }],
        });
        let rest = "spends         ff:1 by its key\npays           1.50000000 CRN to lcrn1b\n\
                    fee            0.00001234 CRN\ngas            25432\nsize           277\n";
        let waits = format!(
            "txid           c1\nkind           coin\nstate          waits in the mempool\nconfirmations  0\n{rest}"
        );
        assert_eq!(transaction(&found, &Value::Null), waits);
        (found["blockHash"], found["height"], found["time"]) = (json!("ab"), json!(7), json!(0));
        let mined = "txid           c1\nkind           coin\nheight         7\nblockHash      ab\n\
                     time           1970-01-01 00:00 UTC (0)\nconfirmations  0\n";
        assert_eq!(transaction(&found, &Value::Null), format!("{mined}{rest}"));
    }

    #[test]
    fn a_transaction_of_an_account_is_in_crn() {
        let found = json!({
            "txid": "c2", "kind": "account", "blockHash": "ab", "height": 7, "time": 0, "confirmations": 2, "fee": null,
            "success": false, "from": "0x0a", "to": null, "nonce": 3, "valueWei": "1500000000000000001", "gas": 30_000,
            "gasLimit": 30_000, "maxFeePerGas": "9", "maxPriorityFeePerGas": "2", "input": "c0de", "size": 110,
        });
        let receipt = json!({ "gasUsed": "0x5208", "effectiveGasPrice": "0x3b9aca00", "contractAddress": "0x0c" });
        let shown = transaction(&found, &receipt);
        for part in [
            "success        no: it failed, and its fee was taken\n",
            "to             a new contract\ncontract       0x0c\nvalue          1.500000000000000001 CRN\n",
            "max tip        2 wei per gas\nfee            0.00002100 CRN: 21000 gas of 30000 at 1000000000 wei\n",
            "input          0xc0de (2 bytes)\n",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}
