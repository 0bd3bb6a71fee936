//! Nodes find each other's blocks and transactions, on real processes: mining, syncing, partitions, crashes.

use cairn_tests::{
    Node, NodeOptions, Port, Rpc, TestKey, agree, binary, connect_all, cut, genesis, heal, mined_spec, nodes, send,
    spec, wait_for,
};
use chain_core::{
    transaction::coin::Output,
    units::{Amount, GRAINS_PER_CRN},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    process::{Child, Command, Stdio},
};

const NOBODY: &str = "0x0000000000000000000000000000000000000000";

fn miner_flags(number: usize) -> Vec<String> {
    let key = TestKey::new(u8::try_from(number + 1).expect("few nodes"), "ecrn");
    let flags =
        ["--mine", "--miner.threads", "1", "--miner.account", &format!("0x{:040x}", number + 1), "--cache", "16"];
    flags.into_iter().map(str::to_owned).chain(["--miner.address".to_owned(), key.address()]).collect()
}

fn quiet_flags(_: usize) -> Vec<String> {
    ["--cache", "16"].map(str::to_owned).to_vec()
}

/// Nobody mines any more, and there is no tie: two blocks that are found at once would be one for good. One more ends it,
/// once everybody has heard of both.
fn stop_mining(nodes: &[Node]) {
    let stop = |node: &Node| _ = node.rpc.call("miner_stop", json!([]));
    nodes.iter().for_each(stop);
    Node::pause(2_000);
    let height = nodes[0].height();
    nodes[0].rpc.call("miner_start", json!([1]));
    wait_for("a block that ends all ties", 120, || (nodes[0].height() > height).then_some(()));
    stop(&nodes[0]);
}

fn pool_size(node: &Node) -> u64 {
    node.rpc.call("chain_getInfo", json!([]))["mempool"]["transactions"].as_u64().expect("a number")
}

#[test]
fn five_nodes_mine_one_chain() {
    let nodes = nodes(&mined_spec(), 5, miner_flags);
    connect_all(&nodes);
    wait_for("30 blocks", 180, || (nodes[0].height() >= 30).then_some(()));
    stop_mining(&nodes);
    let height = agree(&nodes, 60);
    let beneficiary = |height: u64| nodes[0].rpc.call("chain_getBlock", json!([height]))["beneficiary"].to_string();
    let miners: BTreeSet<String> = (1..=height).map(beneficiary).collect();
    assert!(miners.len() > 1, "several nodes' blocks are on the chain: {miners:?}");
    for node in &nodes {
        assert_eq!(node.rpc.call("net_peerCount", json!([])), "0x4");
        assert_eq!(node.rpc.call("admin_bans", json!([])), json!([]), "honest nodes ban nobody");
    }
}

/// Peers say where they stand every 30 seconds only.
#[test]
fn the_height_of_a_peer_follows_the_blocks_that_come_from_it() {
    let (one, other) = (Node::start(), Node::start());
    one.connect(&other);
    let info = || other.rpc.call("admin_peers", json!([]))[0].clone();
    wait_for("the peer to say where it stands", 30, || (info()["height"] == 0).then_some(()));
    one.mine(3, &TestKey::new(1, "ecrn").address(), NOBODY);
    wait_for("the peer's new tip", 10, || (info()["height"] == 3 && info()["bestHash"] == one.tip()).then_some(()));
}

#[test]
fn a_fresh_node_syncs_2000_blocks_while_blocks_arrive() {
    let key = TestKey::new(1, "ecrn");
    let old = Node::start();
    old.mine(2_000, &key.address(), NOBODY);
    let fresh = Node::start();
    fresh.connect(&old);
    let synced = || {
        old.mine(1, &key.address(), NOBODY);
        Node::pause(20);
        (fresh.height() >= 2_000).then_some(())
    };
    wait_for("the fresh node to sync", 120, synced);
    let height = agree([&old, &fresh], 20);
    assert!(height > 2_000, "blocks arrived meanwhile");
    assert_eq!(fresh.rpc.call("eth_syncing", json!([])), false);
}

/// ```text
///          /- 1 (loser's transaction)
///   101 --<
///          \- 1 - 2 - 3
/// ```
#[test]
fn a_healed_partition_has_one_chain_that_mines_the_losers_transactions_again() {
    let nodes = nodes(&spec(), 4, quiet_flags);
    connect_all(&nodes);
    let (owner, payee) = (TestKey::new(1, "ecrn"), TestKey::new(2, "ecrn"));
    nodes[0].mine(101, &owner.address(), NOBODY);
    agree(&nodes, 60);
    let genesis = genesis(&nodes[0].rpc);
    let (losers, winners) = ([&nodes[0], &nodes[1]], [&nodes[2], &nodes[3]]);
    cut(&losers, &winners);

    let outputs = vec![Output { amount: Amount::from_grains(4 * GRAINS_PER_CRN), lock: payee.lock() }];
    let payment = owner.spend(&genesis, &[owner.coins(&nodes[0].rpc)[0]], outputs);
    send(&nodes[1].rpc, &payment).expect("the payment is fine");
    wait_for("the payment to reach the other node of its side", 20, || (pool_size(&nodes[0]) == 1).then_some(()));
    nodes[0].mine(1, &owner.address(), NOBODY);
    agree(losers, 20);
    assert_eq!(payee.coins(&nodes[1].rpc).len(), 1, "it is mined on the losing side");
    nodes[3].mine(3, &owner.address(), NOBODY);
    agree(winners, 20);
    assert_eq!(pool_size(&nodes[2]), 0, "the winning side has not heard of it");

    heal(&losers, &winners);
    assert_eq!(agree(&nodes, 30), 104);
    assert_eq!(payee.coins(&nodes[0].rpc).len(), 0, "its block is disconnected");
    wait_for("the payment in the winners' pools", 30, || (pool_size(&nodes[3]) == 1).then_some(()));
    nodes[3].mine(1, &owner.address(), NOBODY);
    agree(&nodes, 20);
    for node in &nodes {
        assert_eq!(payee.coins(&node.rpc).len(), 1, "mined again");
    }
}

#[test]
fn nodes_killed_at_random_come_back_and_agree() {
    const ROUNDS: usize = 3;
    let mut nodes = nodes(&mined_spec(), 6, miner_flags);
    connect_all(&nodes);
    let given = std::env::var("CAIRN_CRASH_SEED").ok().and_then(|text| text.parse().ok());
    let mut seed: u64 = given.unwrap_or_else(|| std::process::id().into());
    println!("CAIRN_CRASH_SEED={seed}");
    for round in 1..=ROUNDS {
        let height = nodes[0].height();
        wait_for("more blocks", 120, || (nodes[0].height() >= height + 5).then_some(()));
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let first = usize::try_from(seed >> 33).expect("64 bits") % 6;
        let victims = [first, (first + 1 + round) % 6];
        victims.iter().for_each(|victim| nodes[*victim].kill());
        Node::pause(1_500);
        for victim in victims {
            nodes[victim].restart();
        }
        connect_all(&nodes);
    }
    stop_mining(&nodes);
    let height = agree(&nodes, 60);
    assert!(height >= 5 * ROUNDS as u64);
}

/// A node started by a line of the README, killed when dropped.
struct Terminal(Child);

impl Drop for Terminal {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A line of the README with other ports. A port is a word of its own or ends one, as in `127.0.0.1:30303`.
fn with_ports(line: &str, ports: &[(u16, u16)]) -> String {
    let replaced = |word: &str| {
        let (before, number) = word.rsplit_once(':').map_or(("", word), |(host, number)| (host, number));
        let new = ports.iter().find(|(old, _)| number == old.to_string()).map(|(_, new)| new);
        match new {
            Some(new) if before.is_empty() => new.to_string(),
            Some(new) => format!("{before}:{new}"),
            None => word.to_owned(),
        }
    };
    line.split_whitespace().map(replaced).collect::<Vec<_>>().join(" ")
}

#[test]
fn ports_are_replaced_as_whole_words() {
    let ports = [(8_546, 25_000), (30_303, 28_546)];
    let line = "--http.port 8546 --connect 127.0.0.1:30303 --port 38546 --datadir /tmp/8546/x";
    let expected = "--http.port 25000 --connect 127.0.0.1:28546 --port 38546 --datadir /tmp/8546/x";
    assert_eq!(with_ports(line, &ports), expected);
}

/// The README's lines as they stand, but for folders and ports, which others may be using.
#[test]
fn the_lines_of_the_readme_form_a_network() {
    let section = include_str!("../../README.md")
        .split("## A network in three terminals")
        .nth(1)
        .expect("the README has this section");
    let section = section.split("\n## ").next().expect("a split has a first part");
    let lines: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("    bin/cairn-node "))
        .filter(|line| line.contains("--chain"))
        .collect();
    assert_eq!(lines.len(), 3, "{section}");
    let home = tempfile::tempdir().expect("a temporary directory");
    let (peers, rpcs) = ([(); 3].map(|()| Port::take()), [(); 3].map(|()| Port::take()));
    let numbered = |from: u16, ports: &[Port; 3]| (from..).zip(ports).map(|(old, new)| (old, new.number())).collect();
    let replaced: [Vec<(u16, u16)>; 2] = [numbered(30_303, &peers), numbered(8_545, &rpcs)];
    let url = |port: &Port| format!("http://127.0.0.1:{}", port.number());
    let rpc: Vec<_> = rpcs.iter().map(|port| Rpc::new(url(port), home.path())).collect();
    let mut running = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mut line = with_ports(line, &replaced.concat()).replace("/tmp/", &format!("{}/", home.path().display()));
        if index == 0 {
            line += &format!(" --port {} --http.port {}", peers[0].number(), rpcs[0].number());
        }
        let child = Command::new(binary("cairn-node"))
            .args(line.split_whitespace())
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        running.push(Terminal(child.expect("the node's binary can be run")));
        // The first is up before the others dial it, as it is by hand.
        wait_for("the node to answer", 120, || rpc[index].try_call("chain_getInfo", json!([])).ok());
    }
    let info = |index: usize| rpc[index].try_call("chain_getInfo", json!([])).unwrap_or(Value::Null);
    let together = || {
        let infos = [info(0), info(1), info(2)];
        let same = infos.iter().all(|other| other["bestHash"] == infos[0]["bestHash"]);
        (same && infos[0]["height"].as_u64() >= Some(3)).then_some(())
    };
    wait_for("the three nodes to mine and sync", 180, together);
}

/// What a node says in its log, sooner or later.
fn wait_for_line(node: &Node, line: &str, seconds: u64) {
    wait_for(line, seconds, || node.log().contains(line).then_some(()));
}

fn disconnects(node: &Node) -> usize {
    node.rpc.call("admin_nodeInfo", json!([]))["disconnected"].as_array().expect("a list").len()
}

#[test]
fn a_node_of_another_chain_is_named_and_left_alone() {
    let node = Node::start();
    let other = Node::with(NodeOptions { spec: mined_spec(), ..NodeOptions::default() });
    let reason = |node: &Node| format!("is of another chain, whose genesis block is {}", genesis(&node.rpc));
    for count in 1..=2 {
        other.connect(&node);
        wait_for("both to part", 20, || (disconnects(&node) >= count && disconnects(&other) >= count).then_some(()));
    }
    assert_eq!(
        (disconnects(&node), disconnects(&other)),
        (2, 2),
        "it is dialled when the operator says so, and not again"
    );
    wait_for_line(&other, &format!("cannot connect to the node that was named: {}", reason(&node)), 20);
    let why = |node: &Node| node.rpc.call("admin_nodeInfo", json!([]))["disconnected"][0]["reason"].clone();
    assert!([why(&node), why(&other)].contains(&json!(reason(&other))) || why(&other) == json!(reason(&node)));
    assert_eq!(node.peers(), 0);
    assert_eq!(node.rpc.call("admin_bans", json!([])), json!([]), "it is no crime to be of another chain");
}

#[test]
fn a_named_node_that_does_not_answer_is_named_and_so_is_loneliness() {
    let dead = Port::take();
    let flags = ["--connect".to_owned(), format!("127.0.0.1:{}", dead.number())].to_vec();
    let node = Node::with(NodeOptions { flags, ..NodeOptions::default() });
    wait_for_line(&node, "cannot connect to the node that was named: Connection refused", 20);
    wait_for_line(&node, "none of the nodes that --connect or --bootnodes names answers", 90);
}

#[test]
fn a_node_with_a_copied_key_says_what_to_do() {
    let node = Node::start();
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    std::fs::create_dir(folder.path().join("data")).expect("it is new");
    std::fs::copy(node.datadir().join("nodekey"), folder.path().join("data/nodekey")).expect("the key is there");
    let copy = Node::within(folder, NodeOptions::default());
    assert_eq!(copy.peer_id(), node.peer_id());
    copy.rpc.call("admin_addPeer", json!([node.peer_address()]));
    wait_for_line(&copy, "another node has this node's key", 20);
    wait_for_line(&copy, "delete the file nodekey in its data directory", 5);
}

#[test]
fn a_node_named_by_its_host_name_is_one_peer_and_may_get_a_new_key() {
    let mut node = Node::start();
    let friend = Node::start();
    let address = node.peer_address().replace("/ip4/127.0.0.1/tcp/", "localhost:");
    friend.rpc.call("admin_addPeer", json!([address]));
    let connected = |friend: &Node, node: &Node| {
        let peers = friend.rpc.call("admin_peers", json!([]));
        (peers.as_array().map(Vec::len) == Some(1) && peers[0]["id"] == node.peer_id()).then_some(())
    };
    wait_for("the named node", 20, || connected(&friend, &node));
    let first = node.peer_id();
    node.kill();
    std::fs::remove_file(node.datadir().join("nodekey")).expect("the node has a key");
    node.restart();
    assert_ne!(node.peer_id(), first);
    wait_for("the named node under its new key", 90, || connected(&friend, &node));
    wait_for_line(&friend, "the node there has a new key", 5);
    assert_eq!(friend.rpc.call("admin_removePeer", json!([node.peer_id()])), true, "the name is joined to the key");
}
