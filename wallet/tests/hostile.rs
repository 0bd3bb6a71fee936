//! What a hostile file, node or mistyped command must not do: lose money, hang, take away what was there, or hide what is signed.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    fs::{self, File},
    io::{Read, Write},
    process::{Command, Stdio},
};

use chain_core::execute::{GATEWAY, HISTORY};
use serde_json::{Value, json};
use support::{ACCOUNT, Home, MockNode, WORDS, answered, rich, text};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

const ZERO: &str = "0x0000000000000000000000000000000000000000";

/// A pipe that nobody writes into.
fn pipe(home: &Home, name: &str) {
    assert!(Command::new("mkfifo").arg(home.path(name)).status().unwrap().success());
}

fn file_of(home: &Home, name: &str) -> Value {
    serde_json::from_str(&text(&home.path(name))).unwrap()
}

#[test]
fn nothing_is_paid_into_a_contract_that_pays_nothing_out() {
    let (node, home, _) = rich();
    let says = "no one could ever get the money out";
    for keeper in [GATEWAY.to_string(), HISTORY.to_string()] {
        home.run(&["deposit", "1", "--to", &keeper, "--yes"]).fails(8, says);
        home.run(&["deposit", "--max", "--to", &keeper, "--yes"]).fails(8, says);
        home.run(&["build", "--force", "--out", "pay.json", "deposit", "1"]);
        fs::write(home.path("pay.json"), text(&home.path("pay.json")).replace(ACCOUNT, &keeper)).unwrap();
        for command in ["sign", "show", "broadcast"] {
            home.run(&[command, "pay.json", "--yes"]).fails(8, says);
        }
    }
    home.run(&["transfer", &HISTORY.to_string(), "1", "--yes"]).fails(8, says);
    home.run(&["transfer", &GATEWAY.to_string(), "1", "--yes"]).fails(8, "the value would be lost");
    assert!(node.state().sent.is_empty());
}

#[test]
fn what_pays_an_account_without_a_key_says_that_it_is_lost() {
    let (_node, home, _) = rich();
    for order in [&["deposit", "1", "--to", ZERO][..], &["transfer", ZERO, "1"]] {
        let shown = home.run(&[order, &["--dry-run"]].concat());
        assert!(shown.out.contains("burnt: no one has its key"), "{order:?}: {}", shown.out);
        assert!(shown.err.contains(&format!("no one can have the key of {ZERO}")), "{order:?}: {}", shown.err);
        let json = home.run(&[order, &["--dry-run", "--json", "--yes"]].concat());
        assert!(json.err.contains("what is paid to it is lost"), "{order:?}: {}", json.err);
    }
    assert_eq!(home.run(&["transfer", TO, "1", "--dry-run"]).err, "Nothing was signed or sent.\n");
}

#[test]
fn no_number_of_a_user_or_a_node_makes_it_panic() {
    let (node, home, friend) = rich();
    let most = "92233720368.54775807";
    home.run(&["send", &format!("{friend}={most}"), "--dry-run"]).fails(7, "not enough coins: 92233720368.");
    home.run(&["deposit", most, "--dry-run"]).fails(7, "not enough coins: 92233720368.");
    let tenth = "9223372036.85477580";
    home.run(&["send", &format!("{friend}={tenth}"), "--dry-run"]).fails(7, "not enough coins: 9223372036.");
    node.state().height = u32::MAX;
    let payment = format!("{friend}=1");
    for command in [
        &["coins"][..],
        &["balance"],
        &["history"],
        &["fees"],
        &["send", &payment, "--dry-run"],
        &["deposit", "1", "--dry-run"],
        &["transfer", TO, "1", "--dry-run"],
        &["policy", "timelock", "--older", "5", "--name", "later"],
        &["policy", "show", "later"],
    ] {
        let answer = home.run(command);
        assert_eq!(answer.code, 0, "{command:?}: {}", answer.err);
    }
}

#[test]
fn what_is_not_a_regular_file_keeps_no_command_waiting() {
    let (_node, home, friend) = rich();
    pipe(&home, "pipe");
    let says = "it is not a regular file";
    home.run(&["balance", "--wallet", "pipe"]).fails(3, says);
    home.run(&["address", "--new", "--wallet", "pipe"]).fails(3, says);
    home.run(&["restore", "--backup", "pipe", "--wallet", "new.json"]).fails(3, says);
    for command in ["show", "sign", "broadcast"] {
        home.run(&[command, "pipe", "--yes"]).fails(3, says);
    }
    home.run(&["combine", "pipe", "pipe"]).fails(3, says);
    // Standard input is read where it is meant.
    home.run(&["build", "--out", "pay.json", "send", &format!("{friend}=1")]);
    let from_stdin = |args: &[&str]| {
        answered(home.command(args).stdin(File::open(home.path("pay.json")).unwrap()).output().unwrap())
    };
    assert!(from_stdin(&["show", "-"]).out.contains("1.00000000"));
    from_stdin(&["sign", "-", "--yes"]).fails(2, "say with --out where the signed transaction goes");
    assert_eq!(from_stdin(&["sign", "-", "--yes", "--json", "--out", "signed.json"]).json()["complete"], true);
}

#[test]
fn others_may_use_the_wallet_while_sign_waits_for_an_answer() {
    let (_node, home, friend) = rich();
    home.run(&["build", "--out", "pay.json", "send", &format!("{friend}=1")]);
    let unsigned = text(&home.path("pay.json"));
    let (terminal, mut keyboard) = support::terminal();
    let mut command = home.command(&["sign", "pay.json"]);
    let mut child = command.stdin(terminal).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut said, mut err) = (String::new(), child.stderr.take().unwrap());
    while !said.ends_with("Sign? [y/N] ") {
        let mut byte = [0];
        err.read_exact(&mut byte).unwrap();
        said.push(char::from(byte[0]));
    }
    assert!(cairn_wallet::file::WalletLock::take(&home.file()).is_ok(), "the lock is free");
    home.json(&["address", "--new"]);
    // What was shown may not hold any more.
    keyboard.write_all(b"y\n").unwrap();
    err.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{said}");
    assert!(said.contains("changed") && said.contains("meanwhile: nothing was signed or sent"), "{said}");
    assert_eq!(text(&home.path("pay.json")), unsigned);
}

#[test]
fn what_is_written_takes_nothing_else_away() {
    let (_node, home, friend) = rich();
    let payment = format!("{friend}=1");
    for name in ["pay.json.new", "bk.new"] {
        fs::write(home.path(name), "of the user").unwrap();
    }
    assert_eq!(home.run(&["build", "--out", "pay.json", "send", &payment]).code, 0);
    home.json(&["backup", "bk"]);
    for name in ["pay.json.new", "bk.new"] {
        assert_eq!(text(&home.path(name)), "of the user");
    }
    // A pipe, a terminal or a device is written into.
    let built = home.run(&["build", "--out", "/dev/stdout", "send", &payment]);
    assert!(built.code == 0 && built.out.contains("cairn-transaction"), "{}{}", built.out, built.err);
    std::os::unix::fs::symlink("/dev/null", home.path("null")).unwrap();
    assert_eq!(home.run(&["build", "--force", "--out", "null", "send", &payment]).code, 0);
    home.json(&["backup", "null"]);
    assert_eq!(fs::read_link(home.path("null")).unwrap().to_str(), Some("/dev/null"));
    // A link to a file stays a link.
    std::os::unix::fs::symlink("pay.json", home.path("link")).unwrap();
    home.run(&["build", "--out", "link", "send", &payment]).fails(3, "link exists already");
    assert_eq!(home.run(&["build", "--force", "--out", "link", "send", &payment]).code, 0);
    assert_eq!(fs::read_link(home.path("link")).unwrap().to_str(), Some("pay.json"));
}

#[test]
fn no_wallet_is_replaced_by_something_else() {
    let (node, home, friend) = rich();
    let other = Home::numbered(&node, 5);
    fs::copy(other.file(), home.path("other.json")).unwrap();
    let whole = text(&home.file());
    fs::write(home.path("cut.json"), &whole[..whole.len() / 2]).unwrap();
    let (own, payment) = (home.file().to_str().unwrap().to_owned(), format!("{friend}=1"));
    home.run(&["build", "--out", "pay.json", "send", &payment]);
    for file in [own.as_str(), "other.json", "cut.json"] {
        let before = text(&home.path(file));
        for command in [
            &["build", "--force", "--out", file, "send", &payment][..],
            &["sign", "pay.json", "--yes", "--force", "--out", file],
            &["export-key", "0", "--force", "--out", file],
            &["backup", "--force", file],
        ] {
            home.run(command).fails(3, "holds a wallet; it is left as it is");
        }
        assert_eq!(text(&home.path(file)), before);
    }
    // An earlier backup of the same wallet is what --force is for,
    home.json(&["backup", "bk"]);
    home.json(&["address", "--new"]);
    home.run(&["backup", "bk"]).fails(3, "bk exists already");
    home.json(&["backup", "--force", "bk"]);
    assert_eq!(text(&home.path("bk")), text(&home.file()));
    // unless it holds a key that the wallet does not have.
    let richer = Home::with(&node, WORDS);
    fs::write(richer.path("key"), "11".repeat(32)).unwrap();
    richer.json(&["import-key", "key"]);
    richer.json(&["backup", "bk"]);
    fs::copy(richer.path("bk"), home.path("richer")).unwrap();
    home.run(&["backup", "--force", "richer"]).fails(3, "holds a wallet");
}

#[test]
fn no_wallet_is_made_whose_words_nobody_could_see() {
    let node = MockNode::start();
    let home = Home::empty(&node.url);
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let status = home.command(&["create", "--yes"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(!home.file().exists());
    // Nor does anybody agree to what cannot be read.
    let (node, home, friend) = rich();
    let (terminal, mut keyboard) = support::terminal();
    keyboard.write_all(b"y\n").unwrap();
    let mut command = home.command(&["send", &friend, "1"]);
    assert_eq!(command.stdin(terminal).stderr(full()).status().unwrap().code(), Some(1));
    assert!(node.state().sent.is_empty());
}

#[test]
fn a_function_has_the_name_that_its_selector_has_for_everybody() {
    let (_node, home, _) = rich();
    home.run(&["build", "--out", "call.json", "call", TO, "transfer(address,uint256)", TO, "1"]);
    // The four bytes of this name are those of transfer, and 1 is true.
    let lie = "join_tg_invmru_haha_fd06787(address,bool)";
    let honest = text(&home.path("call.json"));
    fs::write(home.path("lie.json"), honest.replace("transfer(address,uint256)", lie)).unwrap();
    let mut bare = file_of(&home, "call.json");
    bare["transaction"]["account"].as_object_mut().unwrap().remove("function");
    fs::write(home.path("bare.json"), bare.to_string()).unwrap();
    for file in ["call.json", "lie.json", "bare.json"] {
        let shown = home.run(&["show", file]).out;
        assert!(shown.contains("transfer(address,uint256) (selector 0xa9059cbb)"), "{shown}");
        assert!(!shown.contains("join_tg") && shown.contains("uint256 1"), "{shown}");
        let json = home.json(&["show", file]);
        assert_eq!((&json["function"], &json["functionIsKnown"]), (&json!("transfer(address,uint256)"), &json!(true)));
        assert_eq!(json["arguments"], json!([TO, "1"]));
    }
    // Data that older code would take is shown as it is.
    bare["transaction"]["account"]["input"] = json!(format!("a9059cbb{}", "ff".repeat(64)));
    fs::write(home.path("dirty.json"), bare.to_string()).unwrap();
    let shown = home.run(&["show", "dirty.json"]).out;
    assert!(shown.contains("transfer(address,uint256)") && shown.contains("calldata 0xa9059cbbffff"), "{shown}");
    // Any other name is only what the file says.
    home.run(&["build", "--out", "own.json", "call", TO, "harmless(uint256)", "5"]);
    let (shown, json) = (home.run(&["show", "own.json"]).out, home.json(&["show", "own.json"]));
    assert!(
        shown.contains("harmless(uint256) (selector 0x") && shown.contains("a name that the file or the ABI gives")
    );
    assert_eq!(json["functionIsKnown"], false);
}

#[test]
fn the_highest_fee_that_a_signature_allows_is_what_is_judged() {
    let (node, home, _) = rich();
    let sent = home.json(&["transfer", TO, "5"]);
    let bump = ["bump", sent["txid"].as_str().unwrap(), "--yes"];
    // What is expected is 0.084 CRN, what is allowed twice that.
    node.state().base_fee = 4_000_000_000_000;
    let says = "CRN is absurd (more than 0.10000000 CRN); add --allow-high-fee if it is meant";
    home.run(&bump).fails(8, says);
    home.run(&["transfer", TO, "2", "--yes"]).fails(8, says);
    node.state().base_fee = 1_000_000_000;
    let mut fees = node.state().answers["coin_estimateFee"].clone();
    fees["baseFee"] = json!(1_000_000_000);
    fees["minReplacementPercent"] = json!(u32::MAX);
    node.state().instead = Some(("coin_estimateFee".into(), fees));
    home.run(&bump).fails(5, "it asks that a replacement pay 4294967295 % more; at most 1000 % is believed");
    assert_eq!(node.state().sent.len(), 1);
}

#[test]
fn a_nonce_beyond_what_the_wallet_knows_is_used_only_if_it_is_named() {
    let (node, home, _) = rich();
    node.state().nonce = 3;
    assert_eq!(home.json(&["transfer", TO, "1"])["nonce"], 3);
    node.state().lies_about_nonce = Some(1_000);
    for order in [&["transfer", TO, "2"][..], &["withdraw", "1"], &["call", TO, "0x01020304"]] {
        let refused = home.run(&[order, &["--yes"]].concat());
        refused.fails(8, &format!("the next nonce of {ACCOUNT} is 1000, but 3 of its transactions are mined"));
        refused.fails(8, "knows of 1 that wait");
        refused.fails(8, "add --nonce 1000; if not, add --nonce 4");
    }
    assert_eq!(node.state().sent.len(), 1);
    assert_eq!(home.json(&["transfer", TO, "2", "--nonce", "4"])["nonce"], 4);
    assert_eq!(home.json(&["withdraw", "1", "--nonce", "1000"])["nonce"], 1_000);
    home.run(&["transfer", TO, "0.5", "--nonce", "2", "--yes"]).fails(8, "is used already: the next is 3");
}

#[test]
fn a_count_of_mined_transactions_far_beyond_what_the_wallet_sent_is_not_followed() {
    let (node, home, _) = rich();
    // A wallet that was restored knows of none, and cannot tell.
    node.state().nonce = 1_000;
    assert_eq!(home.json(&["transfer", TO, "1", "--dry-run"])["nonce"], 1_000);
    node.state().nonce = 3;
    home.json(&["transfer", TO, "1"]);
    node.state().nonce = 1_000;
    for order in [&["transfer", TO, "2"][..], &["withdraw", "1"], &["call", TO, "0x01020304"]] {
        let refused = home.run(&[order, &["--yes"]].concat());
        refused.fails(8, &format!("1000 transactions of {ACCOUNT} are mined, but this wallet knows of 4"));
        refused.fails(8, "add --nonce 1000; if not, ask another node (--rpc)");
    }
    assert_eq!(node.state().sent.len(), 1);
    assert_eq!(home.json(&["transfer", TO, "2", "--nonce", "1000", "--dry-run"])["nonce"], 1_000);
    // Another wallet with the same words may have sent a few.
    node.state().nonce = 68;
    assert_eq!(home.json(&["transfer", TO, "2"])["nonce"], 68);
}

#[test]
fn errors_repeat_no_more_of_a_text_than_it_takes_to_know_it() {
    let (node, home, friend) = rich();
    let long = "x".repeat(100_000);
    let short = |what: &str, code: i32, command: &[&str]| {
        let answer = home.run(command);
        assert_eq!(answer.code, code, "{what}: {}", answer.err.len());
        assert!(answer.err.contains("xxx") && answer.err.len() < 5_000, "{what}: {}", answer.err.len());
    };
    let send = ["send", &format!("{friend}=1"), "--yes"];
    for answer in [json!(long), json!({ "baseFee": long }), json!([long])] {
        node.state().instead = Some(("coin_estimateFee".into(), answer));
        let refused = home.run(&send);
        assert!(refused.code == 5 && refused.err.len() < 5_000, "{}", refused.err.len());
    }
    node.state().instead = Some(("coin_estimateFee".into(), json!(long)));
    short("an answer", 5, &send);
    node.state().instead = None;
    node.state().refuse = Some(json!({ "code": -32003, "message": long, "data": { "reason": "fee" } }));
    short("a refusal", 9, &send);
    node.state().refuse = None;
    home.run(&["build", "--out", "pay.json", "transfer", TO, "1"]);
    let good = file_of(&home, "pay.json");
    for place in
        ["/format", "/network/name", "/network/hrp", "/transaction/account/to", "/transaction/account/gasLimit"]
    {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = json!(long);
        fs::write(home.path("bad.json"), bad.to_string()).unwrap();
        let refused = home.run(&["show", "bad.json"]);
        assert!(refused.code > 1 && refused.err.len() < 5_000, "{place}: {} {}", refused.code, refused.err.len());
    }
    let mut bad = good.clone();
    bad["transaction"]["account"]["function"] = json!(format!("{long}(uint256)"));
    fs::write(home.path("bad.json"), bad.to_string()).unwrap();
    short("a function", 8, &["show", "bad.json"]);
    fs::write(home.path("bad.json"), json!({ "format": long, "version": 1 }).to_string()).unwrap();
    short("a wallet", 3, &["balance", "--wallet", "bad.json"]);
}
