//! What was sent stays sent, whatever fails afterwards: the error names it and says so, and the same payment is not made again
//! before the user was told what became of the first.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs::File;

use serde_json::{Value, json};
use support::{Home, MockNode, answered, rich};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

fn first_txid(node: &MockNode) -> String {
    node.state().sent[0].txid().to_string()
}

/// The node answers nonsense to a method.
fn confuse(node: &MockNode, method: &str) {
    node.state().instead = Some((method.to_owned(), json!("nonsense")));
}

fn paid_already(home: &Home, payment: &[&str], txid: &str) {
    let refused = home.run(&[payment, &["--yes"]].concat());
    refused.fails(8, &format!("ago in {txid}, which is in block "));
}

#[test]
fn a_receipt_that_is_lost_leaves_a_success_with_a_warning() {
    for order in [&["transfer", TO, "1", "--wait"][..], &["call", TO, "pay()", "--wait"], &["withdraw", "1", "--wait"]]
    {
        let (node, home, _) = rich();
        node.state().mined = true;
        confuse(&node, "eth_getTransactionReceipt");
        let answer = home.run(&[order, &["--yes", "--json"]].concat());
        let report = answer.json();
        assert_eq!((&report["txid"], report["height"].as_u64()), (&json!(first_txid(&node)), Some(121)), "{order:?}");
        let beside: Value = serde_json::from_str(&answer.err).unwrap();
        let warned = beside["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one.to_string().contains("its receipt cannot be read"));
        assert!(warned, "{order:?}: {beside}");
    }
}

#[test]
fn what_cannot_be_followed_ends_as_sent_and_is_not_paid_again() {
    for order in [vec!["send", "FRIEND=1"], vec!["transfer", TO, "1"]] {
        let (node, home, friend) = rich();
        let order: Vec<String> = order.iter().map(|word| word.replace("FRIEND", &friend)).collect();
        let order: Vec<&str> = order.iter().map(String::as_str).collect();
        node.state().mined = true;
        confuse(&node, "coin_getTransaction");
        let answer = home.run(&[&order[..], &["--wait", "--yes", "--json"]].concat());
        let error = serde_json::from_str::<Value>(&answer.err).unwrap()["error"].clone();
        assert_eq!((answer.code, &error["kind"]), (11, &json!("unclear")), "{error}");
        assert_eq!(error["txid"], first_txid(&node), "{error}");
        assert!(error["message"].as_str().unwrap().contains(" was sent, but: "), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("do not pay again"), "{error}");
        node.state().instead = None;
        paid_already(&home, &order, &first_txid(&node));
        // Once that was said, it may be paid again.
        assert_eq!(home.json(&["resend"])["arrived"][0]["txid"], first_txid(&node));
        home.json(&order);
    }
}

#[test]
fn what_a_node_forgets_and_does_not_judge_is_unclear() {
    let (node, home, friend) = rich();
    node.state().instead = Some(("coin_getTransaction".into(), Value::Null));
    let mut command = home.command(&["send", &format!("{friend}=1"), "--wait", "--yes", "--json"]);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    while node.state().sent.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    node.state().refuse = Some(json!({ "code": -32603, "message": "internal" }));
    let answer = answered(child.wait_with_output().unwrap());
    let error = serde_json::from_str::<Value>(&answer.err).unwrap()["error"].clone();
    assert_eq!((answer.code, &error["txid"]), (11, &json!(first_txid(&node))), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_nobody_could_read_leaves_the_payment_unclear() {
    let (node, home, friend) = rich();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let payment = ["send", &format!("{friend}=1")];
    for flags in [&["--yes", "--json"][..], &["--yes", "--json", "--wait", "--again"]] {
        node.state().mined = true;
        let answer = answered(home.command(&[&payment[..], flags].concat()).stdout(full()).output().unwrap());
        let error = serde_json::from_str::<Value>(&answer.err).unwrap()["error"].clone();
        let last = node.state().sent.last().unwrap().txid().to_string();
        assert_eq!((answer.code, &error["txid"]), (11, &json!(last)), "{error}");
        assert!(error["message"].as_str().unwrap().contains("standard output"), "{error}");
        assert_eq!(home.run(&[&payment[..], &["--yes"]].concat()).code, 8);
    }
    // What `resend` found counts once it was shown.
    let answer = answered(home.command(&["resend"]).stdout(full()).output().unwrap());
    assert_eq!(answer.code, 11, "{}", answer.err);
    assert_eq!(home.run(&[&payment[..], &["--yes"]].concat()).code, 8);
    assert_eq!(home.json(&["resend"])["arrived"].as_array().unwrap().len(), 2);
    node.pay(&home.address(), 500_000_000);
    home.json(&payment);
}
