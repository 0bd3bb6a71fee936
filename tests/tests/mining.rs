//! The node's own miner, on real processes: what two of them search, and what the log says of it.

use cairn_tests::{Node, NodeOptions, TestKey, agree, mined_spec, wait_for};
use serde_json::json;
use std::collections::BTreeSet;

fn miner(key: &TestKey) -> NodeOptions {
    let flags = ["--mine", "--miner.threads", "1", "--cache", "16", "--miner.address"];
    let flags = flags.into_iter().map(str::to_owned).chain([key.address()]).collect();
    NodeOptions { spec: mined_spec(), flags, ..NodeOptions::default() }
}

/// Hashes of the blocks that the log says were mined here.
fn mined(log: &str) -> BTreeSet<String> {
    let hash = |line: &str| line.split_once(" hash=").map(|(_, rest)| rest.chars().take(64).collect());
    log.lines().filter(|line| line.contains(" mined block ")).filter_map(hash).collect()
}

#[test]
fn two_nodes_of_one_payout_never_find_the_same_block() {
    let key = TestKey::new(1, "ecrn");
    let nodes = [Node::with(miner(&key)), Node::with(miner(&key))];
    nodes[0].connect(&nodes[1]);
    wait_for("both to mine", 180, || nodes.iter().all(|node| mined(&node.log()).len() >= 8).then_some(()));
    nodes.iter().for_each(|node| _ = node.rpc.call("miner_stop", json!([])));
    agree(&nodes, 60);
    let [one, two] = nodes.each_ref().map(Node::log);
    assert!(mined(&one).is_disjoint(&mined(&two)), "{one}\n{two}");
    assert!(!one.contains("outcome=Known") && !two.contains("outcome=Known"), "{one}\n{two}");
}

#[test]
fn the_log_says_what_was_mined_for_whom_and_on_how_many_threads() {
    let key = TestKey::new(1, "ecrn");
    let node = Node::with(miner(&key));
    let line = wait_for("a mined block", 60, || {
        node.log().lines().find(|line| line.contains(" mined block ")).map(str::to_owned)
    });
    for part in ["height=", "transactions=0 ", "reward=5.00000000", "difficulty="] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    let other = TestKey::new(2, "ecrn").address();
    node.rpc.call("miner_setAddress", json!([other, "0x00000000000000000000000000000000000000aa"]));
    node.rpc.call("miner_start", json!([2]));
    let told = |text: &str| wait_for(text, 30, || node.log().contains(text).then_some(()));
    told(&format!("blocks pay to {other} from now on"));
    told("mining threads=2");
    node.rpc.call("miner_stop", json!([]));
    told("mining stopped");
}
