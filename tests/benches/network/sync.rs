//! Syncing from three peers, beside replaying the same blocks from the node's own disk.

use cairn_node::{
    engine::{Engine, EngineConfig, Event, Time},
    store::{Store, StoreConfig},
};
use cairn_tests::{Load, Node, NodeOptions, binary, chain_file, wait_for};
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// Coin transactions of a block.
const TRANSACTIONS: usize = 20;
const PEERS: usize = 3;
/// The rate of `reindex` that syncing is to reach.
const AIM: f64 = 0.8;

/// Prints the line for a chain of so many blocks.
pub fn measure(blocks: usize) {
    let mut load = Load::new();
    load.fan_out(20_000);
    while load.blocks.len() < blocks {
        let transactions = load.coin_transactions(TRANSACTIONS);
        load.block(transactions.into_iter().map(|transaction| (transaction, None)).collect());
    }
    let original = tempfile::tempdir().expect("a temporary directory");
    fill(&original.path().join("data"), &load);
    let replayed = reindex(original.path(), &load);
    let (synced, peers) = sync(original.path(), &load);
    let rate = |cost: &Cost| load.blocks.len() as f64 / cost.wall.as_secs_f64();
    println!(
        "sync: {} blocks of {TRANSACTIONS} coin transactions from {PEERS} peers: {:.0} blocks/s; reindex of the same \
         {:.0} blocks/s; ratio {:.2} (aim: at least {AIM}); CPU {:.1} s, with that of the peers {:.1} s; of reindex {:.1} s",
        load.blocks.len(),
        rate(&synced),
        rate(&replayed),
        replayed.wall.as_secs_f64() / synced.wall.as_secs_f64(),
        synced.cpu.as_secs_f64(),
        (synced.cpu + peers).as_secs_f64(),
        replayed.cpu.as_secs_f64(),
    );
}

/// Connects all blocks through an engine over a store on disk.
fn fill(datadir: &Path, load: &Load) {
    let store = Store::open(datadir, &load.spec, &StoreConfig::default()).expect("a new store opens");
    let mut engine = Engine::open(store, load.spec.clone(), EngineConfig::default()).expect("a new chain opens");
    for block in &load.blocks {
        let now = Time(u64::from(block.header.time) * 1_000);
        engine.handle(Event::Block(0, block.clone()), now);
    }
    engine.handle(Event::Shutdown, Time::default());
}

/// Copies a folder of files and folders.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a temporary directory can be written");
    for entry in std::fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("the folder can be read").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a temporary directory can be written");
        }
    }
}

/// A copy of the node's folder.
fn twin(original: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    copy(original, folder.path());
    folder
}

/// Time that something took, and CPU time of its process.
struct Cost {
    wall: Duration,
    cpu: Duration,
}

/// CPU time of all children that have ended.
fn children_cpu() -> Duration {
    // SAFETY: a zeroed `rusage` is a valid one, and the pointer is to it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1_000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// How long the node takes to execute its own blocks again, as it says itself: opening the database does not count.
fn reindex(original: &Path, load: &Load) -> Cost {
    let (folder, before) = (twin(original), children_cpu());
    let output = Command::new(binary("cairn-node"))
        .args(["reindex", "--chain"])
        .arg(chain_file(folder.path(), &load.spec))
        .arg("--datadir")
        .arg(folder.path().join("data"))
        .output()
        .expect("the node's binary can be run");
    let said = String::from_utf8_lossy(&output.stdout);
    let seconds = said.split(" in ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    let seconds = seconds.unwrap_or_else(|| panic!("reindex does not say how long it took: {said}"));
    Cost { wall: Duration::from_secs_f64(seconds), cpu: children_cpu() - before }
}

/// How long a new node takes from its first connection to the tip, and the CPU time of its peers meanwhile.
fn sync(original: &Path, load: &Load) -> (Cost, Duration) {
    let options = || NodeOptions { spec: load.spec.clone(), ..NodeOptions::default() };
    let peers: Vec<Node> = (0..PEERS).map(|_| Node::within(twin(original), options())).collect();
    let (node, height) = (Node::with(options()), load.blocks.len() as u64);
    peers.iter().for_each(|peer| assert_eq!(peer.height(), height));
    let ticks = |nodes: &[Node]| Duration::from_millis(nodes.iter().map(Node::cpu_ticks).sum::<u64>() * 10);
    let (own, served, start) = (ticks(std::slice::from_ref(&node)), ticks(&peers), Instant::now());
    peers.iter().for_each(|peer| node.connect(peer));
    wait_for("the new node to sync", 3_600, || {
        Node::pause(30);
        (node.height() == height).then_some(())
    });
    let cost = Cost { wall: start.elapsed(), cpu: ticks(std::slice::from_ref(&node)) - own };
    (cost, ticks(&peers) - served)
}
