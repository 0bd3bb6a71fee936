//! Flags and settings that are wrong: each is named, with what would be right.

use super::{easy_chain, failure, misuse, node, running::Running, stranger::liar, success};
use chain_core::{address, transaction::coin::Lock};
use std::path::Path;

/// What a wrong command line is answered.
fn said(arguments: &[&str]) -> (Option<i32>, String) {
    let output = node(arguments).output().unwrap();
    assert!(output.stdout.is_empty(), "{arguments:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn flags_that_are_wrong_are_named_with_what_would_be_right() {
    for (arguments, says) in [
        (&["status", "--rcp", "http://127.0.0.1:1"][..], "tip: a similar argument exists: '--rpc'"),
        (&["--chian", "local"], "tip: a similar argument exists: '--chain'"),
        (&["--mien"], "tip: a similar argument exists: '--mine'"),
        (&["stauts"], "tip: a similar subcommand exists: 'status'"),
        (&["--http.port", "abc"], "invalid value 'abc' for '--http.port <PORT>'"),
        (&["--http.port", "70000"], "70000 is not in 0..=65535"),
        (&["--miner.threads", "-1"], "-1"),
        (&["--miner.threads", "0", "--chain", "local"], "--miner.threads 0: expected"),
        (&["--miner.address", "nonsense"], "--miner.address"),
        (&["--log.level", "loud"], "loud"),
        (&["--cache", "0"], "--cache 0: expected 8 to 1048576 MiB"),
        (&["--prune", "x"], "invalid value 'x' for '--prune"),
        (&["--connect", "here"], "expected an address such as"),
        (&["--http.api", "eth,nosuch"], "nosuch"),
        (&["--dev", "--chain", "local"], "--dev"),
        (&["chain", "show", "moon"], "unknown chain \"moon\""),
        (&["--dev", "--no-mining", "--mine"], "with --no-mining, blocks are mined on demand alone"),
    ] {
        let (code, text) = said(arguments);
        assert!(code == Some(2) && text.starts_with("error: ") && text.contains(says), "{arguments:?}: {text}");
    }
}

#[test]
fn a_word_that_is_taken_for_a_command_is_explained() {
    for (arguments, tip) in [
        (&["--mine", "false"][..], "tip: a value stands behind an equals sign, as in `--mine=false`"),
        (&["--chain", "local", "status"], "tip: flags stand behind the command, as in"),
    ] {
        assert!(said(arguments).1.starts_with(tip), "{arguments:?}: {}", said(arguments).1);
    }
    assert!(said(&["--dev", "--no-mining", "--block-time", "5"]).1.starts_with("error: "), "no command is there");
}

#[test]
fn help_that_cannot_be_written_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = node(&["--help"]).stdout(full).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("cannot write to standard output"), "{text}");
}

#[test]
fn a_log_file_that_cannot_be_written_is_named() {
    let file = "/proc/nowhere/node.log";
    let text = misuse(&["--chain", "local", "--log.file", file]);
    assert!(text.starts_with(&format!("cannot write the log file {file}: ")), "{text}");
    assert!(text.ends_with("; choose another with --log.file"), "{text}");
}

#[test]
fn the_chain_may_be_named_by_a_variable() {
    let output = node(&["--http.port", "0"]).env("CAIRN_CHAIN", "moon").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && text.contains("unknown chain \"moon\""), "{text}");
}

/// Has a node keep whom it pays.
fn mine_to(data: &str, chain: &str, hrp: &str) {
    let mut node = Running::start(&["--chain", chain, "--datadir", data]);
    success(&["mine-to", &address::encode(hrp, &Lock::Policy([3; 32])), "--rpc", &node.url]);
    assert_eq!(node.signal(libc::SIGTERM), Some(0));
}

#[test]
fn a_directory_of_another_chain_is_named_so_before_its_payout_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    mine_to(&data, &easy_chain(folder.path()), "ecrn");
    let payout = Path::new(&data).join("payout.json");
    let kept = std::fs::read(&payout).unwrap();
    for mine in [&[][..], &["--mine"]] {
        let text = failure(&[&["--chain", "local", "--datadir", &data], mine].concat());
        assert!(text.starts_with("the data directory holds the chain '"), "{text}");
        assert!(!text.contains("damaged") && !text.to_lowercase().contains("remove"), "{text}");
    }
    assert_eq!(std::fs::read(&payout).unwrap(), kept);
    // On its own chain what is damaged is still said.
    std::fs::write(&payout, "garbage").unwrap();
    let text = failure(&["--chain", folder.path().join("chain.toml").to_str().unwrap(), "--datadir", &data]);
    assert!(text.contains("payout.json, which says whom to pay, is damaged"), "{text}");
}

#[test]
fn numbers_that_no_node_has_are_not_shown() {
    let hash = "0".repeat(64);
    let info = format!(
        r#"{{"chain":"local","chainId":1,"height":1,"headers":1,"time":1,"baseFee":1,"bestHash":"{hash}",
           "mempool":{{"transactions":0,"bytes":0}}}}"#
    );
    let many = u64::MAX.to_string();
    for (method, answer) in [
        ("net_peerCount", r#""0xffffffffffffffff""#.to_owned()),
        ("net_peerCount", r#""0x10000""#.to_owned()),
        ("miner_status", format!(r#"{{"mining":true,"threads":{many},"blocks":0,"hashrate":1.0}}"#)),
        ("miner_status", format!(r#"{{"mining":true,"threads":1,"blocks":{many},"hashrate":1.0}}"#)),
        ("miner_status", r#"{"mining":true,"threads":1,"blocks":0,"hashrate":1e300}"#.to_owned()),
        ("admin_nodeInfo", format!(r#"{{"version":"x","uptime":{many}}}"#)),
        ("admin_nodeInfo", format!(r#"{{"version":"x","uptime":1,"clockPeers":{many}}}"#)),
        ("admin_nodeInfo", r#"{"version":"x","uptime":1,"clockOffset":-9223372036854775808}"#.to_owned()),
        ("admin_peers", format!(r#"[{{"height":{many}}}]"#)),
    ] {
        let url = liar(vec![("chain_getInfo", info.clone()), (method, answer.clone())]);
        let text = failure(&["status", "--rpc", &url]);
        let expected = format!("what answers at {url} is not a Cairn node (its answer to {method} makes no sense): ");
        assert!(text.starts_with(&expected), "{method} {answer}: {text}");
    }
}
