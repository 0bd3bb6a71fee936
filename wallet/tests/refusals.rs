//! What was sent before, and a node that refuses it, has it, or says what it spends.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value, json};
use std::{fs, process::Stdio, thread::sleep, time::Duration};
use support::{Home, MockNode, answered, forget, refuse, rich, txid};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// Builds and signs a payment into a file.
fn signed(home: &Home, file: &str, order: &[&str]) {
    home.json(&[&["build", "--out", file], order].concat());
    home.json(&["sign", file]);
}

fn stored(home: &Home, name: &str) -> Value {
    serde_json::from_slice(&fs::read(home.path(name)).unwrap()).unwrap()
}

fn states(home: &Home) -> Vec<String> {
    let file = stored(home, ".cairn/wallet/local.json");
    let sent = file["wallet"]["sent"].as_array().unwrap();
    sent.iter().map(|sent| sent["state"].as_str().unwrap_or("accepted").to_owned()).collect()
}

#[test]
fn what_is_mined_is_not_called_refused_by_a_node_without_an_index() {
    for is_lost in [false, true] {
        let (node, home, _) = rich();
        signed(&home, "pay.json", &["transfer", TO, "1"]);
        node.state().lose_answers = is_lost;
        assert_eq!(home.run(&["broadcast", "pay.json", "--yes"]).code, if is_lost { 11 } else { 0 });
        node.state().lose_answers = false;
        node.state().mined = true;
        node.state().no_index = true;
        refuse(&node, "nonce");
        home.run(&["broadcast", "pay.json", "--yes"]).fails(11, "whether the node has it is unknown");
        assert_eq!(states(&home), [if is_lost { "unclear" } else { "accepted" }], "as it was before");
        let again = home.json(&["resend"]);
        assert_eq!(
            (again["refused"].as_array().unwrap().len(), again["kept"].as_array().unwrap().len()),
            (0, usize::from(is_lost))
        );
        // One that knows tells.
        node.state().no_index = false;
        assert_eq!(home.json(&["resend"])["arrived"].as_array().unwrap().len(), usize::from(is_lost));
        assert_eq!(states(&home), ["accepted"]);
    }
}

#[test]
fn what_was_accepted_is_kept_while_a_node_has_no_room() {
    let (node, home, _) = rich();
    signed(&home, "pay.json", &["transfer", TO, "1"]);
    home.json(&["broadcast", "pay.json"]);
    forget(&node);
    for reason in ["full", "fee"] {
        refuse(&node, reason);
        home.run(&["broadcast", "pay.json", "--yes"]).fails(11, "whether the node has it is unknown");
    }
    node.state().refuse = None;
    assert_eq!(home.json(&["resend"])["resent"].as_array().unwrap().len(), 1);
    // What can never be mined is refused.
    forget(&node);
    refuse(&node, "nonce");
    home.run(&["broadcast", "pay.json", "--yes"]).fails(9, "the node refused the transaction");
    assert_eq!(states(&home), ["refused"]);
}

#[test]
fn a_node_that_claims_to_have_a_file_does_not_have_it_paid_twice() {
    let (node, home, _) = rich();
    home.json(&["transfer", TO, "0.3"]);
    signed(&home, "twice.json", &["transfer", TO, "0.3"]);
    home.run(&["broadcast", "twice.json", "--yes"]).fails(8, "the same was paid");
    let claim = json!({ "txid": "00".repeat(32), "height": null, "confirmations": 0, "success": true });
    node.state().instead = Some(("coin_getTransaction".into(), claim));
    home.run(&["broadcast", "twice.json", "--yes"]).fails(8, "the same was paid");
    assert_eq!(node.state().sent.len(), 1);
}

#[test]
fn a_node_does_not_say_which_of_ones_own_payments_a_replacement_drops() {
    for word in ["bump", "cancel"] {
        let (node, home, friend) = rich();
        let coins: Vec<String> =
            node.state().coins.iter().map(|coin| format!("{}:{}", coin.outpoint.txid, coin.outpoint.index)).collect();
        let small = home.json(&["send", &format!("{friend}=1"), "--coin", &coins[0]]);
        let other = home.json(&["send", &format!("{friend}=2"), "--coin", &coins[1]]);
        {
            let mut state = node.state();
            let other = state.sent[1].txid();
            let made = |coin: &&mut support::MockCoin| coin.outpoint.txid.to_string() == txid(&small);
            state.coins.iter_mut().filter(made).for_each(|coin| coin.spent_by = Some(other));
        }
        let replaced = home.json(&[word, txid(&small)]);
        assert_eq!(replaced["drops"], Value::Null, "{word}");
        forget(&node);
        let resent = home.json(&["resend"])["resent"].clone();
        assert!(resent.as_array().unwrap().contains(&other["txid"]), "{word}: {resent}");
    }
}

#[test]
fn what_was_lost_is_handed_in_after_what_it_spends() {
    let (node, home, friend) = rich();
    let coin = node.state().coins[0].outpoint;
    let coin = format!("{}:{}", coin.txid, coin.index);
    signed(&home, "parent.json", &["send", &format!("{friend}=1"), "--coin", &coin]);
    let parent = home.json(&["broadcast", "parent.json"]);
    let change = node.state().coins.iter().position(|coin| coin.height.is_none() && coin.address != friend).unwrap();
    let change = format!("{}:{}", txid(&parent), node.state().coins[change].outpoint.index);
    let child = home.json(&["send", &format!("{friend}=2"), "--coin", &change]);
    // Sent once more, the parent stays before the child.
    assert!(home.run(&["broadcast", "parent.json", "--yes"]).out.starts_with("Already known: "));
    forget(&node);
    let again = home.json(&["resend"]);
    assert_eq!(again["resent"], json!([parent["txid"], child["txid"]]));
    assert_eq!(again["refused"], json!([]));
}

#[test]
fn waiting_for_what_a_full_node_dropped_says_that_it_may_still_be_mined() {
    let (node, home, friend) = rich();
    let mut waiting = home.command(&["send", &format!("{friend}=1"), "--wait", "--yes"]);
    let child = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while node.state().sent.is_empty() {
        sleep(Duration::from_millis(20));
    }
    refuse(&node, "full");
    forget(&node);
    let answer = answered(child.wait_with_output().unwrap());
    answer.fails(11, "was sent, but");
    assert!(answer.err.contains("do not pay again"), "{}", answer.err);
}

#[test]
fn a_replacement_for_other_signers_replaces_no_file_unasked() {
    let node = MockNode::start();
    let people: Vec<Home> = (1..=2).map(|number| Home::numbered(&node, number)).collect();
    let keys: Vec<Value> = people.iter().map(|home| home.json(&["policy", "key"])["key"].clone()).collect();
    let keys: Vec<&str> = keys.iter().map(|key| key.as_str().unwrap()).collect();
    let made: Vec<Value> =
        people.iter().map(|home| home.json(&["policy", "multisig", "2", keys[0], keys[1], "--name", "safe"])).collect();
    node.pay(made[0]["address"].as_str().unwrap(), 500_000_000);
    node.state().mined = false;
    let [one, two] = &people[..] else { panic!("two people") };
    one.json(&["policy", "spend", "safe", &format!("{}=1", two.address())]);
    fs::copy(one.path("safe-spend.json"), two.path("safe-spend.json")).unwrap();
    two.json(&["sign", "safe-spend.json"]);
    fs::copy(two.path("safe-spend.json"), one.path("safe-spend.json")).unwrap();
    let sent = one.json(&["broadcast", "safe-spend.json"]);
    for word in ["bump", "cancel"] {
        let file = one.json(&[word, txid(&sent)])["file"].as_str().unwrap().to_owned();
        fs::write(one.path(&file), "precious").unwrap();
        one.run(&[word, txid(&sent), "--yes"]).fails(3, "exists already");
        assert_eq!(fs::read(one.path(&file)).unwrap(), b"precious");
        assert_eq!(one.json(&[word, txid(&sent), "--out", &format!("{word}.json")])["file"], format!("{word}.json"));
        one.json(&[word, txid(&sent), "--force"]);
        assert_ne!(fs::read(one.path(&file)).unwrap(), b"precious");
    }
}

#[test]
fn a_backup_is_replaced_by_none_that_lacks_its_policies() {
    let (node, home, _) = rich();
    home.json(&["policy", "timelock", "--after", "500", "--name", "later"]);
    home.json(&["backup", "kept"]);
    home.json(&["backup", "kept", "--force"]);
    let other = Home::with(&node, support::WORDS);
    fs::copy(home.path("kept"), other.path("kept")).unwrap();
    other.run(&["backup", "kept", "--force"]).fails(3, "it is left as it is");
    assert_eq!(stored(&other, "kept")["wallet"]["policies"].as_array().unwrap().len(), 1);
}

#[test]
fn a_payment_and_its_replacement_do_not_replace_each_other() {
    for is_refused in [false, true] {
        let (node, home, friend) = rich();
        signed(&home, "first.json", &["send", &format!("{friend}=1")]);
        if is_refused {
            refuse(&node, "full");
        }
        let answer = home.run(&["broadcast", "first.json", "--yes", "--json"]);
        assert_eq!(answer.code, if is_refused { 9 } else { 0 }, "{}", answer.err);
        node.state().refuse = None;
        let first = stored(&home, ".cairn/wallet/local.json")["wallet"]["sent"][0]["txid"].as_str().unwrap().to_owned();
        let second = home.json(&["bump", &first]);
        // The first is sent once more, and nobody answers.
        node.state().lose_answers = true;
        home.run(&["broadcast", "first.json", "--yes"]).fails(11, "whether the node has it is unknown");
        node.state().lose_answers = false;
        forget(&node);
        assert_eq!(home.json(&["resend"])["resent"], json!([second["txid"]]));
        home.json(&["bump", txid(&second), "--fee-rate", "20"]);
    }
}

#[test]
fn what_waits_for_a_lost_parent_is_not_refused_for_good() {
    let (node, home, friend) = rich();
    let coin = node.state().coins[0].outpoint;
    let parent = home.json(&["send", &format!("{friend}=1"), "--coin", &format!("{}:{}", coin.txid, coin.index)]);
    let change = node.state().coins.iter().position(|coin| coin.height.is_none() && coin.address != friend).unwrap();
    let change = format!("{}:{}", txid(&parent), node.state().coins[change].outpoint.index);
    signed(&home, "child.json", &["send", &format!("{friend}=2"), "--coin", &change]);
    let child = home.json(&["broadcast", "child.json"]);
    forget(&node);
    refuse(&node, "missing");
    home.run(&["broadcast", "child.json", "--yes"]).fails(11, "whether the node has it is unknown");
    node.state().refuse = None;
    assert_eq!(home.json(&["resend"])["resent"], json!([parent["txid"], child["txid"]]));
}

#[test]
fn a_file_for_nobody_is_not_asked_for() {
    let (_, home, friend) = rich();
    let paid = home.json(&["send", &format!("{friend}=1")]);
    let moved = home.json(&["transfer", TO, "1"]);
    for sent in [&paid, &moved] {
        home.run(&["bump", txid(sent), "--out", "file.json", "--yes"]).fails(2, "nobody else signs this");
    }
}
