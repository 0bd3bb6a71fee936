//! `eth_call` and `eth_estimateGas` as libraries use them.

use alloy_primitives::Address;
use serde_json::{Value, json};

use super::{account, raw};
use crate::{
    dev::ACCOUNTS,
    rpc::testing::{TestNode, transfer},
};

/// The price that libraries offer on this chain: 1 gwei.
const PRICE: &str = "0x3b9aca00";

/// A node, and an account of it with so many wei.
fn with_account(wei: u64) -> (TestNode, Address) {
    let (node, poor) = (TestNode::fresh(), Address::repeat_byte(0x77));
    node.call("eth_sendRawTransaction", json!([raw(&transfer(ACCOUNTS[0].private_key, 0, poor, wei))]));
    node.call("evm_mine", json!([]));
    (node, poor)
}

#[test]
fn an_account_estimates_as_far_as_it_can_pay() {
    // 0.0002 CRN: 200,000 gas at this price, where a block has room for 60 million.
    let (node, poor) = with_account(200_000_000_000_000);
    let estimate = |fields: Value| {
        let mut transaction = json!({ "from": poor, "to": account(1), "gasPrice": PRICE });
        transaction.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        node.try_call("eth_estimateGas", json!([transaction]))
    };
    assert_eq!(estimate(json!({})), Ok(json!("0x5208")));
    assert_eq!(estimate(json!({ "value": "0x1" })), Ok(json!("0x5208")));
    // All but 20,000 gas.
    let (code, message) = estimate(json!({ "value": "0xa3b5840f4000" })).unwrap_err();
    assert_eq!((code, message.as_str()), (-32000, "gas required exceeds allowance (20000)"));
    // More than there is.
    let (code, message) = estimate(json!({ "value": "0xb5e620f48001" })).unwrap_err();
    assert_eq!(code, -32000);
    assert!(
        message.starts_with("insufficient funds for gas * price + value: the balance is 200000000000000 wei"),
        "{message}"
    );
    // A loop: JUMPDEST, PUSH0, JUMP, run as a creation.
    let endless = json!([{ "from": poor, "gasPrice": PRICE, "data": "0x5b5f56" }]);
    let (code, message) = node.try_call("eth_estimateGas", endless).unwrap_err();
    assert_eq!((code, message.as_str()), (-32000, "gas required exceeds allowance (200000)"));
    // Without a price nobody pays.
    assert_eq!(
        node.call("eth_estimateGas", json!([{ "from": Address::repeat_byte(0x78), "to": account(1) }])),
        "0x5208"
    );
}

#[test]
fn fields_of_a_transaction_that_mean_nothing_here_are_ignored() {
    let node = TestNode::fresh();
    // web3.js sends the first three.
    let transaction = json!([{
        "from": account(0), "to": account(1), "value": "0x1", "chain": "mainnet", "hardfork": "london",
        "networkId": "0x539", "gasLimit": "0x5208", "customData": { "a": 1 },
    }]);
    assert_eq!(node.call("eth_estimateGas", transaction.clone()), "0x5208");
    assert_eq!(node.call("eth_call", transaction), "0x");
}

#[test]
fn authorizations_are_run_and_paid_for() {
    let node = TestNode::fresh();
    let word = format!("0x{}", "11".repeat(32));
    let authorization =
        json!({ "chainId": "0x539", "address": account(2), "nonce": "0x0", "yParity": "0x1", "r": word, "s": "0x1" });
    let of = |list: Value| json!([{ "from": account(0), "to": account(1), "authorizationList": list }]);
    // 21,000, and 25,000 for each authorization.
    assert_eq!(node.call("eth_estimateGas", of(json!([authorization]))), "0xb3b0");
    assert_eq!(node.call("eth_estimateGas", of(json!([authorization, authorization]))), "0x11558");
    assert_eq!(node.call("eth_call", of(json!([authorization]))), "0x");
    let (code, message) = node.try_call("eth_call", of(json!([{ "address": account(2) }]))).unwrap_err();
    assert_eq!(
        (code, message.starts_with("transaction.authorizationList: expected an array of ")),
        (-32602, true),
        "{message}"
    );
}

#[test]
fn a_call_sees_the_number_and_time_of_the_block_that_it_names() {
    let node = TestNode::fresh();
    node.call("dev_mine", json!([3]));
    // NUMBER or TIMESTAMP; PUSH1 0; MSTORE; PUSH1 32; PUSH1 0; RETURN, run as a creation.
    let ask = |opcode: &str, block: Value| {
        let answer = node.call("eth_call", json!([{ "data": format!("0x{opcode}60005260206000f3") }, block]));
        u64::from_str_radix(answer.as_str().unwrap().trim_start_matches("0x").trim_start_matches('0'), 16).unwrap()
    };
    assert_eq!(ask("43", json!("latest")), 3);
    assert_eq!(ask("43", json!("0x1")), 1);
    assert_eq!(ask("43", json!("pending")), 4);
    let block = node.call("eth_getBlockByNumber", json!(["0x2", false]));
    assert_eq!(format!("{:#x}", ask("42", json!("0x2"))), block["timestamp"].as_str().unwrap());
    // So a block does not know its own hash, and knows its parent's: PUSH1 n; BLOCKHASH.
    let hash = |number: u64| {
        let code = format!("0x60{number:02x}4060005260206000f3");
        node.call("eth_call", json!([{ "data": code }, "0x2"]))
    };
    assert_eq!(hash(2), format!("0x{}", "00".repeat(32)));
    assert_eq!(hash(1), block["parentHash"]);
}

#[test]
fn refused_calls_speak_geths_words() {
    let node = TestNode::fresh();
    let say = |method: &str, fields: Value| node.try_call(method, json!([fields])).unwrap_err().1;
    let (from, poor, to) = (account(0), Address::repeat_byte(0x78), account(1));
    for method in ["eth_call", "eth_estimateGas"] {
        let no_funds = say(method, json!({ "from": poor, "to": to, "value": "0x1" }));
        assert!(no_funds.starts_with("insufficient funds for gas * price + value: "), "{method}: {no_funds}");
        let cheap = say(method, json!({ "from": from, "to": to, "maxFeePerGas": "0x1" }));
        assert!(cheap.starts_with("max fee per gas less than block base fee: "), "{method}: {cheap}");
    }
    let little = say("eth_call", json!({ "from": from, "to": to, "gas": "0x4e20" }));
    assert!(little.starts_with("intrinsic gas too low: "), "{little}");
    let little = say("eth_estimateGas", json!({ "from": from, "data": "0x00", "gas": "0x5208" }));
    assert_eq!(little, "gas required exceeds allowance (21000)");
}

#[test]
fn a_call_is_refused_in_geths_words() {
    let node = TestNode::fresh();
    let refused = |method: &str, params: Value| node.try_call(method, params).unwrap_err();
    let foreign = json!([{"from": account(0), "to": account(1), "chainId": "0x1"}]);
    for method in ["eth_call", "eth_estimateGas", "eth_createAccessList", "eth_sendTransaction", "eth_fillTransaction"]
    {
        let expected = (-32000, "chainId does not match node's (have=1, want=1337)".into());
        assert_eq!(refused(method, foreign.clone()), expected, "{method}");
    }
    let own = json!([{"from": account(0), "to": account(1), "chainId": "0x539"}]);
    assert_eq!(node.call("eth_estimateGas", own), "0x5208");
    let word = format!("0x{:064x}", 1);
    let authorization =
        json!({"chainId": "0x539", "address": account(1), "nonce": "0x0", "yParity": "0x0", "r": word, "s": word});
    let creation = json!([{"from": account(0), "data": "0x00", "authorizationList": [authorization]}]);
    assert_eq!(refused("eth_call", creation).1, "EIP-7702 transaction cannot be used to create contract");
    assert_eq!(refused("eth_call", json!([{"data": "0xfe"}])), (-32000, "invalid opcode: INVALID".into()));
    assert_eq!(refused("eth_call", json!([{"data": "0x0c"}])).1, "invalid opcode: opcode 0xc not defined");
}

#[test]
fn less_gas_than_a_transaction_needs_bounds_no_estimate() {
    let node = TestNode::fresh();
    let estimate =
        |gas: &str| node.try_call("eth_estimateGas", json!([{"from": account(0), "data": "0x00", "gas": gas}]));
    let needed = estimate("0xffffff").unwrap();
    assert_eq!(estimate("0x5207"), Ok(needed.clone()));
    assert_eq!(estimate("0x0"), Ok(needed));
    assert_eq!(estimate("0x5208").unwrap_err().1, "gas required exceeds allowance (21000)");
}

#[test]
fn a_filled_transaction_offers_what_the_node_itself_would() {
    let node = TestNode::fresh();
    let fill = |more: Value| {
        let mut call = json!({"from": account(0), "to": account(1), "gas": "0x5208"});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        node.call("eth_fillTransaction", json!([call]))
    };
    let filled = fill(json!({}));
    assert_eq!(filled["tx"]["maxPriorityFeePerGas"], "0x3b9aca00");
    let signed = node.call("eth_signTransaction", json!([{"from": account(0), "to": account(1)}]));
    let (raw, sent) = (filled["raw"].as_str().unwrap(), signed["raw"].as_str().unwrap());
    // But for the length and the signature they are the same, the fees too.
    assert_eq!((&raw[..4], &raw[raw.len() - 8..]), ("0x02", "c0808080"));
    let fields = &raw[6..raw.len() - 6];
    assert!(sent.contains(fields), "{raw} {sent}");
}
