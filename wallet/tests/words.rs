//! What is wrong with a file or with an answer of a node is said in the words of JSON: types of Rust say nothing to users.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{Answer, Home, KEYSTORE, places, rich, text, with_changed_answers};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// What only those who read Rust know.
const RUST: [&str; 13] = [
    "struct ", "variant", "newtype", "tuple", "sequence", "a map", " u8", " u32", " u64", " i64", " f64", "usize", "::",
];

#[track_caller]
fn judge(what: &str, answer: &Answer) {
    assert!(answer.code >= 0 && !answer.err.contains("panicked"), "{what}: {}", answer.err);
    for word in RUST {
        assert!(!answer.err.contains(word), "{what}: {}", answer.err);
    }
}

/// The same JSON with another kind of value at each of its places in turn.
fn changed(good: &Value) -> Vec<(String, Value)> {
    let mut paths = Vec::new();
    places(good, "", &mut paths);
    let kinds = [json!(-1.5), json!("x"), json!([]), json!({})];
    let mut all = Vec::new();
    for (path, kind) in paths.iter().flat_map(|path| kinds.iter().map(move |kind| (path, kind))) {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = kind.clone();
        all.push((format!("{path} = {kind}"), bad));
    }
    all
}

#[test]
fn no_fault_of_a_file_names_a_type_of_rust() {
    let (node, home, friend) = rich();
    let other = Home::numbered(&node, 4).json(&["policy", "key"])["key"].as_str().unwrap().to_owned();
    let policy = home.json(&["policy", "multisig", "2", "me", &other, "--name", "both"]);
    node.pay(policy["address"].as_str().unwrap(), 300_000_000);
    home.json(&["send", &format!("{friend}=0.5")]);
    home.run(&["build", "--out", "account.json", "call", TO, "transfer(address,uint256)", TO, "1"]);
    home.json(&["policy", "spend", "both", "--out", "policy.json"]);
    fs::write(home.path("policies.json"), home.run(&["policy", "export"]).out).unwrap();
    fs::write(home.path("public.json"), home.run(&["public-keys"]).out).unwrap();
    fs::write(home.path("Token.json"), include_str!("support/token.json")).unwrap();
    fs::write(home.path("key.json"), KEYSTORE).unwrap();
    fs::copy(home.file(), home.path("wallet.json")).unwrap();
    let files: [(&str, &[&str]); 7] = [
        ("account.json", &["show", "bad"]),
        ("policy.json", &["show", "bad"]),
        ("policies.json", &["policy", "import", "bad"]),
        ("public.json", &["watch", "bad", "--wallet", "watching.json"]),
        ("Token.json", &["deploy", "bad", "--dry-run"]),
        ("key.json", &["import-key", "bad", "--keystore-password-file", "words"]),
        ("wallet.json", &["label", "--wallet", "bad"]),
    ];
    for (file, command) in files {
        let good: Value = serde_json::from_str(&text(&home.path(file))).unwrap();
        let mut refused = 0;
        for (what, bad) in changed(&good) {
            fs::write(home.path("bad"), bad.to_string()).unwrap();
            let answer = home.run(command);
            refused += usize::from(answer.code == 3 || answer.code == 2);
            judge(&format!("{file}{what}"), &answer);
            let _ = fs::remove_file(home.path("watching.json"));
        }
        assert!(refused > 5, "{file}");
    }
}

#[test]
fn no_fault_of_an_answer_names_a_type_of_rust() {
    let (node, home, friend) = rich();
    home.json(&["send", &format!("{friend}=0.5")]);
    let commands: [&[&str]; 4] = [&["balance"], &["history"], &["fees"], &["send", &friend, "1", "--dry-run"]];
    for command in commands {
        with_changed_answers(&node, &home, command, changed, |what| judge(what, &home.run(command)));
    }
}
