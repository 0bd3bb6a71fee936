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
    // Eight million hashes a block: about a second of one core, so that the difficulty soon stands where it stays.
    let spec = ChainSpec { genesis_bits: 0x1e01_ffff, ..mined_spec() };
    let mut load = Load::on(spec, count * 3 / 2 + 1, Amount::from_grains(GRAINS_PER_CRN));
    load.fee = FEE;
    let transactions = load.coin_transactions(count);
    let network = start(&load.spec);
    std::thread::sleep(WARM_UP);
    let calm = watch(&network, || std::thread::sleep(Duration::from_secs(seconds as u64)));
    let first = network[0].height();
    let loaded = watch(&network, || offer(&network, &transactions));
    let start = Instant::now();
    wait_for("all pools to be empty", 300, || network.iter().all(|node| pool(node) == 0).then_some(()));
    let rest = start.elapsed();
    network[MINER].rpc.call("miner_stop", json!([]));
    agree(&network, 60);
    let lost = lost(&network, first, &transactions);
    println!(
        "load: {count} transactions offered to one of {NODES} nodes in {:.1} s, {:.0} a second (aim: {RATE}); {lost} lost \
         (aim: 0); all mined {:.1} s after the last",
        loaded.time.as_secs_f64(),
        count as f64 / loaded.time.as_secs_f64(),
        rest.as_secs_f64(),
    );
    println!(
        "load, block time: mean {:.2} s, without load {:.2} s, ratio {:.2} (aim: 1, give or take the luck of {} blocks); the \
         miner, a thread of the same machine, had {:.2} MH/s, without load {:.2}; all nodes but it took {:.2} s of CPU a \
         second, without load {:.2}",
        loaded.interval,
        calm.interval,
        loaded.interval / calm.interval,
        (seconds as f64 / loaded.interval) as u64,
        loaded.hash_rate / 1e6,
        calm.hash_rate / 1e6,
        loaded.cpu,
        calm.cpu,
    );
    let memory = loaded.memory;
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

/// How the network was while something happened.
struct Seen {
    time: Duration,
    /// Mean seconds between blocks.
    interval: f64,
    /// The miner's mean rate.
    hash_rate: f64,
    /// CPU seconds a second of all nodes but the miner.
    cpu: f64,
    /// The most memory of a node.
    memory: u64,
}

/// Watches the network while something happens.
fn watch(network: &[Node], happens: impl FnOnce()) -> Seen {
    let others = || network.iter().enumerate().filter(|(number, _)| *number != MINER).map(|(_, node)| node.cpu_ticks());
    let ticks = || others().sum::<u64>();
    let (first, before, start, done) = (network[0].height(), ticks(), Instant::now(), AtomicBool::new(false));
    let (mut memory, mut rates) = (0, Vec::new());
    let sample = || {
        while !done.load(Ordering::Relaxed) {
            memory = network.iter().map(Node::memory).fold(memory, u64::max);
            rates.extend(network[MINER].rpc.call("miner_status", json!([]))["hashrate"].as_f64());
            Node::pause(500);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(sample);
        happens();
        done.store(true, Ordering::Relaxed);
    });
    let time = start.elapsed();
    Seen {
        time,
        interval: interval(&network[0], first),
        hash_rate: rates.iter().sum::<f64>() / rates.len().max(1) as f64,
        cpu: (ticks() - before) as f64 / 100.0 / time.as_secs_f64(),
        memory,
    }
}

/// Mean seconds between blocks since this height.
fn interval(node: &Node, first: u64) -> f64 {
    let time = |height: u64| node.rpc.call("chain_getHeader", json!([height]))["time"].as_u64().expect("a time");
    let last = node.height();
    (time(last) - time(first)) as f64 / (last - first) as f64
}

/// Hands transactions in at an even rate.
fn offer(network: &[Node], transactions: &[Transaction]) {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let sender = |number| scope.spawn(move || send(network, transactions, number, start));
        let senders: Vec<_> = (0..SENDERS).map(sender).collect();
        senders.into_iter().for_each(|sender| sender.join().expect("every transaction is taken"));
    });
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
