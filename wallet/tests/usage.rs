//! Wrong flags, and nodes that are none: what is said names what was given and what to do.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use cairn_wallet::network::Network;
use chain_core::spec::ChainSpec;
use serde_json::json;
use support::{ACCOUNT, Home, MockNode, WORDS, answered, rich};

#[test]
fn flags_that_are_wrong_are_named_with_what_would_be_right() {
    let (_node, home, friend) = rich();
    let wei = format!("{friend}=1gwei");
    let hash = ["policy", "htlc", "--receiver", "me", "--sender", "me", "--after", "500", "--name", "s", "--hash"];
    let (prefixed, short) = (format!("0x{}", "ab".repeat(32)), "ab".repeat(31));
    for (args, says) in [
        (&["balance", "--rcp", "http://127.0.0.1:1"][..], "tip: a similar argument exists: '--rpc'"),
        (&["--wallte", "x", "balance"], "tip: a similar argument exists: '--wallet'"),
        (&["history", "--limt", "3"], "tip: a similar argument exists: '--limit'"),
        (&["balanec"], "'balance'"),
        (&["send", &wei], "a grain is 10 gwei"),
        (&["send", &friend, "-1"], "-1"),
        (&["send", &format!("{friend}=0")], "an amount of zero sends nothing"),
        (&["transfer", ACCOUNT, "1", "--fee-rate", "quick"], "write slow, normal, fast, or the tip in gwei per gas"),
        (&["history", "--limit", "-1"], "unexpected argument '-1' found"),
        (&["balance", "--rpc", "127.0.0.1:8545"], "write it like http://127.0.0.1:8545"),
        (&["balance", "--chain", "moon"], "(main, test, local, devnet, dev)"),
        (&[&hash[..], &[&short]].concat(), "is not 64 hexadecimal digits"),
    ] {
        let answer = home.run(args);
        assert!(answer.code != 0 && answer.out.is_empty() && answer.err.contains(says), "{args:?}: {}", answer.err);
    }
    // With the prefix that other tools write it is the same.
    assert_eq!(home.run(&[&hash[..], &[&prefixed]].concat()).code, 0);
    // Programs are given the tip as well.
    let answer = home.run(&["balance", "--rcp", "x", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&answer.err).unwrap();
    assert_eq!(error["error"]["hint"], "a similar argument exists: '--rpc'");
}

#[test]
fn no_words_are_shown_where_nobody_can_be_asked() {
    let home = Home::empty("http://127.0.0.1:1");
    let create = |args: &[&str]| home.command(&[&["create", "--chain", "local"], args].concat());
    let said = "there is no terminal to ask on, and no wallet was made: add ";
    for (args, password, lacks) in [
        (&[][..], "pw123456", "--yes, to have the words shown once and not asked back, or --json\n"),
        (&[], "", "--password-file FILE (or CAIRN_WALLET_PASSWORD) and --yes or --json\n"),
        (&["--yes"], "", "--password-file FILE (or CAIRN_WALLET_PASSWORD)\n"),
        (&["--yes", "--passphrase"], "", "--password-file FILE (or CAIRN_WALLET_PASSWORD)\n"),
    ] {
        let answer = answered(create(args).env("CAIRN_WALLET_PASSWORD", password).output().unwrap());
        assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{args:?}");
        assert_eq!(answer.err, format!("error: {said}{lacks}"), "{args:?}");
    }
    assert!(!home.file().exists());
    assert!(!home.path(".cairn/wallet/local.json.lock").exists(), "a lock of no wallet");
    let answer = answered(create(&["--yes"]).output().unwrap());
    assert!(answer.code == 0 && answer.err.contains(" 1. "), "{}", answer.err);
}

#[test]
fn an_answer_of_no_cairn_node_is_named_so_with_what_to_do() {
    let (node, home, _) = rich();
    let hint = "what to do: name the node's RPC with --rpc URL; its port is 8545 unless changed\n";
    let start =
        format!("what answers at {} is not a Cairn node: its answer to chain_getInfo makes no sense: ", node.url);
    for answer in [json!(7), json!({}), json!({ "chain": "local" }), json!(null), json!("x")] {
        node.state().instead = Some(("chain_getInfo".into(), answer.clone()));
        for command in [&["balance"][..], &["fees"], &["create", "--yes"]] {
            let home = if command[0] == "create" { Home::empty(&node.url) } else { Home::with(&node, WORDS) };
            let said = home.run(command);
            said.fails(5, &start);
            said.fails(5, hint);
        }
    }
    drop(home);
    // Of a node, one that lies.
    let (node, home, _) = rich();
    node.state().instead = Some(("coin_estimateFee".into(), json!({ "baseFee": 1 })));
    home.run(&["fees"]).fails(5, "the node's answer to coin_estimateFee is malformed: missing field");
}

#[test]
fn a_base_fee_that_nobody_can_pay_is_not_called_a_lack_of_coins() {
    let (node, home, friend) = rich();
    let other = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    node.state().balance_wei = "2000000000000000000".into();
    let sent = home.json(&["transfer", other, "1"]);
    node.state().base_fee = 1_000_000_000_000_000_000;
    let says =
        "the node names a base fee of 1000000000 gwei per gas, at which a transfer alone costs 21000.00000000 CRN";
    for command in [
        &["send", &format!("{friend}=1"), "--dry-run"][..],
        &["send", "--max", &friend, "--dry-run"],
        &["transfer", other, "1", "--again", "--dry-run"],
        &["deposit", "1", "--dry-run"],
    ] {
        home.run(command).fails(8, says);
    }
    // A bump offers what the account has, which is a fee that nobody means.
    home.run(&["bump", sent["txid"].as_str().unwrap(), "--dry-run"]).fails(8, "CRN is absurd");
    // Who means it is told what lacks.
    home.run(&["send", &format!("{friend}=1"), "--dry-run", "--allow-high-fee"]).fails(7, "not enough coins");
}

#[test]
fn fees_of_another_chain_are_not_shown() {
    let (node, home, _) = rich();
    assert_eq!(home.run(&["fees"]).code, 0);
    node.state().network = Network { chain_id: 77, ..Network::from(&ChainSpec::local()) };
    home.run(&["fees"]).fails(6, "but this wallet is for local");
    // Without a wallet a node is at least what it says that it is.
    let empty = Home::empty(&node.url);
    empty.run(&["fees"]).fails(6, "the node says that it is on local (chain id 77");
    empty.run(&["view", ACCOUNT, "f()"]).fails(6, "the node says that it is on local (chain id 77");
    node.state().network = Network::from(&ChainSpec::local());
    assert_eq!(empty.run(&["fees"]).code, 0);
    empty.run(&["fees", "--chain", "test"]).fails(6, "the node says that it is on local");
}

#[test]
fn a_development_chain_that_is_kept_has_an_id_of_its_own() {
    let node = MockNode::start();
    let kept = |chain_id: u64| Network::from(&ChainSpec { chain_id, ..ChainSpec::dev() });
    node.state().network = kept(13_370_000_000_005);
    let home = Home::empty(&node.url);
    assert_eq!(home.run(&["fees"]).code, 0);
    let made = home.run(&["create", "--json"]).json();
    assert_eq!(made["network"]["chainId"], 13_370_000_000_005_u64);
    // An id that others have is refused under every name.
    for taken in [1, 133_700] {
        node.state().network = kept(taken);
        Home::empty(&node.url).run(&["create", "--json"]).fails(6, "");
    }
}

#[test]
fn what_is_wrong_is_answered_with_what_was_asked_for() {
    let (node, home, _) = rich();
    std::fs::write(home.path("README.md"), "# Cairn\nA node.\n").unwrap();
    std::fs::write(home.path("short.bin"), "60806\n").unwrap();
    std::fs::write(home.path("bad.json"), "{}").unwrap();
    let policy = home.json(&["address"])["address"].as_str().unwrap().replacen("lcrn1q", "tcrn1q", 1);
    for (args, code, says) in [
        (
            &["policy", "multisig", "2", "me", "foo", "--name", "p"][..],
            2,
            "'foo' is not a key: write `me` for a new key",
        ),
        (&["policy", "multisig", "1", ACCOUNT, "--name", "p"], 2, "the coin address (lcrn1...) of one"),
        (&["policy", "multisig", "1", &policy, "--name", "p"], 6, "an address of another network"),
        (&["export-key", "abc"], 2, "'abc' is not an account: write its number, such as 0, or its address (0x...)"),
        (&["transfer", "abc", "1"], 2, "'abc' is not an address on local: expected an account (0x...)\n"),
        (&["deploy", "README.md"], 2, "README.md: its bytecode is not hexadecimal; expected what a compiler wrote"),
        (&["deploy", "short.bin"], 2, "short.bin: its bytecode has an odd number of hexadecimal digits"),
        (&["deploy", "bad.json"], 2, "it has no contracts: not an artifact of solc"),
    ] {
        home.run(args).fails(code, says);
    }
    // A backup that is none, where no wallet is.
    let empty = Home::empty(&node.url);
    let hint = "what to do: name another file that `cairn-wallet backup` wrote, or restore from the words with ";
    for backup in ["bad.json", "none.json"] {
        let backup = home.path(backup);
        empty.run(&["restore", "--backup", backup.to_str().unwrap()]).fails(3, hint);
    }
}

#[test]
fn a_spend_says_how_many_signatures_it_needs() {
    let (node, home, friend) = rich();
    let made = home.json(&["policy", "multisig", "1", "me", "me", "--name", "either"]);
    node.pay(made["address"].as_str().unwrap(), 500_000_000);
    let shown = home.run(&["policy", "spend", "either", &format!("{friend}=1"), "--dry-run"]);
    assert!(shown.out.contains(": 0 of 2 keys have signed, at least 1 must; not signed: you, you\n"), "{}", shown.out);
}

#[test]
fn a_built_file_is_named_in_the_command_that_signs_it() {
    let (_node, home, friend) = rich();
    let built = home.run(&["build", "--out", "pay me.json", "send", &format!("{friend}=1")]);
    assert_eq!(built.err, "Sign it with `cairn-wallet sign 'pay me.json'`.\n");
}

#[test]
fn the_first_request_waits_as_long_as_the_user_says() {
    let (_node, home, _) = rich();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let balance = |flags: &[&str]| home.run(&[&["balance", "--rpc", &url], flags].concat());
    std::thread::scope(|scope| {
        let shorter = scope.spawn(|| balance(&[]));
        balance(&["--timeout", "12"]).fails(5, "did not answer within 12 s (see --timeout)");
        shorter.join().unwrap().fails(5, "did not answer within 10 s (see --timeout)");
    });
}

#[test]
fn a_port_that_does_not_speak_http_is_no_node() {
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpListener},
    };
    let (_node, home, _) = rich();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = || {
        let mut client = listener.accept().unwrap().0;
        client.write_all(b"\x16\x03\x01\x00\xff\r\n").unwrap();
        // The wallet may still be writing: it is to see the answer, and no broken connection.
        client.shutdown(Shutdown::Write).unwrap();
        let _ = client.read_to_end(&mut Vec::new());
    };
    std::thread::scope(|scope| {
        scope.spawn(serve);
        let says = format!("what answers at {url} is not a Cairn node: it does not speak HTTP");
        home.run(&["balance", "--rpc", &url]).fails(5, &says);
    });
}
