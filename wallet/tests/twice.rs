//! A payment that is made once more is not paid twice, whatever a node said of the first.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::{Home, MockNode, refuse, rich, txid};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// Has a command refused because the same was paid, and returns what the message says of it.
fn refused(home: &Home, command: &[&str]) -> String {
    let answer = home.run(&[command, &["--json", "--yes"]].concat());
    assert_eq!(answer.code, 8, "{}{}", answer.out, answer.err);
    let error: Value = serde_json::from_str(&answer.err).unwrap();
    error["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn what_a_node_refused_is_paid_again_only_in_its_place() {
    let (node, home, friend) = rich();
    let payment = ["send", &format!("{friend}=1")];
    refuse(&node, "full");
    home.run(&["send", payment[1], "--yes"]).fails(9, "the node refused the transaction");
    node.state().refuse = None;
    // The node hides the coin that both would spend.
    let coins = std::mem::take(&mut node.state().coins);
    node.pay(&home.address(), 500_000_000);
    node.state().coins[0].outpoint.index = 9;
    assert!(
        refused(&home, &payment).contains("which a node refused, but which may still be mined in addition to this")
    );
    // With the coin there, only one of the two can be mined.
    node.state().coins = coins;
    home.json(&payment);
}

#[test]
fn an_account_whose_nonce_a_node_raises_does_not_pay_again() {
    let (node, home, _) = rich();
    let payment = ["transfer", TO, "1"];
    refuse(&node, "funds");
    home.run(&[&payment[..], &["--yes"]].concat()).fails(9, "the node refused the transaction");
    node.state().refuse = None;
    node.state().nonce = 1;
    assert!(refused(&home, &payment).contains("which a node refused"));
    node.state().nonce = 0;
    home.json(&payment);
}

#[test]
fn what_was_mined_without_an_answer_is_not_paid_again_until_that_was_said() {
    for payment in [vec!["send", "FRIEND=1"], vec!["transfer", TO, "1"], vec!["call", TO, "pay()"]] {
        let (node, home, friend) = rich();
        let payment: Vec<String> = payment.iter().map(|word| word.replace("FRIEND", &friend)).collect();
        let payment: Vec<&str> = payment.iter().map(String::as_str).collect();
        node.state().lose_answers = true;
        let answer = home.run(&[&payment[..], &["--json", "--yes"]].concat());
        assert_eq!(answer.code, 11, "{payment:?}: {}", answer.err);
        node.state().lose_answers = false;
        node.state().mined = true;
        let message = refused(&home, &payment);
        assert!(
            message.contains(", which is in block ") && message.ends_with("to pay once more, add --again"),
            "{message}"
        );
        let report = home.json(&["resend"]);
        assert_eq!(report["arrived"][0]["txid"], node.state().sent[0].txid().to_string(), "{payment:?}");
        assert_eq!(report["resent"], json!([]));
        home.json(&payment);
    }
}

#[test]
fn what_was_cancelled_is_not_paid_again_before_that_is_mined() {
    let (node, home, friend) = rich();
    let to = format!("{friend}=1");
    let paid = home.json(&["send", &to]);
    let used = &paid["inputs"][0];
    let other = node.state().coins.iter().find(|coin| json!(coin.outpoint.index) != used["index"]).unwrap().clone();
    let elsewhere = format!("{}:{}", other.outpoint.txid, other.outpoint.index);
    let cancelled = home.json(&["cancel", txid(&paid)]);
    let message = refused(&home, &["send", &to, "--coin", &elsewhere]);
    assert!(message.contains("what replaced it is not deep enough in the chain"), "{message}");
    // What the cancellation pays back cannot be mined beside the first.
    let after = home.json(&["send", &to, "--dry-run"]);
    assert_eq!(after["inputs"][0]["txid"], cancelled["txid"]);
    // The first is mined all the same.
    node.state().sent.pop();
    node.state().mined = true;
    assert!(refused(&home, &["send", &to, "--coin", &elsewhere]).contains(", which is in block "));
}

#[test]
fn an_account_does_not_pay_again_what_it_cancelled_before_that_is_mined() {
    let (node, home, _) = rich();
    let payment = ["transfer", TO, "1"];
    let paid = home.json(&payment);
    home.json(&["cancel", txid(&paid)]);
    let message = refused(&home, &payment);
    assert!(message.contains("what replaced it is not deep enough in the chain"), "{message}");
    let sent = node.state().sent.clone();
    node.state().sent = vec![sent[0].clone()];
    node.state().mined = true;
    assert!(refused(&home, &payment).contains(", which is in block "));
    node.state().sent = vec![sent[1].clone()];
    // One block is a node's word, which it can take back.
    assert!(refused(&home, &payment).contains("what replaced it is not deep enough in the chain"));
    node.state().confirmations = 100;
    home.json(&payment);
}

#[test]
fn what_a_node_calls_impossible_is_remembered() {
    let (node, home, friend) = rich();
    let payment = ["send", &format!("{friend}=1")];
    let paid = home.json(&payment);
    node.state().sent.clear();
    refuse(&node, "invalid");
    assert_eq!(home.json(&["resend"])["refused"][0]["txid"], paid["txid"]);
    node.state().refuse = None;
    node.state().coins.clear();
    node.pay(&home.address(), 500_000_000);
    node.state().coins[0].outpoint.index = 9;
    assert!(refused(&home, &payment).contains("which a node refused"));
}

#[test]
fn what_spends_a_replaced_payment_is_named_though_the_node_hides_it() {
    let (node, home, friend) = rich();
    let paid = home.json(&["send", &format!("{friend}=7")]);
    let other = Home::numbered(&node, 3).address();
    let then = home.json(&["send", &format!("{other}=2")]);
    node.state().coins.retain(|coin| coin.outpoint.txid.0 == [7; 32]);
    let bumped = home.json(&["bump", txid(&paid), "--dry-run"]);
    assert_eq!(bumped["drops"], json!([then["txid"]]));
    let bumped = home.json(&["bump", txid(&paid)]);
    assert_eq!(bumped["drops"], json!([then["txid"]]));
    let again = home.json(&["send", &format!("{other}=2"), "--dry-run"]);
    assert_eq!(again["inputs"][0]["txid"], bumped["txid"], "both cannot be mined");
    // What replaces the replacement settles it too.
    let spare = node.pay(&home.address(), 500_000_000);
    let elsewhere = ["send", &format!("{other}=2"), "--coin", &format!("{}:{}", spare.txid, spare.index)];
    let message = refused(&home, &elsewhere);
    assert!(message.contains("what replaced it is not deep enough in the chain"), "{message}");
    home.json(&["bump", txid(&bumped), "--fee-rate", "30"]);
    node.state().sent.retain(|sent| sent.txid().to_string() != txid(&paid) && sent.txid().to_string() != txid(&then));
    node.state().mined = true;
    assert!(refused(&home, &elsewhere).contains("what replaced it is not deep enough in the chain"));
    node.state().confirmations = 100;
    home.json(&elsewhere);
}

/// What the node has for mined, in place of all that was sent to it.
fn mine_only(node: &MockNode, home: &Home, txid: &str) {
    let wallet = cairn_wallet::file::Wallet::read(&home.file()).unwrap();
    let sent = wallet.sent.iter().find(|sent| sent.txid.to_string() == txid).unwrap();
    let mut state = node.state();
    state.sent = vec![sent.transaction().unwrap()];
    state.coins.retain(|coin| coin.height.is_some());
    state.mined = true;
    state.nonce = 1;
}

#[test]
fn what_a_block_took_before_its_replacement_is_not_paid_again() {
    for (order, replace) in [("send", "cancel"), ("send", "bump"), ("transfer", "cancel"), ("transfer", "bump")] {
        let (node, home, friend) = rich();
        let payment = [order, if order == "send" { &friend } else { TO }, "1"];
        let paid = home.json(&payment);
        let replacement = home.json(&[replace, txid(&paid), "--fee-rate", "20"]);
        mine_only(&node, &home, txid(&paid));
        assert!(refused(&home, &payment).contains(", which is in block "));
        // What is advised then says that it was paid, and does not make it payable in silence.
        refuse(&node, "missing");
        let report = home.json(&["resend"]);
        assert_eq!(report["refused"][0]["txid"], replacement["txid"]);
        assert_eq!(report["refused"][0]["insteadOf"], json!([{ "txid": paid["txid"], "height": 121 }]));
        node.state().refuse = None;
        assert!(refused(&home, &payment).contains(", which is in block "), "{order} {replace}");
        home.json(&[&payment[..], &["--again"]].concat());
    }
}

#[test]
fn resend_says_that_what_was_to_be_replaced_was_paid() {
    let (node, home, friend) = rich();
    let paid = home.json(&["send", &friend, "1"]);
    home.json(&["cancel", txid(&paid)]);
    mine_only(&node, &home, txid(&paid));
    refuse(&node, "missing");
    let said = home.run(&["resend"]).out;
    let expected = format!("{}, which it was to replace, is in block 121: it was paid", txid(&paid));
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn a_bump_that_the_node_refused_leaves_the_first_waiting() {
    let (node, home, friend) = rich();
    let payment = ["send", &friend, "1"];
    let paid = home.json(&payment);
    refuse(&node, "fee");
    home.run(&["bump", txid(&paid), "--yes"]).fails(9, "the node refused the transaction");
    node.state().refuse = None;
    assert!(refused(&home, &payment).contains("which no block holds yet"));
    home.json(&["bump", txid(&paid), "--fee-rate", "20"]);
}

#[test]
fn what_a_node_refused_is_remembered_until_what_took_its_place_is_mined() {
    let coin = |index: u32| format!("{}:{index}", "07".repeat(32));
    for arrives in [false, true] {
        let (node, home, friend) = rich();
        let payment = ["send", &format!("{friend}=1")];
        refuse(&node, "full");
        let error = home.run(&["send", payment[1], "--coin", &coin(0), "--yes", "--json"]).err;
        assert!(error.contains("the node refused"), "{error}");
        let first = cairn_wallet::file::Wallet::read(&home.file()).unwrap().sent[0].txid.to_string();
        node.state().refuse = None;
        let second = home.json(&["send", payment[1], "--coin", &coin(0), "--coin", &coin(1)]);
        let spare = node.pay(&home.address(), 900_000_000);
        let spare = format!("{}:{}", spare.txid, spare.index);
        if arrives {
            // That the second is mined is a node's word, unless what it pays is spent.
            node.state().mined = true;
            assert!(refused(&home, &["send", payment[1], "--coin", &spare]).contains("which a node refused"));
            let change = second["outputs"].as_array().unwrap().iter().position(|line| line["own"] == true).unwrap();
            home.json(&["send", payment[1], "--coin", &format!("{}:{change}", txid(&second))]);
            home.json(&["send", payment[1], "--coin", &spare, "--again"]);
            continue;
        }
        // The node passed the first on, and dropped the second.
        mine_only(&node, &home, &first);
        refuse(&node, "missing");
        assert_eq!(home.json(&["resend"])["refused"][0]["txid"], second["txid"]);
        node.state().refuse = None;
        assert!(refused(&home, &payment).contains(", which is in block "));
    }
}

#[test]
fn what_took_the_place_of_what_was_refused_frees_its_other_coins() {
    let coin = |index: u32| format!("{}:{index}", "07".repeat(32));
    let (node, home, friend) = rich();
    refuse(&node, "full");
    home.run(&["send", &friend, "1", "--coin", &coin(0), "--coin", &coin(1), "--yes"]).fails(9, "no");
    node.state().refuse = None;
    home.json(&["send", &friend, "1", "--coin", &coin(0)]);
    node.pay(&home.address(), 900_000_000);
    let other = Home::numbered(&node, 5).address();
    assert_eq!(home.json(&["send", &other, "8"])["inputs"].as_array().unwrap().len(), 1);
}

#[test]
fn what_a_node_says_was_cancelled_in_a_block_is_paid_again_out_of_the_cancellation() {
    let (node, home, friend) = rich();
    let to = format!("{friend}=1");
    let paid = home.json(&["send", &to]);
    let cancelled = home.json(&["cancel", txid(&paid)]);
    node.state().sent.remove(0);
    node.state().mined = true;
    let spare = node.pay(&home.address(), 500_000_000);
    let elsewhere = ["send", &to, "--coin", &format!("{}:{}", spare.txid, spare.index)];
    assert!(refused(&home, &elsewhere).contains("what replaced it is not deep enough in the chain"));
    // There are three coins that would do, and this is the smallest.
    let again = home.json(&["send", &to, "--dry-run"]);
    let inputs = again["inputs"].as_array().unwrap();
    assert!(inputs.iter().any(|input| input["txid"] == cancelled["txid"]), "{again}");
    node.state().confirmations = 100;
    home.json(&elsewhere);
}

#[test]
fn a_payment_without_code_does_not_fail_because_a_node_says_so() {
    for payment in [vec!["send", "FRIEND=1"], vec!["transfer", TO, "1"]] {
        let (node, home, friend) = rich();
        let payment: Vec<String> = payment.iter().map(|word| word.replace("FRIEND", &friend)).collect();
        let payment: Vec<&str> = payment.iter().map(String::as_str).collect();
        (node.state().mined, node.state().reverted) = (true, true);
        let answer = home.run(&[&payment[..], &["--wait", "--yes"]].concat());
        assert!(answer.err.contains("which runs no code that could"), "{}", answer.err);
        assert!(!answer.err.contains("was mined, but failed"), "{}", answer.err);
        let message = refused(&home, &payment);
        assert!(message.contains("which failed in block 121, as the node says"), "{message}");
        assert_eq!(node.state().sent.len(), 1);
    }
}

#[test]
fn what_was_refused_is_settled_by_paying_again() {
    for payment in [vec!["send", "FRIEND=1"], vec!["transfer", TO, "1"]] {
        let (node, home, friend) = rich();
        let payment: Vec<String> = payment.iter().map(|word| word.replace("FRIEND", &friend)).collect();
        let payment: Vec<&str> = payment.iter().map(String::as_str).collect();
        refuse(&node, "missing");
        home.run(&[&payment[..], &["--yes"]].concat()).fails(9, "the node refused the transaction");
        node.state().refuse = None;
        // Another copy of the wallet has spent its coins, or used its nonce.
        node.state().coins.clear();
        node.state().nonce = 1;
        for index in 8..10 {
            node.pay(&home.address(), 500_000_000);
            node.state().coins.last_mut().unwrap().outpoint.index = index;
        }
        let answer = home.run(&[&payment[..], &["--yes"]].concat());
        answer.fails(8, "it can never be mined: add --again");
        home.json(&[&payment[..], &["--again"]].concat());
        node.state().mined = true;
        node.state().nonce = 2;
        home.json(&payment);
    }
}

/// A payment whose answer is lost by a node without an index: its txid.
fn lost_without_index(node: &MockNode, home: &Home, payment: &[&str]) -> String {
    (node.state().no_index, node.state().lose_answers) = (true, true);
    let lost = home.run(&[payment, &["--json", "--yes"]].concat());
    assert_eq!(lost.code, 11, "{}", lost.err);
    node.state().lose_answers = false;
    let error: Value = serde_json::from_str(&lost.err).unwrap();
    error["error"]["txid"].as_str().unwrap().to_owned()
}

#[test]
fn on_a_node_without_an_index_what_is_unclear_is_handed_in_again_or_replaced() {
    for order in ["send", "transfer"] {
        let (node, home, friend) = rich();
        let to = if order == "send" { &friend } else { TO };
        let txid = lost_without_index(&node, &home, &[order, to, "1"]);
        node.state().sent.clear();
        node.state().coins.retain(|coin| coin.height.is_some());
        // A cancellation is not refused because the node cannot tell what became of it.
        home.json(&["cancel", &txid, "--dry-run"]);
        let report = home.json(&["resend"]);
        assert_eq!((&report["resent"], &report["arrived"]), (&json!([txid]), &json!([])));
        assert_eq!(node.state().sent.len(), 1);
        let report = home.json(&["resend"]);
        assert_eq!((&report["resent"], &report["arrived"]), (&json!([]), &json!([])), "that is clear now");
        home.json(&["bump", &txid]);
        home.json(&[order, to, "2"]);
    }
}

#[test]
fn on_a_node_without_an_index_what_waits_is_not_handed_in_again() {
    let (node, home, friend) = rich();
    let txid = lost_without_index(&node, &home, &["send", &friend, "1"]);
    let report = home.json(&["resend"]);
    assert_eq!((&report["arrived"][0]["txid"], &report["resent"]), (&json!(txid), &json!([])));
}

#[test]
fn what_a_node_without_an_index_calls_spent_may_be_mined_and_is_not_paid_again() {
    let late = [("send", "missing", 9, "the node refused"), ("transfer", "nonce", 8, "its nonce is used")];
    for (order, reason, code, says) in late {
        let (node, home, friend) = rich();
        let payment = [order, if order == "send" { &friend } else { TO }, "1"];
        let txid = lost_without_index(&node, &home, &payment);
        node.state().mined = true;
        node.state().nonce = 1;
        refuse(&node, reason);
        let report = home.json(&["resend"]);
        assert_eq!((&report["kept"][0]["txid"], &report["refused"]), (&json!(txid), &json!([])));
        assert!(home.run(&["resend"]).out.contains("It may be in a block, which a node without an index cannot tell"));
        // To replace it comes too late, which says nothing of whether it was paid.
        home.run(&["cancel", &txid, "--yes"]).fails(code, says);
        node.state().refuse = None;
        refused(&home, &payment);
        // A node that tells settles it.
        node.state().no_index = false;
        assert_eq!(home.json(&["resend"])["arrived"][0]["txid"], txid);
        if code == 9 {
            assert!(refused(&home, &payment).contains(", which is in block "), "the cancellation was to replace it");
        }
        home.json(&[&payment[..], &["--again"]].concat());
    }
}

#[test]
fn paying_again_forgets_nothing_that_was_refused_and_whose_place_something_took() {
    let coin = |index: u32| format!("{}:{index}", "07".repeat(32));
    let (node, home, friend) = rich();
    let payment = ["send", &friend, "1"];
    refuse(&node, "full");
    home.run(&[&payment[..], &["--coin", &coin(0), "--yes"]].concat()).fails(9, "no");
    node.state().refuse = None;
    // At another fee, or it might be the very same transaction.
    home.json(&[&payment[..], &["--coin", &coin(0), "--fee-rate", "20"]].concat());
    let spare = || {
        let spare = node.pay(&home.address(), 900_000_000);
        format!("{}:{}", spare.txid, spare.index)
    };
    let (one, two) = (spare(), spare());
    home.json(&[&payment[..], &["--coin", &one, "--again"]].concat());
    node.state().mined = true;
    let message = refused(&home, &[&payment[..], &["--coin", &two]].concat());
    assert!(message.contains("which a node refused"), "{message}");
}
