//! Subscriptions on real processes.

use cairn_tests::{Node, NodeOptions, Socket, TestKey};
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
#[ignore = "opens 10,000 connections: run alone"]
fn ten_thousand_idle_subscribers_take_less_than_200_mib() {
    let flags = vec!["--http.max-connections".into(), "10500".into()];
    let node = Node::with(NodeOptions { flags, ..NodeOptions::default() });
    let owner = TestKey::new(1, "ecrn");
    node.mine(1, &owner.address(), NOBODY);
    let before = node.memory();
    let connect = |_| {
        let mut socket = Socket::open(address(&node));
        let id = socket.call("eth_subscribe", json!(["newHeads"]));
        (socket, id)
    };
    let mut subscribers: Vec<_> = (0..10_000).map(connect).collect();
    let idle = node.memory() - before;
    println!("idle: {} MiB", idle >> 20);
    assert!(idle < 200 << 20, "{idle}");
    node.mine(1, &owner.address(), NOBODY);
    for (socket, id) in &mut subscribers {
        assert_eq!(socket.notified(id)["number"], "0x2");
    }
    let notified = node.memory() - before;
    println!("after a block: {} MiB", notified >> 20);
    assert!(notified < 200 << 20, "{notified}");
}
