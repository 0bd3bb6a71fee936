//! Nothing from outside moves the cursor of the terminal, hides letters, or begins a line that could pass for one of the
//! wallet's: not an answer of a node, not a file, not an argument. What programs read stays JSON.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use cairn_wallet::input::disguises;
use serde_json::{Value, json};
use support::{Answer, Home, KEYSTORE, MockNode, WORDS, places, text, with_changed_answers};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// Clears the screen, writes backwards, hides letters, and paints a line of its own.
const HOSTILE: &str = "a\u{1b}[2J\u{9b}31m\u{202e}\u{200b}\u{fdd2}\r\nFORGED 0\u{2028}FORGED 1\u{85}FORGED 2";

#[track_caller]
fn judge(what: &str, answer: &Answer) {
    assert!(answer.code >= 0 && !answer.err.contains("panicked"), "{what}: {}", answer.err);
    for shown in [&answer.out, &answer.err] {
        let bad = shown.chars().find(|letter| *letter != '\n' && disguises(*letter));
        assert_eq!(bad, None, "{what}: {shown}");
        assert!(!shown.lines().any(|line| line.trim_start().starts_with("FORGED")), "{what}: {shown}");
    }
}

/// Runs a command for people and for programs.
#[track_caller]
fn try_both(what: &str, home: &Home, command: &[&str]) {
    judge(what, &home.run(command));
    let answer = home.run(&[command, &["--json"]].concat());
    judge(what, &answer);
    for shown in [answer.out, answer.err].iter().filter(|shown| !shown.is_empty()) {
        let objects: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(shown).into_iter().collect();
        assert!(objects.is_ok(), "{what}: {shown}");
    }
}

/// The same JSON with something hostile at each of its places in turn: as a value, and as the name of a field.
fn poisoned(value: &Value) -> Vec<(String, Value)> {
    let (mut paths, mut all) = (Vec::new(), Vec::new());
    places(value, "", &mut paths);
    for path in paths {
        let mut changed = value.clone();
        let place = changed.pointer_mut(&path).unwrap();
        if let Some(fields) = place.as_object_mut() {
            fields.insert(HOSTILE.into(), json!(1));
            all.push((format!("{path} with a field"), changed.clone()));
        }
        *changed.pointer_mut(&path).unwrap() = json!(HOSTILE);
        all.push((path, changed));
    }
    all
}

/// A wallet with coins, an account, a payment that waits and one that came.
fn rich() -> (MockNode, Home) {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let friend = Home::numbered(&node, 2).address();
    node.pay(&home.address(), 300_000_000);
    node.pay(&home.address(), 500_000_000);
    node.state().balance_wei = "7000000000000000000".into();
    node.state().mined = false;
    home.json(&["send", &format!("{friend}=1")]);
    (node, home)
}

#[test]
fn no_answer_of_a_node_reaches_the_terminal_as_it_is() {
    let (node, home) = rich();
    let txid = node.state().sent[0].txid().to_string();
    let payment = format!("{}=0.5", Home::numbered(&node, 3).address());
    let commands: [&[&str]; 8] = [
        &["balance"],
        &["history"],
        &["tx", &txid],
        &["fees"],
        &["mine"],
        &["send", &payment, "--dry-run"],
        &["transfer", TO, "0.5", "--dry-run"],
        &["view", TO, "balanceOf(address) returns (uint256)", TO],
    ];
    for command in commands {
        with_changed_answers(&node, &home, command, poisoned, |what| try_both(what, &home, command));
    }
}

#[test]
fn no_error_of_a_node_or_of_another_server_reaches_the_terminal_as_it_is() {
    let (node, home) = rich();
    let payment = format!("{}=0.5", Home::numbered(&node, 3).address());
    for reason in [HOSTILE, "fee", "invalid"] {
        let error = json!({ "code": -32003, "message": HOSTILE, "data": { "reason": reason } });
        node.state().refuse = Some(error);
        try_both(reason, &home, &["send", &payment, "--yes"]);
        try_both(reason, &home, &["resend", "--yes"]);
    }
    for (status, body) in [(403, HOSTILE.to_owned()), (200, HOSTILE.into()), (500, format!("\"{HOSTILE}\""))] {
        node.state().raw_answer = Some((status, body));
        try_both("HTTP", &home, &["balance"]);
    }
}

#[test]
fn what_a_contract_returns_does_not_reach_the_terminal_as_it_is() {
    let (node, home) = rich();
    let word = |number: usize| format!("{number:064x}");
    let padded = format!("{:0<192}", hex::encode(HOSTILE));
    assert!(HOSTILE.len() <= 96);
    let encoded = format!("0x{}{}{padded}", word(32), word(HOSTILE.len()));
    node.state().instead = Some(("eth_call".into(), json!(encoded)));
    let shown = home.run(&["view", TO, "name() returns (string)"]);
    assert!(shown.code == 0 && shown.out.contains("FORGED 0"), "{}", shown.err);
    try_both("string", &home, &["view", TO, "name() returns (string)"]);
    let read = home.json(&["view", TO, "name() returns (string)"]);
    assert!(read.to_string().contains("FORGED 0"), "{read}");
}

#[test]
fn no_field_of_a_file_reaches_the_terminal_as_it_is() {
    let (node, home) = rich();
    node.state().mined = true;
    let payment = format!("{}=0.5", Home::numbered(&node, 3).address());
    let other = Home::numbered(&node, 4).json(&["policy", "key"])["key"].as_str().unwrap().to_owned();
    let policy = home.json(&["policy", "multisig", "2", "me", &other, "--name", "both"]);
    node.pay(policy["address"].as_str().unwrap(), 300_000_000);
    home.run(&["build", "--out", "coin.json", "send", &payment]);
    home.run(&["build", "--out", "account.json", "call", TO, "transfer(address,uint256)", TO, "1"]);
    home.json(&["policy", "spend", "both", "--out", "policy.json"]);
    fs::write(home.path("policies.json"), home.run(&["policy", "export"]).out).unwrap();
    fs::write(home.path("public.json"), home.run(&["public-keys"]).out).unwrap();
    fs::write(home.path("Token.json"), include_str!("support/token.json")).unwrap();
    fs::write(home.path("key.json"), KEYSTORE).unwrap();
    let files: [(&str, &[&[&str]]); 7] = [
        ("coin.json", &[&["show", "bad"], &["broadcast", "bad", "--yes"]]),
        ("account.json", &[&["show", "bad"]]),
        ("policy.json", &[&["show", "bad"], &["combine", "bad", "policy.json"]]),
        ("policies.json", &[&["policy", "import", "bad", "--yes-really"], &["policy", "list"]]),
        ("public.json", &[&["watch", "bad", "--wallet", "watching.json"]]),
        ("Token.json", &[&["deploy", "bad", "--dry-run"], &["deploy", "bad", "--contract", "None", "--dry-run"]]),
        ("key.json", &[&["import-key", "bad", "--keystore-password-file", "words"]]),
    ];
    for (file, commands) in files {
        let good: Value = serde_json::from_str(&text(&home.path(file))).unwrap();
        for (place, changed) in poisoned(&good) {
            fs::write(home.path("bad"), changed.to_string()).unwrap();
            for command in commands {
                try_both(&format!("{file}{place}: {command:?}"), &home, command);
                let _ = fs::remove_file(home.path("watching.json"));
            }
        }
    }
}

#[test]
fn no_name_or_argument_reaches_the_terminal_as_it_is() {
    let (_node, home) = rich();
    let hostile = HOSTILE.replace(['\n', '\r', '\u{2028}', '\u{85}'], "");
    for command in [
        &["label", TO, hostile.as_str()][..],
        &["policy", "timelock", "--after", "500", "--name", &hostile],
        &["send", &hostile, "1"],
        &["send", &hostile],
        &["tx", &hostile],
        &["show", &hostile],
        &["fees", "--rpc", &hostile],
        &["balance", "--wallet", &hostile],
        &["balance", "--chain", &hostile],
        &[hostile.as_str()],
        &["fees", &format!("--{hostile}")],
    ] {
        try_both(&format!("{command:?}"), &home, command);
    }
    let labels = home.json(&["label"]);
    assert_eq!(labels, json!([]), "a name that cannot be seen is refused");
}
