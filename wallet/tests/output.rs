//! What stands on standard output and on standard error, and how a command ends.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{fs, process::Stdio};

use cairn_wallet::network::Network;
use chain_core::spec::ChainSpec;
use serde_json::{Value, json};
use support::{ACCOUNT, Home, KEYSTORE, MockNode, PASSWORD, WORDS, answered, nobody};

/// A wallet with a coin, and the address of somebody else.
fn rich() -> (MockNode, Home, String) {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    node.pay(&home.address(), 500_000_000);
    node.state().balance_wei = "2000000000000000000".into();
    let friend = Home::numbered(&node, 2).address();
    (node, home, friend)
}

fn error(home: &Home, args: &[&str]) -> Value {
    let answer = home.run(args);
    assert_eq!(answer.out, "");
    let all: Value = serde_json::from_str(&answer.err).unwrap_or_else(|error| panic!("{error} in {}", answer.err));
    assert_eq!(all["error"]["code"], answer.code);
    all["error"].clone()
}

#[test]
fn an_error_is_json_whatever_the_flags_that_its_hint_repeats() {
    let (_node, home, _) = rich();
    for name in ["it's.json", "a\"b.json", "a\\b.json"] {
        let error = error(&home, &["--wallet", name, "balance", "--json"]);
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("`cairn-wallet --wallet "), "{hint}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let (node, home, friend) = rich();
    let payment = format!("{friend}=1");
    for args in [&["address"][..], &["address", "--json"], &["public-keys"], &["--help"], &["--version"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let answer = answered(home.command(args).stdout(full).output().unwrap());
        assert_eq!(answer.code, 1, "{args:?}: {}", answer.err);
        assert!(answer.err.contains("standard output"), "{args:?}: {}", answer.err);
        assert!(answer.err.contains("No space left on device"), "{args:?}: {}", answer.err);
    }
    // What was sent is sent, and is named.
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let answer = answered(home.command(&["send", &payment, "--yes"]).stdout(full).output().unwrap());
    let txid = node.state().sent[0].txid().to_string();
    assert!(answer.code == 11 && answer.err.contains(&format!("{txid} was sent, but the result")), "{}", answer.err);
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let (_node, home, _) = rich();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let answer = answered(home.command(&["address"]).stdout(writer).output().unwrap());
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
}

#[test]
fn standard_output_holds_the_result_alone() {
    let (_node, home, friend) = rich();
    let mut last = home.run(&["address", "--new"]);
    while last.err.is_empty() {
        last = home.run(&["address", "--new"]);
    }
    assert!(last.err.contains("restore with a larger --gap"), "{}", last.err);
    assert_eq!(last.out, format!("{}\n", home.address()));
    let sent = home.run(&["send", &format!("{friend}=1"), "--yes"]);
    assert!(sent.out.starts_with("Sent: ") && sent.out.lines().count() == 1, "{}", sent.out);
    assert!(sent.err.contains("It waits for a block"), "{}", sent.err);
    let made = home.run(&["policy", "timelock", "--after", "500", "--name", "later"]);
    assert_eq!(made.out.lines().count(), 3, "name and address, policy, time: {}", made.out);
    assert!(made.err.contains("The others need this line"), "{}", made.err);
    for args in [&["policy", "secret"][..], &["mine"], &["deposit", "1", "--yes"], &["balance"], &["policy", "list"]] {
        let answer = home.run(args);
        assert_eq!(answer.code, 0, "{}", answer.err);
        assert!(!answer.out.ends_with("\n\n") && !answer.out.is_empty(), "{args:?}: {:?}", answer.out);
    }
}

#[test]
fn every_error_is_one_json_object_where_json_is_asked_for() {
    let (node, home, _) = rich();
    for (args, says) in [
        (&["--json", "send"][..], "required arguments were not provided"),
        (&["--json", "sned"], "unrecognized subcommand 'sned'"),
        (&["--json"], "no command is given"),
        (&["history", "--limit", "x", "--json"], "invalid value 'x' for '--limit <N>'"),
        (&["--json", "policy", "timelock"], "required arguments"),
    ] {
        let error = error(&home, args);
        assert_eq!((error["code"].as_i64(), error["kind"].as_str()), (Some(2), Some("usage")), "{args:?}");
        assert!(error["message"].as_str().unwrap().contains(says), "{args:?}: {error}");
        assert!(error["hint"].is_string(), "{args:?}: {error}");
    }
    // Warnings are a part of the object, not lines in front of it.
    let mut command = home.command(&["create", "--json", "--chain", "test", "--wallet", home.file().to_str().unwrap()]);
    let answer = answered(command.env("CAIRN_WALLET_PASSWORD", "pw").output().unwrap());
    assert!(serde_json::from_str::<Value>(&answer.err).is_ok(), "{}", answer.err);
    node.state().syncing = true;
    let refused = error(&home, &["send", "bob=1", "--json", "--yes"]);
    assert!(refused["message"].as_str().unwrap().contains("'bob' is not an address"));
    assert!(refused["warnings"][0].as_str().unwrap().contains("still syncing"), "{refused}");
    for args in [&["balance", "--json"][..], &["history", "--json"], &["build", "deposit", "1", "--json"]] {
        let done = home.run(args);
        assert!(done.json().get("warnings").is_none());
        let beside: Value = serde_json::from_str(&done.err).unwrap();
        assert!(beside["warnings"][0].as_str().unwrap().contains("still syncing"));
    }
}

#[test]
fn what_failed_after_it_was_sent_is_named() {
    let (node, home, _) = rich();
    node.state().reverted = true;
    let failed = error(&home, &["withdraw", "0.5", "--wait", "--yes", "--json"]);
    assert_eq!(failed["txid"], node.state().sent[0].txid().to_string());
    assert_eq!((failed["code"].as_i64(), failed["kind"].as_str()), (Some(9), Some("rejected")));
}

#[test]
fn what_is_sent_says_that_it_is_signed_and_what_it_cost() {
    let (_node, home, friend) = rich();
    let sent = home.json(&["send", &format!("{friend}=1")]);
    assert_eq!(sent["inputs"][0]["signatures"], 1);
    for args in [&["transfer", ACCOUNT, "0.1", "--wait"][..], &["withdraw", "0.1", "--wait"]] {
        let done = home.json(args);
        assert_eq!(done["signed"], true);
        assert_eq!((done["gasUsed"].as_u64(), done["feeWei"].as_str()), (Some(21_000), Some("21000000000000")));
    }
}

#[test]
fn an_empty_variable_is_not_set() {
    let (node, home, _) = rich();
    let file = home.file();
    let mut command = home.command(&["balance", "--json", "--wallet", file.to_str().unwrap(), "--rpc", &node.url]);
    command.env("CAIRN_WALLET", "").env("CAIRN_CHAIN", "").env("CAIRN_RPC", "");
    assert_eq!(answered(command.output().unwrap()).json()["network"], "local");
    let mut command = home.command(&["address", "--json"]);
    command.env("CAIRN_WALLET", "").env("CAIRN_CHAIN", "");
    assert!(answered(command.output().unwrap()).json()["address"].is_string());
    // An empty flag is a mistake: `--wallet \"$FILE\"` must not use another wallet.
    home.run(&["address", "--wallet", ""]).fails(2, "a value is required for '--wallet <FILE>'");
}

#[test]
fn the_answer_no_cancels() {
    let (node, home, friend) = rich();
    let args = ["send", &format!("{friend}=1")];
    for typed in ["n\n", "\n", "\u{4}"] {
        let answer = home.typing(&args, typed);
        answer.fails(10, "cancelled: nothing was changed, signed or sent");
        assert!(answer.err.contains("Sign and send? [y/N] "), "{}", answer.err);
    }
    assert!(home.typing(&args, "\u{4}").err.contains("[y/N] \nerror:"), "the error has a line of its own");
    assert!(node.state().sent.is_empty());
    let refused = home.typing(&["show-mnemonic"], "no\n");
    refused.fails(10, "cancelled: nothing was changed, signed or sent");
    assert!(
        refused.err.contains("Anyone who sees these words can take your money.\nShow them now? [y/N] "),
        "{}",
        refused.err
    );
    let yes = home.typing(&args, "y\n");
    assert!(yes.code == 0 && node.state().sent.len() == 1, "{}", yes.err);
}

#[test]
fn the_wallet_is_free_for_others_while_the_user_is_asked() {
    use std::io::{BufRead, BufReader, Write};
    let (node, home, friend) = rich();
    let payment = format!("{friend}=1");
    let (terminal, mut typed) = support::terminal();
    let mut command = home.command(&["send", &payment]);
    let mut child = command.stdin(terminal).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("leaves the wallet") {
        line.clear();
        said.read_line(&mut line).unwrap();
    }
    // The question is open; another process changes the wallet.
    assert_eq!(home.run(&["address", "--new"]).code, 0);
    typed.write_all(b"y\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let rest: Vec<String> = said.lines().map(Result::unwrap).collect();
    assert!(rest.join("\n").contains("changed") && node.state().sent.is_empty(), "{rest:?}");
}

#[test]
fn waiting_on_a_chain_that_nobody_mines_is_not_silent() {
    use std::io::{BufRead, BufReader};
    let (node, home, friend) = rich();
    node.state().mined = false;
    let sent = home.run(&["send", &format!("{friend}=1"), "--yes"]);
    assert!(
        sent.err.contains("the last came ") && sent.err.contains("does anyone mine? `cairn-wallet mine`"),
        "{}",
        sent.err
    );
    let payment = format!("{friend}=2");
    let mut command = home.command(&["send", &payment, "--yes", "--wait"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    let warned = said.lines().map(Result::unwrap).find(|line| line.contains("does anyone mine?"));
    let warned = warned.expect("a warning before the block comes");
    assert!(warned.starts_with("the last block came ") && warned.contains("`cairn-wallet mine` has this node do it"));
    node.state().mined = true;
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn help_uses_the_terms_of_the_field() {
    let mut help = String::new();
    let mut open = vec![cairn_wallet::cli::command()];
    while let Some(mut command) = open.pop() {
        help += &command.render_long_help().to_string();
        open.extend(command.get_subcommands().cloned());
    }
    let riddles = [
        "Make a",
        "Bring a",
        "Hand ",
        "hand in",
        "Turn coins",
        "Seal ",
        "sealed",
        "Whoever",
        "whoever",
        "Ask a contract",
        "Take in",
        "Join ",
        "came and went",
        "only watches",
        "nobody",
        "dear",
        "taken back",
    ];
    for riddle in riddles {
        let at = help.find(riddle).map(|at| help[at..].lines().next().unwrap_or_default());
        assert_eq!(at, None, "{riddle}");
    }
    for term in [
        "Deploy a contract",
        "Broadcast a signed file",
        "Change the password",
        "eth_call",
        "replace by fee",
        "Rebroadcast",
        "Dry run",
        "watch-only",
        "receive addresses",
    ] {
        assert!(help.contains(term), "{term}");
    }
}

#[test]
fn two_wallets_and_no_node_are_no_riddle() {
    let (_node, home, _) = rich();
    home.run(&["create", "--json", "--chain", "test"]).json();
    let answer = home.run(&["balance", "--rpc", &nobody()]);
    answer.fails(5, "no node answers at");
    answer.fails(5, "--chain local");
}

#[test]
fn a_distant_node_in_clear_text_is_warned_of() {
    let (node, home, _) = rich();
    assert_eq!(home.run(&["balance"]).err, "");
    // Nobody answers there, which is beside the point.
    let answer = home.run(&["balance", "--rpc", "http://192.0.2.1:8545", "--timeout", "1"]);
    answer.fails(5, "is spoken to in clear text");
    answer.fails(5, "ssh -N -L 8545:127.0.0.1:8545 HOST");
    home.run(&["balance", "--rpc", "https://192.0.2.1"]).fails(5, "ssh -N -L 8545:127.0.0.1:8545 HOST");
    let port = node.url.rsplit(':').next().unwrap().to_owned();
    assert_eq!(home.run(&["balance", "--rpc", &format!("http://localhost:{port}")]).err, "");
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let (_node, home, _) = rich();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let silent = home.run(&["balance", "--rpc", &url, "--timeout", "1"]);
    silent.fails(5, "did not answer within 1 s (see --timeout)");
    silent.fails(5, "what listens there is busy, or no node");
    assert!(!silent.err.contains("start one"), "{}", silent.err);
}

#[test]
fn batches_shrink_to_what_the_node_takes() {
    let (node, home, _) = rich();
    node.state().max_batch = 7;
    assert_eq!(home.json(&["history"]).as_array().unwrap().len(), 1);
    assert_eq!(home.json(&["balance"])["coins"]["confirmed"], 500_000_000);
    // No account was used: restoring looks as far as one was.
    node.state().balance_wei = "0".into();
    node.state().max_batch = 1;
    assert_eq!(home.json(&["rescan"])["used"]["receive"], 2, "the one that was paid, and the next");
}

#[test]
fn the_accounts_of_a_balance_are_asked_for_at_once() {
    let (node, home, _) = rich();
    for _ in 0..4 {
        home.json(&["address", "account", "--new"]);
    }
    node.state().requests = 0;
    let balance = home.json(&["balance"]);
    assert_eq!(balance["accounts"].as_array().unwrap().len(), 5);
    // The chain, its first block, the coins, the accounts.
    assert!(node.state().requests <= 4, "{}", node.state().requests);
}

#[test]
fn tips_go_to_the_account_that_deposits_go_to() {
    let (_node, home, _) = rich();
    home.json(&["address", "account", "--new"]);
    assert_eq!(home.json(&["mine"])["account"], ACCOUNT);
    let deposit = home.json(&["deposit", "1"]);
    assert!(deposit["outputs"].as_array().unwrap().iter().any(|output| output["to"] == json!(ACCOUNT)));
}

#[test]
fn a_mistyped_account_is_not_corrected() {
    let (_node, home, _) = rich();
    let answer = home.run(&["send", "0x70997970C51812dc3A010C7d01b50e0d17dc79C9=1", "--yes"]);
    answer.fails(2, "the checksum is wrong (EIP-55, the case of the letters): is a digit mistyped?");
    assert_eq!(answer.err.to_lowercase().matches("0x70997970").count(), 1, "only what was typed: {}", answer.err);
    let call = home.run(&["view", "0x70997970C51812dc3A010C7d01b50e0d17dc79C9", "f()"]);
    assert_eq!(call.err.to_lowercase().matches("0x70997970").count(), 1, "{}", call.err);
}

#[test]
fn byte_order_marks_and_invisible_letters_are_dealt_with() {
    let home = Home::empty(&nobody());
    home.restore(&format!("\u{feff}{WORDS}"), &[]).json();
    let other = Home::empty(&nobody());
    other.restore(&WORDS.replace("junk", "junk\u{200b}"), &[]).fails(2, "word 12 has an invisible character");
    let wide: Vec<u8> = "\u{feff}test".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(other.path("wide"), wide).unwrap();
    other.run(&["restore", "--chain", "local", "--mnemonic-file", "wide"]).fails(1, "it is UTF-16; save it as UTF-8");
    fs::write(other.path("large"), vec![b'a'; (4 << 20) + 1]).unwrap();
    other.run(&["restore", "--chain", "local", "--mnemonic-file", "large"]).fails(1, "it is larger than 4096 KiB");
}

#[test]
fn the_version_names_the_commit() {
    let answer = Home::empty(&nobody()).run(&["--version"]);
    assert_eq!(answer.out, format!("cairn-wallet {}\n", cairn_client::VERSION));
}

#[test]
fn a_node_of_somebody_else_that_is_to_mine_names_the_way_for_miners_elsewhere() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let message = "miner_setAddress needs the node's cookie. Programs of the node's user find it by themselves";
    node.state().forbids = Some(("miner_setAddress".into(), json!({ "code": 4100, "message": message })));
    let answer = home.run(&["mine"]);
    answer.fails(8, &format!("error: the node refused: {message}\n"));
    answer.fails(8, "--http.mining-token FILE");
    answer.fails(8, "`cairn-miner --cookie FILE --address ADDRESS`");
}

#[test]
fn a_chain_that_mines_on_demand_is_not_called_idle() {
    let node = MockNode::start();
    node.state().network = Network::from(&ChainSpec::dev());
    let home = Home::empty(&node.url);
    std::fs::write(home.path("words"), WORDS).unwrap();
    home.json(&["restore", "--mnemonic-file", "words", "--no-scan"]);
    node.state().pay(&home.address(), 500_000_000);
    let to = home.address();
    let sent = home.run(&["send", &to, "1", "--yes"]);
    assert!(sent.err.contains("the dev chain mines one for each transaction"), "{}", sent.err);
    assert!(!sent.err.contains("does anyone mine?"), "{}", sent.err);
    let waited = home.run(&["send", &to, "1.5", "--yes", "--wait"]);
    assert!(waited.code == 0 && !waited.err.contains("does anyone mine?"), "{}", waited.err);
}

#[test]
fn lists_say_how_they_are_sorted_and_stand_in_columns() {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    node.state().pay(&home.address(), 500_000_000);
    assert!(!home.run(&["coins"]).err.contains("largest"), "one coin has no order");
    node.state().pay(&home.address(), 700_000_000);
    assert!(home.run(&["coins"]).err.contains("The largest come first."));
    std::fs::write(home.path("key.json"), KEYSTORE).unwrap();
    std::fs::write(home.path("pw"), PASSWORD).unwrap();
    home.json(&["import-key", "key.json", "--keystore-password-file", "pw"]);
    let shown = home.run(&["balance"]).out;
    let columns: Vec<usize> = shown.lines().filter_map(|line| line.find("0x")).collect();
    assert!(columns.len() == 2 && columns[0] == columns[1], "{shown}");
}
