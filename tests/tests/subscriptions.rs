//! Subscriptions on real processes.

use cairn_tests::{Node, Socket, TestKey, wait_for};
use serde_json::{Value, json};
use std::net::SocketAddr;

const NOBODY: &str = "0x0000000000000000000000000000000000000000";

fn address(node: &Node) -> SocketAddr {
    node.rpc.url.trim_start_matches("http://").parse().expect("the node listens on an address")
}

//        /- a2 - a3
//  ... 1
//        \- b2 - b3 - b4
#[test]
fn new_heads_follow_a_reorganisation_block_by_block() {
    let (a, b) = (Node::start(), Node::start());
    let (owner, rival) = (TestKey::new(1, "ecrn"), TestKey::new(3, "ecrn"));
    a.mine(1, &owner.address(), NOBODY);
    for block in a.blocks_above(0) {
        b.submit(&block).expect("the common part");
    }
    let mut socket = Socket::open(address(&a));
    let heads = socket.call("eth_subscribe", json!(["newHeads"]));
    a.mine(2, &owner.address(), NOBODY);
    b.mine(3, &rival.address(), NOBODY);
    for block in b.blocks_above(1) {
        a.submit(&block).expect("a rival branch");
    }
    let told: Vec<Value> = (0..5).map(|_| socket.notified(&heads)).collect();
    let numbers: Vec<_> = told.iter().map(|head| head["number"].as_str().unwrap_or_default()).collect();
    assert_eq!(numbers, ["0x2", "0x3", "0x2", "0x3", "0x4"]);
    assert_eq!(told[2]["parentHash"], told[0]["parentHash"]);
    for pair in [[1, 0], [3, 2], [4, 3]] {
        assert_eq!(told[pair[0]]["parentHash"], told[pair[1]]["hash"]);
    }
    let refused = a.rpc.try_call("eth_subscribe", json!(["newHeads"])).expect_err("HTTP has no notifications");
    assert_eq!((refused.code, refused.message.as_str()), (-32601, "notifications not supported"));
}

#[test]
fn the_start_and_the_end_of_syncing_are_told_and_no_single_block_is() {
    let (source, node) = (Node::start(), Node::start());
    let owner = TestKey::new(1, "ecrn");
    source.mine(400, &owner.address(), NOBODY);
    let mut socket = Socket::open(address(&node));
    let id = socket.call("eth_subscribe", json!(["syncing"]));
    assert_eq!(socket.call("eth_syncing", json!([])), false);
    node.connect(&source);
    let started = socket.notified(&id);
    assert_eq!(started["syncing"], true, "{started}");
    let status = &started["status"];
    assert_eq!((&status["startingBlock"], &status["highestBlock"]), (&json!("0x0"), &json!("0x190")), "{started}");
    assert_eq!(socket.notified(&id), false);
    // The last blocks may be on their way still, but they are no more than come at once at any time.
    assert!(node.height() > 380, "{}", node.height());
    wait_for("the chain", 20, || (node.height() == 400).then_some(()));
    assert_eq!(socket.call("eth_syncing", json!([])), false);
    for height in 401..=430 {
        source.mine(1, &owner.address(), NOBODY);
        wait_for("the block", 20, || (node.height() == height).then_some(()));
    }
    assert!(socket.is_quiet(), "a block that follows the tip is not told as a sync");
}

#[test]
fn a_node_opens_as_many_files_as_the_system_lets_it_whatever_its_shell_began_with() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes to the struct that it is given.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    let few = libc::rlimit { rlim_cur: 800, ..limit };
    // SAFETY: it reads the struct that it is given.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const few) }, 0);
    let node = Node::start();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", node.pid())).expect("the node is alive");
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("Linux reports it");
    let soft = files.split_whitespace().next().expect("a number");
    assert_eq!(soft, limit.rlim_max.min(65_536).to_string());
}
