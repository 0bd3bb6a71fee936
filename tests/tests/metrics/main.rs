//! What watches nodes, on real processes: every documented metric is there, and those move that what happens should move;
//! a log of JSON has the documented fields.

// The peer of the tests in `hostile`; not everything that it can do is done here.
#[allow(dead_code, reason = "the other tests use it")]
#[path = "../hostile/attacker.rs"]
mod attacker;
mod moves;
mod scenes;
mod scrape;

use cairn_tests::{Node, NodeOptions, TestKey, agree, binary, genesis, send, spec, wait_for};
use cairn_vectors::{Needs, skip};
use chain_core::{spec::ChainSpec, transaction::coin::Output, units::Amount};
use scrape::{Sums, documented, get, served};
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeSet,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

const ACCOUNT: &str = "0x00000000000000000000000000000000000000aa";

fn options(flags: &[&str]) -> NodeOptions {
    let spec = ChainSpec { coinbase_maturity: 1, ..spec() };
    NodeOptions { spec, flags: flags.iter().map(|flag| (*flag).to_owned()).collect(), ..NodeOptions::default() }
}

fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// What grows by a sync, a reorganisation, a payment and a scrape.
const MOVED: [&str; 17] = [
    "cairn_engine_event_seconds:event=peer",
    "cairn_engine_event_seconds:event=block",
    "cairn_engine_stage_seconds:stage=check",
    "cairn_engine_stage_seconds:stage=execute",
    "cairn_engine_stage_seconds:stage=verify",
    "cairn_engine_stage_seconds:stage=apply",
    "cairn_engine_stage_seconds:stage=flush",
    "cairn_engine_stage_seconds:stage=disconnect",
    "cairn_engine_stage_seconds:stage=template",
    "cairn_mining_templates_total",
    "cairn_net_connections_total",
    "cairn_net_received_bytes_total",
    "cairn_net_sent_bytes_total",
    "cairn_net_message_bytes_total:message=blocks",
    "cairn_net_message_bytes_total:message=headers",
    "cairn_rpc_call_seconds",
    "cairn_metrics_scrape_seconds",
];

#[test]
fn a_scrape_has_all_that_is_documented_and_it_moves_with_the_node() {
    let key = TestKey::new(1, "ecrn");
    let (one, other) = (Node::with(options(&["--metrics.port", "0"])), Node::with(options(&[])));
    let url = served(&one);
    one.mine(2, &key.address(), ACCOUNT);
    other.mine(4, &TestKey::new(2, "ecrn").address(), ACCOUNT);
    let before = Sums::of(&url);
    assert_eq!(before.names().into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), documented());
    assert_eq!(before.get("cairn_chain_height"), 2.0);
    assert_eq!(before.get("cairn_chain_reorg_depth_blocks"), 0.0);

    one.connect(&other);
    agree([&one, &other], 60);
    one.mine(2, &key.address(), ACCOUNT);
    let coins = key.coins(&one.rpc);
    let (_, coin) = coins.first().expect("a coin is mature");
    let amount = Amount::from_grains(coin.output.amount.grains() - 100_000);
    let payment = key.spend(&genesis(&one.rpc), &coins[..1], vec![Output { amount, lock: key.lock() }]);
    send(&one.rpc, &payment).expect("it is taken");
    // The pool knows it; the RPC takes that for a success.
    send(&one.rpc, &payment).expect("it is there");
    one.rpc.try_call("eth_made_up", json!([])).expect_err("there is no such method");
    let pooled = Sums::of(&url);
    assert_eq!(pooled.get("cairn_mempool_transactions:kind=coin"), 1.0);
    one.mine(1, &key.address(), ACCOUNT);
    let after = Sums::of(&url);

    let grown = |name: &str| after.get(name) - before.get(name);
    assert_eq!(after.get("cairn_chain_height"), 7.0);
    let time = one.rpc.call("chain_getInfo", json!([]))["time"].as_f64();
    assert_eq!(Some(after.get("cairn_chain_tip_timestamp_seconds")), time);
    assert_eq!(grown("cairn_chain_blocks_disconnected_total"), 2.0);
    assert_eq!(grown("cairn_chain_blocks_connected_total"), 7.0);
    assert_eq!(grown("cairn_chain_reorg_depth_blocks"), 1.0);
    assert_eq!(grown("cairn_mempool_added_total"), 1.0);
    assert_eq!(grown("cairn_mempool_removed_total:reason=mined"), 1.0);
    assert_eq!(grown("cairn_mempool_rejected_total:reason=known"), 1.0);
    assert_eq!(grown("cairn_rpc_errors_total:method=other"), 1.0);
    assert_eq!(after.get("cairn_net_peers"), 1.0);
    for name in MOVED {
        assert!(grown(name) > 0.0, "{name} did not move from {}", before.get(name));
    }
    let compared = || (Sums::of(&url).get("cairn_net_clock_peers") > 0.0).then_some(());
    wait_for("a clock to compare with", 30, compared);
    for name in [
        "cairn_store_memtable_bytes",
        "cairn_store_disk_free_bytes",
        "cairn_process_resident_memory_bytes",
        "cairn_chain_difficulty",
    ] {
        assert!(after.get(name) > 0.0, "{name}");
    }
}

#[test]
fn a_node_is_ready_once_it_has_a_peer_or_mines_alone() {
    let (one, other) = (Node::with(options(&["--metrics.port", "0"])), Node::with(options(&[])));
    let url = served(&one);
    let ready = || {
        let (status, body) = get(&format!("{url}/ready"));
        (status, serde_json::from_str::<Json>(&body).expect("it is JSON"))
    };
    let reason = "no peers, and the node mines nothing";
    assert_eq!(ready(), (503, json!({ "status": "not ready", "reason": reason })));
    assert_eq!(get(&format!("{url}/health")), (200, "{\"status\":\"alive\"}\n".to_owned()));
    one.connect(&other);
    wait_for("the node to be ready", 30, || (ready() == (200, json!({ "status": "ready" }))).then_some(()));
}

#[test]
fn a_port_in_use_and_an_address_for_others_are_named() {
    let node = Node::with(options(&["--metrics.addr", "0.0.0.0", "--metrics.port", "0"]));
    wait_for("the warning", 30, || {
        node.log().contains("can be read by anyone who can reach it, unencrypted").then_some(())
    });
    let url = served(&node);
    let port = url.rsplit(':').next().expect("a URL has a port");
    let output = Command::new(binary("cairn-node"))
        .args(["--chain", "local", "--max-peers", "0", "--http.port", "0", "--metrics.port", port, "--datadir"])
        .arg(node.folder.path().join("second"))
        .env("HOME", node.folder.path())
        .output()
        .expect("the node's binary can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected =
        format!("error: 127.0.0.1:{port} is in use by another program, perhaps another node: stop it, or choose");
    assert!(said.starts_with(&expected) && said.contains("such as --metrics.port "), "{said}");
}

/// Runs promtool if it is installed.
fn promtool(arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(std::env::var_os("PROMTOOL").unwrap_or_else(|| "promtool".into()));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.current_dir(repository().join("contrib")).spawn() else {
        skip(Needs::Promtool);
        return None;
    };
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    Some(said)
}

#[test]
fn promtool_accepts_the_alerts_the_configuration_and_a_scrape() {
    if promtool(&["check", "rules", "alerts.yml"], "").is_none() {
        return;
    }
    promtool(&["check", "config", "prometheus.yml"], "");
    let node = Node::with(options(&["--metrics.port", "0"]));
    let (_, scrape) = get(&format!("{}/metrics", served(&node)));
    let said = promtool(&["check", "metrics"], &scrape).expect("it ran before");
    assert_eq!(said.trim(), "", "promtool has nothing to say about a scrape");
}

/// The fields of a line of the log.
fn fields(line: &str) -> Json {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn a_log_of_json_is_nothing_else_and_has_the_documented_fields() {
    let key = TestKey::new(1, "ecrn");
    let mut one = Node::with(options(&["--log.format", "json"]));
    let other = Node::with(options(&[]));
    one.connect(&other);
    wait_for("a peer", 30, || (one.peers() == 1).then_some(()));
    one.mine(1, &key.address(), ACCOUNT);
    let of = |name: &str| wait_for(name, 30, || one.log().lines().map(fields).find(|line| line["message"] == *name));
    let (started, block, connected) = (of("started"), of("block"), of("connected"));
    assert_eq!((&started["chain"], &started["height"]), (&json!("e2e"), &json!(0)));
    assert!(started["rpc"].is_string() && started["peer_address"].is_string(), "{started}");
    assert_eq!((&block["level"], &block["height"], &block["transactions"]), (&json!("INFO"), &json!(1), &json!(0)));
    assert_eq!(block["hash"], one.tip(), "hashes are whole");
    assert!(block["gas"].is_u64() && block["ms"].is_u64(), "{block}");
    assert!(connected["outbound"] == true && connected["peer"].is_string() && connected["address"].is_string());
    assert!(one.stop());
    let log = one.log();
    for line in log.lines().map(fields) {
        for name in ["timestamp", "level", "target", "message"] {
            assert!(line[name].is_string(), "no {name}: {line}");
        }
    }
    assert_eq!(fields(log.lines().last().expect("it logged"))["message"], "stopped");
}

#[test]
fn a_log_of_json_says_in_json_why_the_node_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let settings = folder.path().join("settings.toml");
    std::fs::write(&settings, "[log]\nformat = \"json\"\n").expect("it can be written");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it has one").port().to_string();
    let settings = settings.display().to_string();
    let log = folder.path().join("log").display().to_string();
    let in_use = ["--chain", "local", "--http.port", &port, "--datadir"];
    for (flags, expected) in [
        (["--log.format", "json"].as_slice(), "in use"),
        (&["--config", &settings, "--log.level", "off"], "in use"),
        (&["--config", &settings, "--cache", "1"], "--cache"),
        (&["--log.format=json", "--no-such-flag"], "--no-such-flag"),
        (&["--log.format", "json", "--log.file", &log], "in use"),
    ] {
        let output = Command::new(binary("cairn-node"))
            .args(in_use)
            .arg(folder.path().join("data"))
            .args(flags)
            .output()
            .expect("the program can be run");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(!output.status.success());
        for line in said.lines().map(fields) {
            assert!(["timestamp", "level", "target", "message"].iter().all(|name| line[name].is_string()), "{line}");
        }
        let last = fields(said.lines().last().expect("it said something"));
        assert_eq!(last["level"], "ERROR");
        assert!(last["message"].as_str().is_some_and(|text| text.contains(expected)), "{flags:?}: {last}");
    }
    let kept = std::fs::read_to_string(&log).expect("there is a log");
    assert!(
        fields(kept.lines().last().expect("a line"))["message"].as_str().is_some_and(|text| text.contains("in use"))
    );
}
