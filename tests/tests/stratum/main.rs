//! Stratum on a real node, with a miner that knows nothing but the protocol.

mod client;
mod minerd;
mod reference;

use cairn_tests::{Node, NodeOptions, Port, TestKey, mined_spec, spec, wait_for};
use chain_core::{
    spec::ChainSpec,
    transaction::{Transaction, coin::Lock},
};
use client::{Found, Miner};
use serde_json::{Value, json};
use std::net::TcpStream;

/// A node that serves miners on a port.
fn node() -> (Node, Port) {
    let port = Port::take();
    let flags = vec!["--stratum.port".to_owned(), port.number().to_string()];
    // Blocks take some ten thousand hashes, shares fewer.
    let spec = ChainSpec { genesis_bits: 0x1f00_ffff, half_life: 10_000_000, ..mined_spec() };
    (Node::with(NodeOptions { spec, flags, file_limit: None }), port)
}

fn feed(node: &Node, path: &str) -> Value {
    let mut response = ureq::get(format!("{}{path}", node.rpc.url)).call().expect("the feed is served");
    response.body_mut().read_json().expect("it is JSON")
}

/// Whom the block at this height pays.
fn paid(node: &Node, height: u64) -> Vec<Lock> {
    let block = node.blocks_above(height - 1).remove(0);
    let Some(Transaction::Coinbase(coinbase)) = block.transactions.first() else { panic!("no coinbase") };
    coinbase.outputs.iter().map(|output| output.lock).collect()
}

#[test]
fn a_miner_that_knows_the_protocol_alone_mines_blocks_for_its_address() {
    let (mut node, port) = node();
    let keys = [TestKey::new(1, "ecrn"), TestKey::new(2, "ecrn")];
    let users = [format!("{}.rig", keys[0].address()), keys[1].address()];
    let mut miners = [Miner::connect(port.number()), Miner::connect(port.number())];
    for (miner, user) in miners.iter_mut().zip(&users) {
        miner.begin(user);
        assert_eq!(miner.job.as_ref().expect("a job").height(), 1);
        // The reply to subscribe is the first line that a miner gets after its question.
        assert_eq!(miner.heard[..3], ["answer", "answer", "answer"]);
    }
    for height in 1..=4_u64 {
        let who = usize::from(height % 2 == 0);
        let miner = &mut miners[who];
        while u64::from(miner.job.as_ref().expect("a job").height()) < height {
            assert!(miner.hear().is_none());
        }
        let found = miner.search(true);
        assert_eq!(miner.submit(&users[who], &found), Value::Null);
        while miner.shown.len() < height.div_ceil(2) as usize {
            assert!(miner.hear().is_none());
        }
        assert!(miner.shown.last().is_some_and(|text| text.starts_with(&format!("block {height} is yours: "))));
        assert_eq!(node.height(), height);
        assert_eq!(paid(&node, height), [keys[who].lock()]);
    }
    let workers = node.rpc.call("miner_getWorkers", json!([]));
    let rig = workers.as_array().and_then(|all| all.iter().find(|worker| worker["worker"] == "rig")).expect("a rig");
    assert_eq!((&rig["blocks"], &rig["sessions"], &rig["agent"]), (&json!(2), &json!(1), &json!("test/1.0")));
    assert!(rig["accepted"].as_u64().is_some_and(|count| count >= 2) && rig["bestShare"].as_f64() > Some(0.0));
    assert_eq!(node.rpc.call("miner_getStats", json!([]))["blocks"], 4);
    assert_eq!(feed(&node, "/api/info")["blockData"][0]["height"], 4);
    let client = feed(&node, &format!("/api/client/{}", keys[0].address()));
    assert_eq!((&client["workersCount"], &client["workers"][0]["name"]), (&json!(1), &json!("rig")));
    drop(miners);
    wait_for("the miners to be gone", 30, || {
        (node.rpc.call("miner_getStats", json!([]))["sessions"] == 0).then_some(())
    });
    assert!(node.stop());
    node.restart();
    let again = node.rpc.call("miner_getWorkers", json!([]));
    let kept = again.as_array().and_then(|all| all.iter().find(|worker| worker["worker"] == "rig")).expect("a rig");
    assert_eq!((&kept["blocks"], &kept["accepted"], &kept["sessions"]), (&json!(2), &rig["accepted"], &json!(0)));
}

#[test]
fn shares_count_once_and_are_stale_on_a_new_tip() {
    let (node, port) = node();
    let (user, other) = (TestKey::new(1, "ecrn").address(), TestKey::new(2, "ecrn").address());
    let mut miner = Miner::connect(port.number());
    miner.begin(&user);
    let found = miner.search(false);
    let first = miner.job.clone();
    if !found.is_block {
        assert_eq!(miner.submit(&user, &found), Value::Null);
        assert_eq!(miner.submit(&user, &found), json!([22, "Duplicate share", null]));
    }
    let late = json!([user, first.as_ref().map(|job| &job.id), found.extranonce2, "00000001", found.nonce]);
    assert_eq!(miner.ask("mining.submit", &late).1[0], 20, "another time than the job's");
    // Another miner's block reaches this one at once, and its old job is over.
    let before = node.height();
    node.mine(1, &other, "0x0000000000000000000000000000000000000001");
    while u64::from(miner.job.as_ref().expect("a job").height()) <= before + 1 {
        assert!(miner.hear().is_none());
    }
    assert!(miner.job.as_ref().expect("a job").clean);
    let newest = std::mem::replace(&mut miner.job, first);
    assert_eq!(miner.submit(&user, &found), json!([21, "stale", null]));
    miner.job = newest;
    let again = Found { nonce: "00000000".to_owned(), ..miner.search(false) };
    let foreign = json!([user, "ffff", again.extranonce2, "00000001", again.nonce]);
    assert_eq!(miner.ask("mining.submit", &foreign).1, json!([21, "Job not found", null]));
}

//     archive: 360 blocks -- pruned: the last 288 -- a fresh node, which waits for those before
#[test]
fn a_node_that_syncs_turns_miners_away() {
    let node = |flags: &[&str]| {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Node::with(NodeOptions { spec: spec(), flags, file_limit: None })
    };
    let port = Port::take();
    let (archive, pruned) = (node(&[]), node(&["--prune", "288"]));
    let fresh = node(&["--stratum.port", &port.number().to_string()]);
    let user = TestKey::new(1, "ecrn").address();
    archive.mine(360, &user, "0x0000000000000000000000000000000000000001");
    pruned.connect(&archive);
    wait_for("the chain", 120, || (pruned.height() == 360).then_some(()));
    let mut early = Miner::connect(port.number());
    early.begin(&user);
    fresh.connect(&pruned);
    wait_for("a sync", 60, || (fresh.rpc.call("eth_syncing", json!([])) != false).then_some(()));
    let mut late = Miner::connect(port.number());
    late.send(b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n");
    for miner in [&mut late, &mut early] {
        let said: Vec<_> = std::iter::from_fn(|| miner.line()).collect();
        let last = said.last().map(|line| line["params"][0].to_string());
        assert!(last.is_some_and(|text| text.contains("this node is syncing")), "{said:?}");
    }
    wait_for("a line", 10, || fresh.log().contains("a miner is turned away").then_some(()));
    fresh.connect(&archive);
    wait_for("the blocks", 120, || (fresh.rpc.call("eth_syncing", json!([])) == false).then_some(()));
    Miner::connect(port.number()).begin(&user);
}

#[test]
fn hostile_lines_are_answered_or_end_the_connection_and_the_node_serves_on() {
    let (node, port) = node();
    let mut early = Miner::connect(port.number());
    let share = json!(["x", "1", "00000000", "00000000", "00000000"]);
    assert_eq!(early.ask("mining.submit", &share).1, json!([25, "Not subscribed", null]));
    assert_eq!(early.ask("mining.authorize", &json!(["bc1qnobody.rig", "x"])).1[0], 24);
    wait_for("a line", 10, || node.log().contains("a miner's user name is refused").then_some(()));
    for wrong in [json!({}), json!("x"), json!([[[]]]), json!(null), json!([null, 5, {}])] {
        for method in ["mining.authorize", "mining.configure", "mining.suggest_difficulty", "nothing"] {
            early.ask(method, &wrong);
        }
    }
    let deep = [vec![b'['; 9_000], b"\n".to_vec()].concat();
    let long = [vec![b'a'; 1 << 20], b"\n".to_vec()].concat();
    for bad in [deep, long, vec![0xff; 5_000_000], b"\0\x01\n".to_vec(), b"GET / HTTP/1.1\r\n\r\n".to_vec()] {
        let mut hostile = Miner::connect(port.number());
        hostile.send(&bad);
        // An answer may be lost when the rest of the bytes is refused.
        if let Some(answer) = hostile.line() {
            assert_eq!(answer["error"][0], 20, "{answer}");
        }
        assert!(hostile.line().is_none(), "the connection is over");
    }
    let crowd: Vec<_> = (0..400).map_while(|_| TcpStream::connect(("127.0.0.1", port.number())).ok()).collect();
    for _ in 0..2_000 {
        drop(TcpStream::connect(("127.0.0.1", port.number())));
    }
    assert_eq!(node.height(), 0, "the node answers");
    drop(crowd);
    let user = TestKey::new(1, "ecrn").address();
    let mut miner = wait_for("a place", 30, || {
        let mut miner = Miner::connect(port.number());
        miner.send(b"{\"id\":1,\"method\":\"mining.ping\"}\n");
        miner.line().filter(|line| line["result"] == "pong").map(|_| miner)
    });
    miner.begin(&user);
    let found = miner.search(true);
    assert_eq!(miner.submit(&user, &found), Value::Null);
}
