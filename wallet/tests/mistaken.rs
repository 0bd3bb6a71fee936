//! What is easily confused: several wallets, several chains, accounts that are imported and derived, files of another kind.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use cairn_wallet::network::Network;
use chain_core::spec::ChainSpec;
use serde_json::{Value, json};
use std::fs;
use support::{Home, MockNode, WORDS, rich};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// The key of the second account of [`WORDS`], which is [`TO`].
const KEY: &str = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

#[test]
fn which_of_several_wallets_signs_is_not_for_the_node_to_say_unseen() {
    let (node, home, _) = rich();
    home.run(&["create", "--json", "--chain", "test"]).json();
    home.run(&["transfer", TO, "1", "--yes"]).fails(2, "there are several wallets in");
    home.run(&["sign-message", "--by", "0", "hello", "--yes"]).fails(2, "say which with --wallet FILE or --chain NAME");
    assert!(node.state().sent.is_empty());
    home.json(&["transfer", TO, "1", "--chain", "local"]);
    home.json(&["balance"]);
}

#[test]
fn a_wallet_is_restored_though_the_node_is_of_another_chain() {
    let node = MockNode::start();
    node.state().network = Network::from(&ChainSpec::by_name("test").unwrap());
    let home = Home::empty(&node.url);
    let restored = home.restore(WORDS, &[]);
    assert_eq!(restored.json()["network"]["name"], "local");
    assert!(restored.err.contains("used addresses were not looked for"), "{}", restored.err);
    assert!(home.file().exists());
}

#[test]
fn public_keys_of_a_development_chain_that_is_kept_are_watched() {
    let node = MockNode::start();
    node.state().network = Network::from(&ChainSpec { chain_id: 13_370_000_000_005, ..ChainSpec::dev() });
    let home = Home::empty(&node.url);
    home.run(&["create", "--json"]).json();
    let mut public = home.run(&["public-keys", "--json"]).json();
    let watcher = Home::empty(&node.url);
    fs::write(watcher.path("public.json"), public.to_string()).unwrap();
    assert_eq!(watcher.json(&["watch", "public.json"])["network"]["chainId"], 13_370_000_000_005_u64);
    public["network"]["name"] = json!("mychain");
    let watcher = Home::empty(&node.url);
    fs::write(watcher.path("public.json"), public.to_string()).unwrap();
    watcher.run(&["watch", "public.json"]).fails(2, "give its spec with --chain FILE");
}

#[test]
fn an_account_of_the_words_is_not_imported_and_counts_once() {
    let (_, home, _) = rich();
    fs::write(home.path("key"), KEY).unwrap();
    home.run(&["import-key", "key"]).fails(2, "make accounts with `cairn-wallet address account --new`");
    home.json(&["address", "account", "--new"]);
    home.run(&["import-key", "key"]).fails(2, "is an account of this wallet already");
}

#[test]
fn a_deployment_that_is_only_shown_promises_no_contract() {
    let (_, home, _) = rich();
    let shown = home.run(&["deploy", "0x6001600101", "--dry-run"]);
    assert!(!shown.out.contains("as soon as it is mined"), "{}", shown.out);
    assert!(home.run(&["deploy", "0x6001600101", "--yes"]).out.contains("as soon as it is mined"));
}

#[test]
fn what_was_mistaken_is_named() {
    let (_, home, friend) = rich();
    let gateway = chain_core::execute::GATEWAY.to_string();
    let local = home.file();
    let cases = [
        (vec!["send", "1.5", &friend, "--yes"], "write the address first"),
        (vec!["transfer", &gateway, "1", "--yes"], "`cairn-wallet withdraw` makes one"),
        (vec!["policy", "multisig", "me", "me"], "write how many must sign first"),
        (vec!["balance", "--chain", "test", "--wallet", local.to_str().unwrap()], "leave --chain out"),
        (vec!["label", TO], "It has no label yet"),
    ];
    for (args, says) in cases {
        let answer = home.run(&args);
        assert!(answer.err.contains(says) || answer.out.contains(says), "{args:?}: {}{}", answer.out, answer.err);
    }
    home.json(&["build", "--out", "pay.json", "transfer", TO, "1"]);
    home.run(&["balance", "--wallet", "pay.json"]).fails(3, "is a transaction, not a wallet");
    let by: Value = home.json(&["sign-message", "--by", "0Xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "hello"]);
    assert_eq!(by["address"], support::ACCOUNT);
}
