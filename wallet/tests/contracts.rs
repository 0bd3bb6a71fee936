//! What is said of contracts: why one takes no payment, and where one that was made is.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::json;
use support::{ACCOUNT, rich};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

#[test]
fn a_contract_that_takes_no_money_is_no_fault_of_the_node() {
    let (node, home, _) = rich();
    for (code, says) in [
        (3, "is a contract and refuses the payment, so nothing was sent: it gave no reason"),
        (-32000, "is a contract and refuses the payment, so nothing was sent: execution reverted"),
    ] {
        let error = json!({ "code": code, "message": "execution reverted", "data": "0x" });
        node.state().forbids = Some(("eth_estimateGas".into(), error));
        home.run(&["transfer", TO, "1", "--yes"]).fails(9, &format!("{TO} {says}"));
    }
    let error = json!({ "code": -32603, "message": "internal error" });
    node.state().forbids = Some(("eth_estimateGas".into(), error));
    home.run(&["transfer", TO, "1", "--yes"]).fails(5, "internal error");
    assert!(node.state().sent.is_empty());
}

#[test]
fn a_contract_is_found_by_the_transaction_that_made_it() {
    let (node, home, _) = rich();
    let sent = home.json(&["deploy", "0x6001600101"]);
    let (txid, contract) = (sent["txid"].as_str().unwrap(), sent["contract"].as_str().unwrap());
    // It has its address before a block holds it, and a fee afterwards.
    assert_eq!(home.json(&["tx", txid])["contract"], contract);
    node.state().mined = true;
    node.state().account_history = json!([{
        "txid": txid, "height": 121, "blockHash": null, "time": 1_760_000_000, "confirmations": 1, "kind": "create",
        "direction": "out", "from": ACCOUNT, "to": null, "valueWei": "0", "feeWei": "21000", "success": true,
    }]);
    let shown = home.json(&["tx", txid]);
    assert_eq!((&shown["contract"], &shown["feeWei"]), (&json!(contract), &json!("21000000000000")));
    let text = home.run(&["tx", txid]).out;
    for line in [format!("creates  {contract}"), "fee      0.000021".into()] {
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert!(!text.contains(" to "), "{text}");
    let listed = home.run(&["history"]).out;
    assert!(listed.contains(&format!("creates {contract}")), "{listed}");
    assert_eq!(home.json(&["history"])[0]["contract"], contract);
    // The bytes that were signed say which it is, whatever the node says.
    node.state().lies_about_contracts = true;
    let shown = home.json(&["tx", txid]);
    assert_eq!((&shown["contract"], &shown["from"]), (&json!(contract), &json!(ACCOUNT)));
    assert!(!home.run(&["tx", txid]).out.contains("dEaD"));
    assert_eq!(home.json(&["history"])[0]["contract"], contract);
    let again = home.run(&["deploy", "0x6001600101", "--again", "--wait", "--yes"]);
    assert!(again.out.contains("Contract: 0x") && !again.out.contains("dEaD"), "{}{}", again.out, again.err);
    assert!(again.err.contains("names another contract"), "{}", again.err);
    node.state().lies_about_contracts = false;
    // What pays somebody makes nothing.
    let paid = home.json(&["transfer", TO, "1"]);
    assert_eq!(home.json(&["tx", paid["txid"].as_str().unwrap()])["contract"], json!(null));
}
