//! The hash of block 1 is a node's word: another one may be a chain that began anew from the same genesis block, or a lie. It
//! lets no payment be made twice and none be displaced in silence, and what a chain that did begin anew needs, the user says.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::{Home, forget, rich, txid};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// The error of a command that is refused with code 8.
fn refused(home: &Home, command: &[&str]) -> Value {
    let answer = home.run(&[command, &["--json", "--yes"]].concat());
    assert_eq!(answer.code, 8, "{command:?}: {}{}", answer.out, answer.err);
    serde_json::from_str::<Value>(&answer.err).unwrap()["error"].clone()
}

#[test]
fn a_lie_about_block_1_lets_nothing_be_paid_twice() {
    for payment in [vec!["send", "FRIEND=1"], vec!["transfer", TO, "1"]] {
        let (node, home, friend) = rich();
        let payment: Vec<String> = payment.iter().map(|word| word.replace("FRIEND", &friend)).collect();
        let payment: Vec<&str> = payment.iter().map(String::as_str).collect();
        // Whichever of the two payments the lie is told at.
        for (first, second) in [([1; 32], [2; 32]), ([3; 32], [1; 32])] {
            node.state().first_block = first;
            node.state().lose_answers = true;
            assert_eq!(home.run(&[&payment[..], &["--again", "--yes"]].concat()).code, 11, "{payment:?}");
            node.state().lose_answers = false;
            node.state().mined = true;
            let sent = node.state().sent.len() as u64;
            node.state().nonce = sent;
            node.state().first_block = second;
            let message = refused(&home, &payment)["message"].to_string();
            assert!(message.contains(", which is in block "), "{payment:?}: {message}");
            node.state().mined = false;
        }
        assert_eq!(node.state().sent.len(), 2);
    }
}

#[test]
fn what_was_sent_while_the_node_named_another_block_1_is_paid_again_only_if_that_is_meant() {
    let (node, home, friend) = rich();
    let payment = ["send", &format!("{friend}=1")];
    let paid = home.json(&payment);
    forget(&node);
    node.state().first_block = [2; 32];
    let used = &paid["inputs"][0];
    let other = node.state().coins.iter().find(|coin| json!(coin.outpoint.index) != used["index"]).unwrap().clone();
    let elsewhere = format!("{}:{}", other.outpoint.txid, other.outpoint.index);
    let error = refused(&home, &["send", payment[1], "--coin", &elsewhere]);
    assert!(
        error["message"].as_str().unwrap().contains("which was sent while the node named another block 1"),
        "{error}"
    );
    for flag in ["resend --other-chain", "resend --began-anew"] {
        assert!(error["hint"].as_str().unwrap().contains(flag), "{error}");
    }
    // With the same coin only one of the two can be mined, and that is said.
    let used = format!("{}:{}", used["txid"].as_str().unwrap(), used["index"]);
    let again = home.json(&["send", payment[1], "--coin", &used, "--dry-run"]);
    assert_eq!(again["competing"], json!([paid["txid"]]));
    home.json(&["send", payment[1], "--coin", &elsewhere, "--again"]);
}

#[test]
fn a_balance_of_nothing_on_a_chain_that_began_anew_says_why() {
    let (node, home, friend) = rich();
    home.json(&["send", &format!("{friend}=1")]);
    let says = "1 transaction was sent on another chain that began from the same genesis block";
    for command in ["balance", "history"] {
        assert!(!home.run(&[command]).err.contains("another chain"), "{command}");
    }
    forget(&node);
    node.state().coins.clear();
    node.state().first_block = [2; 32];
    for command in ["balance", "history"] {
        let answer = home.run(&[command]);
        assert!(answer.code == 0 && answer.err.contains(says), "{command}: {}", answer.err);
        assert!(answer.err.contains("(--dev, or its data was deleted)"), "{command}: {}", answer.err);
    }
}

#[test]
fn resend_says_what_was_sent_on_another_chain_and_what_to_do_about_it() {
    let (node, home, friend) = rich();
    let payment = format!("{friend}=1");
    let paid = home.json(&["send", &payment]);
    forget(&node);
    node.state().first_block = [2; 32];
    let said = home.run(&["resend"]).out;
    assert!(!said.contains("knows everything"), "{said}");
    for part in ["1 transaction was sent on another chain", "resend --other-chain", "resend --began-anew"] {
        assert!(said.contains(part), "{said}");
    }
    let report = home.json(&["resend", "--other-chain"]);
    assert_eq!((&report["resent"], &report["otherChain"]), (&json!([paid["txid"]]), &json!([])));
    assert_eq!(node.state().sent[0].txid().to_string(), txid(&paid));
    // Once the node knows it, it is on this chain.
    assert_eq!(home.run(&["resend"]).out, "The node knows everything that was sent.\n");
    forget(&node);
    assert_eq!(home.json(&["resend"])["resent"], json!([paid["txid"]]));
    // What a chain that began anew does not have is forgotten if the user says so.
    forget(&node);
    node.state().first_block = [3; 32];
    home.run(&["resend", "--began-anew"]).fails(2, "add --yes if you agree");
    let report = home.json(&["resend", "--began-anew"]);
    assert_eq!((&report["forgotten"], &report["otherChain"]), (&json!([paid["txid"]]), &json!([])));
    assert!(home.json(&["send", &payment]).get("competing").is_none());
}

#[test]
fn what_arrived_at_an_honest_node_is_found_though_a_liar_took_it_first() {
    let (node, home, friend) = rich();
    node.state().first_block = [9; 32];
    node.state().lose_answers = true;
    assert_eq!(home.run(&["send", &format!("{friend}=1"), "--yes"]).code, 11);
    node.state().lose_answers = false;
    node.state().first_block = [1; 32];
    let report = home.json(&["resend"]);
    let txid = node.state().sent[0].txid().to_string();
    assert_eq!((&report["arrived"][0]["txid"], &report["otherChain"]), (&json!(txid), &json!([])));
}

#[test]
fn an_account_takes_no_nonce_of_what_may_wait_on_the_same_chain() {
    let (node, home, _) = rich();
    node.state().first_block = [9; 32];
    let paid = home.json(&["transfer", TO, "1"]);
    node.state().first_block = [1; 32];
    // A node that has it counts it.
    assert_eq!(home.json(&["transfer", TO, "2", "--dry-run"])["nonce"], 1);
    // One that has not may be on a chain that began anew.
    forget(&node);
    for order in [&["transfer", TO, "2"][..], &["withdraw", "1"], &["call", TO, "0x01020304"]] {
        let message = refused(&home, order)["message"].as_str().unwrap().to_owned();
        for part in ["1 transaction", "while the node named another block 1", "add --nonce 0", "add --nonce 1"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    assert_eq!(home.json(&["transfer", TO, "2", "--nonce", "1", "--dry-run"])["nonce"], 1);
    let displacing = home.json(&["transfer", TO, "2", "--nonce", "0", "--dry-run"]);
    assert_eq!((&displacing["nonce"], &displacing["competing"]), (&json!(0), &json!([paid["txid"]])));
    home.json(&["resend", "--began-anew"]);
    assert_eq!(home.json(&["transfer", TO, "2"])["nonce"], 0);
}
