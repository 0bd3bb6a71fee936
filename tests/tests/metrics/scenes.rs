//! What happens to nodes, so that what they measure moves.

use cairn_node::{
    finality::MemberKey,
    wire::{PROTOCOL, Request, Status},
};
use cairn_tests::{
    Load, Node, NodeOptions, Port, Socket, TestKey, agree, binary, connect_all, cut, genesis, heal, members,
    mined_spec, send, send_all, spec, wait_for,
};
use chain_core::{
    finality::{Electorate, Evidence, Statement, Vote},
    hash::BlockHash,
    spec::{ChainSpec, Finality},
};
use serde_json::json;
use std::{
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    attacker::{Attacker, Manners, Question},
    moves::{Scene, all_differ, all_moved},
    scrape::{Film, Sums, served},
};

const NOBODY: &str = "0x0000000000000000000000000000000000000000";
/// Where a stranger comes from: not the address that honest nodes of this machine use.
const STRANGER: &str = "127.0.0.66";

/// A node that is measured.
fn measured(spec: &ChainSpec, flags: &[&str]) -> Node {
    let flags = ["--metrics.port", "0"].iter().chain(flags).map(|flag| (*flag).to_owned()).collect();
    Node::with(NodeOptions { spec: spec.clone(), flags, file_limit: None })
}

fn owner() -> String {
    TestKey::new(1, "ecrn").address()
}

fn dial(node: &Node) -> Attacker {
    let address = node.peer_address().replace("/ip4/", "").replace("/tcp/", ":");
    Attacker::dial(STRANGER, &address, &genesis(&node.rpc), Manners::Handshake)
}

/// Tells a node where a peer stands, which is at the genesis block, and what time it is there.
fn introduce(peer: &mut Attacker, node: &Node, ahead: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs();
    let genesis = genesis(&node.rpc);
    let status = Status {
        genesis,
        best: genesis,
        height: 0,
        work: chain_core::U256::ZERO,
        protocol: PROTOCOL,
        agent: "late/1".into(),
        oldest: 1,
        time: now + ahead,
    };
    let asked = peer.ask(Question::honest(&Request::Status(status)));
    assert!(peer.run_until(Duration::from_secs(30), |peer| peer.answered.contains(&asked)), "no answer");
}

#[test]
fn a_chain_that_grows_and_reorganises_moves_what_is_measured_of_it() {
    // Blocks come faster than they should; the base fee begins above its floor.
    let base = spec();
    let fee = 8 * base.base_fee_floor;
    let spec = ChainSpec { target_interval: 10, half_life: 10, initial_base_fee: fee, ..base };
    let (node, other) =
        (measured(&spec, &[]), Node::with(NodeOptions { spec: spec.clone(), ..NodeOptions::default() }));
    let mut film = Film::of(&node);
    node.mine(12, &owner(), NOBODY);
    film.look();
    other.mine(20, &owner(), NOBODY);
    node.connect(&other);
    agree([&node, &other], 60);
    all_moved(Scene::Chain, &mut [film]);
}

#[test]
fn a_node_that_prunes_and_one_that_lacks_what_was_pruned_say_so() {
    let archive = Node::start();
    archive.mine(360, &owner(), NOBODY);
    let (pruned, fresh) = (measured(&spec(), &["--prune", "288"]), measured(&spec(), &[]));
    let mut films = [Film::of(&pruned), Film::of(&fresh)];
    pruned.connect(&archive);
    wait_for("the chain", 120, || (pruned.height() == 360).then_some(()));
    fresh.connect(&pruned);
    films[1].until("a node that waits for blocks", 60, |sums| sums.get("cairn_chain_syncing") == 1.0);
    fresh.connect(&archive);
    films[1].until("the blocks", 120, |sums| sums.get("cairn_chain_height") == 360.0);
    films[1].until("the end of the sync", 60, |sums| sums.get("cairn_chain_syncing") == 0.0);
    all_moved(Scene::Prune, &mut films);
}

/// Two votes of one member for two blocks in one place, as only a faulty one signs them.
fn evidence(node: &Node, rules: Finality, key: &MemberKey, height: u32) -> Evidence {
    let electorate = Electorate { genesis: genesis(&node.rpc), rules };
    let member = electorate.member(key.pair()).expect("it is a member");
    let vote = |hash| Vote::sign(&electorate, height, Statement::Finalize { hash }, member, key.pair());
    Evidence::of(&vote(BlockHash([1; 32])), &vote(BlockHash([2; 32]))).expect("the votes contradict each other")
}

#[test]
fn members_of_finality_with_a_faulty_one_and_lost_certificates_move_all_that_is_measured_of_it() {
    let mut nodes = members(10, &["--metrics.port", "0"], &[]);
    let (mut film, mut other) = (Film::of(&nodes[3]), Film::of(&nodes[0]));
    connect_all(&nodes);
    nodes[0].mine(8, &owner(), NOBODY);
    film.until("a certificate", 90, |sums| sums.get("cairn_finality_height") == 5.0);

    let text = std::fs::read_to_string(nodes[3].chain_file()).expect("it can be read");
    let rules = ChainSpec::from_toml(&text).expect("it is a spec").finality.expect("it has members");
    let key = MemberKey::load(&nodes[1].datadir().join(MemberKey::FILE)).expect("it can be read").expect("a key");
    let evidence = vec![evidence(&nodes[3], rules, &key, 15)];
    let mut attacker = dial(&nodes[3]);
    introduce(&mut attacker, &nodes[3], 0);
    attacker.ask(Question::honest(&Request::Finality { newest: 0, certificate: None, votes: Vec::new(), evidence }));
    wait_for("an accused member", 60, || {
        attacker.run(Duration::from_millis(100));
        (film.look().get("cairn_finality_accused_members") == 1.0).then_some(())
    });

    // The fourth has a longer branch than the chain disconnects when the others' certificate comes.
    let (three, one) = (nodes.iter().take(3).collect::<Vec<_>>(), [&nodes[3]]);
    cut(&three, &one);
    nodes[0].mine(6, &owner(), NOBODY);
    let info = |node: &Node| node.rpc.call("chain_getFinality", json!([]));
    let is_final = |height: u64| (info(&nodes[0])["finalized"]["height"] == height).then_some(());
    wait_for("three members to finalize", 90, || is_final(10));
    nodes[3].mine(20, &owner(), NOBODY);
    heal(&three, &one);
    film.until("an alarm", 60, |sums| sums.get("cairn_finality_alarm") == 1.0);

    for node in &mut nodes {
        node.kill();
        std::fs::remove_dir_all(node.datadir().join("db")).expect("it can be removed");
    }
    nodes.iter_mut().for_each(Node::restart);
    other.restarted(&nodes[0]);
    connect_all(&nodes);
    nodes[0].mine(8, &owner(), NOBODY);
    other.until("a silent member", 60, |sums| sums.get("cairn_finality_silent_below_height") > 0.0);
    film.restarted(&nodes[3]);
    all_moved(Scene::Finality, &mut [film, other]);
}

/// Several miners keep the engine busier than one core can be, until a scrape finds messages that wait for it.
fn a_queue(node: &Node, film: &mut Film) {
    let done = AtomicBool::new(false);
    let mine = || {
        while !done.load(Ordering::Relaxed) {
            // Whoever is late mines on a tip of before.
            node.submit(&node.template(&owner(), NOBODY)).ok();
        }
    };
    thread::scope(|scope| {
        (0..4).for_each(|_| _ = scope.spawn(mine));
        for _ in 0..240 {
            if film.moved().contains("cairn_engine_queue_messages") {
                break;
            }
            film.look();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_pool_that_fills_and_a_database_that_writes_move_what_is_measured_of_them() {
    let mut load = Load::new();
    load.fan_out(20_000);
    let node = measured(&load.spec, &["--mempool.size", "1", "--cache", "16"]);
    let mut film = Film::of(&node);
    for block in &load.blocks {
        assert_eq!(node.submit(block).expect("it is a block")["status"], "connected");
    }
    std::fs::write(node.folder.path().join("ballast"), vec![7; 64 << 20]).expect("the disk has room");
    film.look();
    let transactions = load.coin_transactions(4_000);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let senders: Vec<_> =
            transactions.chunks(1_000).map(|part| scope.spawn(|| _ = send_all(&node.rpc, part))).collect();
        let watched = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                film.look();
            }
        });
        senders.into_iter().for_each(|sender| sender.join().expect("it ends"));
        done.store(true, Ordering::Relaxed);
        watched.join().expect("it ends");
    });
    // Those that were taken first are refused now.
    assert!(transactions.iter().take(200).any(|one| send(&node.rpc, one).is_err()), "the pool was full");
    node.mine(1, &owner(), NOBODY);
    a_queue(&node, &mut film);
    all_moved(Scene::Pool, &mut [film]);
}

#[test]
fn peers_that_come_go_and_misbehave_move_what_is_measured_of_the_network() {
    let (node, mut other) = (measured(&spec(), &[]), Node::start());
    let mut film = Film::of(&node);
    let mut late = dial(&node);
    introduce(&mut late, &node, 7_200);
    wait_for("a clock that is ahead", 30, || {
        late.run(Duration::from_millis(100));
        (film.look().get("cairn_net_clock_offset_seconds") > 7_000.0).then_some(())
    });
    // No message.
    wait_for("the ban", 60, || {
        late.ask(Question::framed(&[0xff; 40]));
        late.run(Duration::from_millis(100));
        (film.look().get("cairn_net_banned") > 0.0).then_some(())
    });
    node.connect(&other);
    node.mine(3, &owner(), NOBODY);
    agree([&node, &other], 60);
    film.until("a peer", 30, |sums| sums.get("cairn_net_peers") == 1.0);
    other.kill();
    film.until("no peer", 60, |sums| sums.get("cairn_net_peers") == 0.0);
    all_moved(Scene::Network, &mut [film]);
}

#[test]
fn calls_subscriptions_and_connections_move_what_is_measured_of_the_rpc() {
    let node = measured(&spec(), &[]);
    let mut film = Film::of(&node);
    node.rpc.call("chain_getInfo", json!([]));
    node.rpc.try_call("chain_getBlock", json!(["nothing"])).expect_err("it is no block");
    let address = node.rpc.url.strip_prefix("http://").expect("a URL").parse().expect("an address");
    let mut sockets: Vec<_> = (0..4).map(|_| Socket::open(address)).collect();
    sockets[0].call("eth_subscribe", json!(["newHeads"]));
    let limit = libc::rlimit { rlim_cur: 777, rlim_max: 777 };
    // SAFETY: it reads the struct that it is given; the process is a child that was not yet waited for.
    let set =
        unsafe { libc::prlimit(node.pid().cast_signed(), libc::RLIMIT_NOFILE, &raw const limit, std::ptr::null_mut()) };
    assert_eq!(set, 0, "the limit of a child can be lowered");
    film.until("the open subscription", 30, |sums| sums.get("cairn_rpc_subscriptions") == 1.0);
    assert_eq!(film.look().get("cairn_process_max_fds"), 777.0);
    all_moved(Scene::Rpc, &mut [film]);
}

/// A process that ends with the test.
struct Miner(Child);

impl Drop for Miner {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn stratum_miner(port: &Port) -> Miner {
    let mut command = Command::new(binary("cairn-miner"));
    command
        .args(["--stratum", &format!("stratum+tcp://127.0.0.1:{}", port.number()), "--address", &owner()])
        .args(["--threads", "1", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Miner(command.spawn().expect("the miner can be run"))
}

#[test]
fn mining_by_the_node_and_by_stratum_moves_what_is_measured_of_it() {
    let port = Port::take();
    let node = measured(&mined_spec(), &["--stratum.port", &port.number().to_string(), "--miner.address", &owner()]);
    let mut film = Film::of(&node);
    node.rpc.call("miner_start", json!([3]));
    film.until("a block of the node's miner", 120, |sums| {
        sums.get("cairn_mining_blocks_total") > 0.0 && sums.get("cairn_mining_hashes_per_second") > 0.0
    });
    node.rpc.call("miner_stop", json!([]));
    let _miner = stratum_miner(&port);
    film.until("a block by stratum", 180, |sums| sums.get("cairn_stratum_blocks_total") > 0.0);
    node.rpc.call("miner_start", json!([]));
    film.until("a second of work", 300, |sums| sums.get("cairn_process_cpu_seconds_total") > 0.0);
    all_moved(Scene::Mining, &mut [film]);
}

#[test]
fn what_settings_decide_differs_on_a_node_of_other_settings() {
    let one = measured(&spec(), &[]);
    let first = Sums::of(&served(&one));
    // The other process starts in a later second.
    Node::pause(1_100);
    let key = MemberKey::generate().expect("keys can be made");
    let finality = Finality { members: vec![key.public()], interval: 5, depth: 2, window: 100 };
    let chain = ChainSpec { name: "other".into(), target_interval: 7, finality: Some(finality), ..spec() };
    let other = measured(&chain, &["--mempool.size", "7", "--cache", "32"]);
    all_differ(&first, &Sums::of(&served(&other)));
    let output = Command::new(binary("cairn-node")).arg("--version").output().expect("the node's binary can be run");
    let printed = String::from_utf8(output.stdout).expect("it is text");
    let version = printed.trim().strip_prefix("cairn-node ").expect("it begins with the name");
    assert_eq!(first.get(&format!("cairn_build_info:version={version}")), 1.0);
}
