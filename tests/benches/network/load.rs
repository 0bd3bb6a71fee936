//! A thousand transactions a second, handed to one of five nodes while another mines.

use cairn_tests::{Load, Node, TestKey, agree, connect_all, mined_spec, nodes, send_all, wait_for};
use chain_core::{
    block::Block,
    hash::TxId,
    spec::ChainSpec,
    transaction::Transaction,
    units::{Amount, GRAINS_PER_CRN},
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

const NODES: usize = 5;
/// Transactions a second.
const RATE: usize = 1_000;
/// Who hands them in at the same time, each so many in a request.
const SENDERS: usize = 4;
const BATCH: usize = 25;
/// Enough for base fees of 30 times the least.
const FEE: u64 = 100_000;
/// Until the difficulty has found the miner's rate.
const WARM_UP: Duration = Duration::from_secs(30);
/// A node's caches in bytes: `--cache` and `--mempool.size`, and what may gather before a flush.
const CACHES: u64 = (16 + 50 + 64) << 20;
const ALLOWANCE: u64 = 200 << 20;

/// Prints the lines for so many seconds of load.
pub fn measure(seconds: usize) {
    let count = seconds * RATE;
    // About four million hashes a block: a second of one core.
    let spec = ChainSpec { genesis_bits: 0x1e03_ffff, ..mined_spec() };
    let mut load = Load::on(spec, count * 3 / 2 + 1, Amount(GRAINS_PER_CRN));
    load.fee = FEE;
    let transactions = load.coin_transactions(count);
    let network = start(&load.spec);
    std::thread::sleep(WARM_UP);
    let calm = mine_for(&network[0], Duration::from_secs(seconds as u64));
    let first = network[0].height();
    let (offered, loaded, memory) = offer(&network, &transactions);
    let start = Instant::now();
    wait_for("all pools to be empty", 300, || network.iter().all(|node| pool(node) == 0).then_some(()));
    let rest = start.elapsed();
    network[MINER].rpc.call("miner_stop", json!([]));
    agree(&network, 60);
    let lost = lost(&network, first, &transactions);
    println!(
        "load: {count} transactions offered to one of {NODES} nodes in {:.1} s, {:.0} a second (aim: {RATE}); {lost} lost \
         (aim: 0); all mined {:.1} s after the last",
        offered.as_secs_f64(),
        count as f64 / offered.as_secs_f64(),
        rest.as_secs_f64(),
    );
    println!(
        "load, block time: mean {loaded:.2} s, without load {calm:.2} s, ratio {:.2} (aim: 1, give or take the luck of {} \
         blocks)",
        loaded / calm,
        (seconds as f64 / loaded) as u64,
    );
    println!(
        "load, memory: at most {} MB; caches {} MB + {} MB = {} MB, ratio {:.2}",
        memory >> 20,
        CACHES >> 20,
        ALLOWANCE >> 20,
        (CACHES + ALLOWANCE) >> 20,
        memory as f64 / (CACHES + ALLOWANCE) as f64,
    );
    assert_eq!(lost, 0, "transactions were lost");
}

/// The node that mines, on one thread.
const MINER: usize = 1;

fn start(spec: &ChainSpec) -> Vec<Node> {
    let address = TestKey::new(1, &spec.hrp).address();
    let flags = |number| {
        let mut flags = vec!["--cache", "16", "--mempool.size", "50"];
        if number == MINER {
            flags.extend(["--mine", "--miner.threads", "1", "--miner.address", &address]);
        }
        flags.into_iter().map(str::to_owned).collect()
    };
    let network = nodes(spec, NODES, flags);
    connect_all(&network);
    network
}

fn pool(node: &Node) -> u64 {
    node.rpc.call("chain_getInfo", json!([]))["mempool"]["transactions"].as_u64().expect("a number")
}

/// Lets so much time pass; answers with the mean seconds between blocks.
fn mine_for(node: &Node, time: Duration) -> f64 {
    let first = node.height();
    std::thread::sleep(time);
    interval(node, first)
}

/// Mean seconds between blocks since this height.
fn interval(node: &Node, first: u64) -> f64 {
    let time = |height: u64| node.rpc.call("chain_getHeader", json!([height]))["time"].as_u64().expect("a time");
    let last = node.height();
    (time(last) - time(first)) as f64 / (last - first) as f64
}

/// Hands transactions in at an even rate; answers how long that took, with the mean seconds between blocks meanwhile and the
/// most memory of a node.
fn offer(network: &[Node], transactions: &[Transaction]) -> (Duration, f64, u64) {
    let (first, start, done) = (network[0].height(), Instant::now(), AtomicBool::new(false));
    let mut memory = 0;
    let mut watch = || {
        while !done.load(Ordering::Relaxed) {
            memory = network.iter().map(Node::memory).fold(memory, u64::max);
            Node::pause(250);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(&mut watch);
        let senders: Vec<_> =
            (0..SENDERS).map(|sender| scope.spawn(move || send(network, transactions, sender, start))).collect();
        senders.into_iter().for_each(|sender| sender.join().expect("every transaction is taken"));
        done.store(true, Ordering::Relaxed);
    });
    (start.elapsed(), interval(&network[0], first), memory)
}

/// One sender's share.
fn send(network: &[Node], transactions: &[Transaction], sender: usize, start: Instant) {
    for (number, batch) in transactions.chunks(BATCH).enumerate().skip(sender).step_by(SENDERS) {
        let due = Duration::from_secs_f64((number * BATCH) as f64 / RATE as f64);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        let refused = send_all(&network[0].rpc, batch).into_iter().find_map(Result::err);
        assert_eq!(refused, None, "the load keeps the rules");
    }
}

/// How many transactions are not in blocks above a height of every node's chain.
fn lost(network: &[Node], first: u64, transactions: &[Transaction]) -> usize {
    let names = |block: Block| block.transactions.into_iter().map(|transaction| transaction.txid());
    let lost = |node: &Node| {
        let mined: BTreeSet<TxId> = node.blocks_above(first).into_iter().flat_map(names).collect();
        transactions.iter().filter(|transaction| !mined.contains(&transaction.txid())).count()
    };
    network.iter().map(lost).max().unwrap_or_default()
}
