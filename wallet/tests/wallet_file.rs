//! Making, keeping and opening wallets.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{fs, process::Stdio};

use support::{ACCOUNT, Home, MockNode, PASSWORD, WORDS, answered, nobody, text};

#[test]
fn creates_a_wallet_for_the_chain_of_the_node() {
    let node = MockNode::start();
    let home = Home::empty(&node.url);
    for words in ["12", "24"] {
        let file = home.path(&format!("{words}.json"));
        let made = home.json(&["create", "--words", words, "--wallet", file.to_str().unwrap()]);
        assert_eq!(made["mnemonic"].as_str().unwrap().split(' ').count().to_string(), words);
        assert_eq!(made["network"]["name"], "local");
        assert!(made["address"].as_str().unwrap().starts_with("lcrn1"));
        assert!(made["account"].as_str().unwrap().starts_with("0x"));
        assert!(!text(&file).contains(made["mnemonic"].as_str().unwrap()));
    }
}

#[test]
fn creates_a_wallet_without_a_node_only_for_a_named_chain() {
    let home = Home::empty(&nobody());
    home.run(&["create", "--json"]).fails(2, "say with --chain which chain the wallet is for");
    home.run(&["create", "--json", "--chain", "moon"]).fails(2, "'moon' is neither a chain that is built in");
    let made = home.run(&["create", "--json", "--chain", "test"]).json();
    assert!(made["address"].as_str().unwrap().starts_with("tcrn1"));
    assert!(home.path(".cairn/wallet/test.json").is_file());
}

#[test]
fn creates_a_wallet_for_a_chain_of_ones_own() {
    let home = Home::empty(&nobody());
    let mut spec = chain_core::spec::ChainSpec::local();
    (spec.name, spec.hrp, spec.chain_id) = ("mine".into(), "mcrn".into(), 77);
    fs::write(home.path("mine.toml"), spec.to_toml()).unwrap();
    let made = home.run(&["create", "--json", "--chain", "mine.toml"]).json();
    assert!(made["address"].as_str().unwrap().starts_with("mcrn1"));
    assert_eq!(made["network"]["chainId"], 77);
    fs::write(home.path("bad.toml"), "name = 5").unwrap();
    home.run(&["create", "--json", "--chain", "bad.toml"]).fails(2, "bad.toml is not a chain spec");
}

#[test]
fn asks_nothing_where_there_is_no_terminal() {
    let node = MockNode::start();
    let home = Home::empty(&node.url);
    // The words could not be asked back, so no wallet is made.
    home.run(&["create"]).fails(2, "no wallet was made: add --yes, to have the words shown once and not asked back");
    assert!(!home.file().exists());
    let mut command = home.command(&["create", "--json"]);
    let answer = answered(command.env_remove("CAIRN_WALLET_PASSWORD").output().unwrap());
    answer.fails(2, "no wallet was made: add --password-file FILE (or CAIRN_WALLET_PASSWORD)");
}

#[test]
fn never_writes_over_a_wallet() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let before = text(&home.file());
    home.run(&["create", "--json"]).fails(3, "there is a wallet at");
    home.restore(WORDS, &[]).fails(3, "there is a wallet at");
    assert_eq!(text(&home.file()), before);
}

#[test]
fn the_same_words_are_the_same_wallet() {
    let node = MockNode::start();
    let (one, two) = (Home::with(&node, WORDS), Home::with(&node, WORDS));
    assert_eq!(one.address(), two.address());
    assert_eq!(one.json(&["address", "account"])["account"], ACCOUNT);
    assert_eq!(one.json(&["show-mnemonic"])["mnemonic"], WORDS);
}

#[test]
fn says_what_is_wrong_with_the_words() {
    let home = Home::empty(&nobody());
    home.restore(&WORDS.replace("junk", "test"), &[]).fails(2, "do not belong together");
    home.restore(&WORDS.replace("junk", "jank"), &[]).fails(2, "word 12, 'jank', is not in the BIP 39 list");
    home.restore("", &[]).fails(2, "12, 15, 18, 21 or 24 words, not 0");
    assert!(!home.file().exists());
}

#[test]
fn restoring_finds_what_was_used() {
    let node = MockNode::start();
    let first = Home::with(&node, WORDS);
    for _ in 0..15 {
        first.json(&["address", "--new"]);
    }
    node.pay(&first.address(), 500_000_000);
    let home = Home::empty(&node.url);
    let report = home.restore(WORDS, &[]).json();
    assert_eq!(report["used"]["receive"], 17, "the next after the one that was paid");
    assert_eq!(home.address(), first.address());
    assert_eq!(home.json(&["balance"])["coins"]["confirmed"], 500_000_000);
    // Without a node it is restored all the same.
    let offline = Home::empty(&nobody());
    let report = offline.restore(WORDS, &[]).json();
    assert_eq!(report["used"]["receive"], 1);
    let later = offline.run(&["rescan", "--rpc", &node.url, "--json"]).json();
    assert_eq!(later["used"]["receive"], 17);
}

#[test]
fn tells_a_wrong_password_from_a_damaged_file() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let wrong = |variable: &str| {
        let mut command = home.command(&["show-mnemonic", "--yes"]);
        answered(command.env("CAIRN_WALLET_PASSWORD", variable).output().unwrap())
    };
    wrong("wrong").fails(4, "wrong password");
    let good = text(&home.file());
    fs::write(home.file(), &good[..good.len() / 2]).unwrap();
    wrong("wrong").fails(3, "is damaged: it ends too early");
    fs::write(home.file(), good.replacen("\"receive\": 1", "\"receive\": 2", 1)).unwrap();
    wrong(PASSWORD).fails(3, "is damaged: its checksum does not match");
    home.run(&["balance"]).fails(3, "restore the wallet from its words");
    fs::remove_file(home.file()).unwrap();
    home.run(&["balance"]).fails(3, "there is no wallet in");
    home.run(&["balance", "--chain", "local"]).fails(3, "there is no wallet at");
    let other = home.run(&["balance", "--wallet", "other.json"]);
    other.fails(3, "create one with `cairn-wallet --wallet other.json create`");
    home.run(&["--chain", "test", "balance"]).fails(3, "create one with `cairn-wallet --chain test create`");
}

#[test]
fn takes_the_password_from_a_file_before_the_environment() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    fs::write(home.path("good"), format!("{PASSWORD}\nsecond line\n")).unwrap();
    fs::write(home.path("bad"), "wrong\n").unwrap();
    let show = |file: &str, variable: &str| {
        let mut command = home.command(&["show-mnemonic", "--yes", "--json", "--password-file", file]);
        answered(command.env("CAIRN_WALLET_PASSWORD", variable).output().unwrap())
    };
    assert_eq!(show("good", "wrong").json()["mnemonic"], WORDS);
    show("bad", PASSWORD).fails(4, "wrong password");
    show("none", PASSWORD).fails(1, "cannot read the password from none");
}

#[test]
fn changes_the_password() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    fs::write(home.path("new"), "another one\n").unwrap();
    fs::write(home.path("empty"), "\n").unwrap();
    home.run(&["change-password", "--new-password-file", "empty"]).fails(2, "an empty password protects nothing");
    home.json(&["change-password", "--new-password-file", "new"]);
    home.run(&["show-mnemonic", "--yes"]).fails(4, "wrong password");
    let shown = home.json(&["show-mnemonic", "--password-file", "new"]);
    assert_eq!(shown["mnemonic"], WORDS);
}

#[test]
fn one_process_at_a_time_changes_it() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let lock = cairn_wallet::file::WalletLock::take(&home.file()).unwrap();
    assert_eq!(home.run(&["address"]).code, 0, "reading needs no lock");
    let mut second = home.command(&["address", "--new", "--json"]);
    let second = second.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Until it has opened the lock's file, which it then waits for.
    let holds = |entry: fs::DirEntry| fs::read_link(entry.path()).is_ok_and(|file| file.ends_with("local.json.lock"));
    let open = format!("/proc/{}/fd", second.id());
    while cfg!(target_os = "linux") && !fs::read_dir(&open).unwrap().flatten().any(holds) {}
    drop(lock);
    let answer = answered(second.wait_with_output().unwrap());
    assert_eq!(answer.json()["path"], "m/4411982'/0'/0/1");
}

#[test]
fn gives_out_new_addresses() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let first = home.address();
    let new = home.json(&["address", "--new"]);
    assert_ne!(new["address"], first.as_str());
    assert_eq!(new["path"], "m/4411982'/0'/0/1");
    assert_eq!(home.address(), new["address"].as_str().unwrap());
    let account = home.json(&["address", "account", "--new"]);
    assert_eq!(account["account"], "0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
    let list = home.json(&["address", "--list"]);
    assert_eq!(list.as_array().unwrap().len(), 4);
    assert_eq!(list[0]["address"], first.as_str());
}

#[test]
fn chooses_among_wallets_by_chain() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    home.run(&["create", "--json", "--chain", "test"]).json();
    assert!(home.address().starts_with("lcrn1"), "the node's");
    let test = home.json(&["address", "--chain", "test"]);
    assert!(test["address"].as_str().unwrap().starts_with("tcrn1"));
    home.run(&["address", "--rpc", &nobody()]).fails(5, "error: no node answers at");
    let local = home.file();
    home.run(&["address", "--chain", "test", "--wallet", local.to_str().unwrap()]).fails(6, "--chain is on test");
}

#[test]
fn errors_are_json_where_json_is_asked_for() {
    let home = Home::empty(&nobody());
    let answer = home.run(&["balance", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&answer.err).unwrap();
    assert_eq!(
        (answer.code, error["error"]["code"].as_i64(), error["error"]["kind"].as_str()),
        (3, Some(3), Some("file"))
    );
    assert!(error["error"]["hint"].as_str().unwrap().contains("cairn-wallet create"));
}

#[test]
fn an_address_that_was_paid_is_not_shown_again() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let first = home.address();
    assert_eq!(home.address(), first, "nobody has paid it");
    node.state().pay(&first, 100_000_000);
    let second = home.json(&["address", "coin"]);
    assert_eq!(second["path"], "m/4411982'/0'/0/1");
    let second = second["address"].as_str().unwrap().to_owned();
    assert_eq!(home.address(), second, "one at a time");
    let account = home.json(&["address", "account"]);
    node.state().balance_wei = "1000000000000000000".into();
    assert_eq!(home.json(&["address", "account"]), account, "accounts are paid often");
    // The node says it of every account, which a scan would go through.
    node.state().balance_wei = "0".into();
    // Without a node, or with one of another chain, the newest is shown as it was.
    node.state().pay(&second, 100_000_000);
    assert_eq!(home.json(&["address", "--rpc", &nobody()])["address"], second.as_str());
    // A node without an index knows what is unspent.
    node.state().forbids =
        Some(("coin_getHistory".into(), serde_json::json!({ "code": -32002, "message": "the index is off" })));
    let third = home.address();
    assert!(![&first, &second].contains(&&third));
    node.state().forbids = None;
    // A wallet that is restored shows the next that nobody has paid, and the first to compare it with.
    let restored = Home::empty(&node.url).restore(WORDS, &[]).json();
    assert_eq!((restored["address"].as_str(), restored["firstAddress"].as_str()), (Some(&*third), Some(&*first)));
    // A node that calls all of them paid drives them on by one a time.
    node.state().all_used = true;
    home.address();
    assert_eq!(home.json(&["address", "--list"]).as_array().unwrap().len(), 4 + 1);
}
