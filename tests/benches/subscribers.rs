//! Ten thousand idle subscribers of `newHeads`: what they cost the node, and how soon all have a block.
//!
//! Run: `make bench ARGS=subscribers`. `CAIRN_SUBSCRIBERS` (10,000) makes it smaller. Connections of their own take as many files in
//! the node and in the benchmark: `ulimit -Hn` must be above their number.

#![allow(missing_docs, clippy::expect_used, reason = "a benchmark has no users and may panic")]

use cairn_node::files::raise_limit;
use cairn_tests::{Port, Rpc, Socket, binary, cpu_ticks, setting, wait_for};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What is aimed at: bytes more than without subscribers.
const MOST: f64 = 200.0 * 1_048_576.0;
/// Subscriptions that the node lets one connection have.
const OF_CONNECTION: usize = 1_000;
/// Blocks, one after the other.
const BLOCKS: u64 = 5;

fn main() {
    let all = setting("CAIRN_SUBSCRIBERS", 10_000, 1_000..=1_000_000);
    raise_limit();
    println!(
        "{:<44} {:>9} {:>9} {:>7} {:>13} {:>13} {:>12}",
        "subscribers", "idle MiB", "after MiB", "of aim", "first block", "later blocks", "CPU a block"
    );
    measure(all, OF_CONNECTION);
    measure(all, 1);
}

/// Opens subscriptions, so many of a connection, and mines blocks.
fn measure(all: usize, of_connection: usize) {
    let node = Node::start(all / of_connection + 100);
    node.mine();
    let before = node.memory();
    let mut subscribers: Vec<Subscriber> =
        (0..all / of_connection).map(|_| Subscriber::open(node.address, of_connection)).collect();
    // What opening took is given back.
    thread::sleep(Duration::from_secs(2));
    let idle = node.memory().saturating_sub(before) as f64;
    let mut times = Vec::new();
    let ticks = cpu_ticks(node.child.id());
    for _ in 0..BLOCKS {
        let started = Instant::now();
        let number = node.mine();
        subscribers.iter_mut().for_each(|subscriber| subscriber.receive(&number));
        times.push(started.elapsed());
    }
    let cpu = (cpu_ticks(node.child.id()) - ticks) as f64 / 100.0 / BLOCKS as f64;
    let after = node.memory().saturating_sub(before) as f64;
    let (first, later) = (times[0], times[1..].iter().sum::<Duration>() / (times.len() as u32 - 1));
    println!(
        "{:<44} {:>9.1} {:>9.1} {:>6.2}x {:>10.0} ms {:>10.0} ms {:>9.0} ms",
        format!("{all} on {} connections, {of_connection} each", all / of_connection),
        idle / 1_048_576.0,
        after / 1_048_576.0,
        idle.max(after) / MOST,
        first.as_secs_f64() * 1e3,
        later.as_secs_f64() * 1e3,
        cpu * 1e3
    );
}

/// A connection with its subscriptions.
struct Subscriber {
    socket: Socket,
    ids: Vec<String>,
}

impl Subscriber {
    fn open(address: SocketAddr, count: usize) -> Self {
        let mut socket = Socket::open(address);
        let id = |socket: &mut Socket| {
            let id = socket.call("eth_subscribe", json!(["newHeads"]));
            id.as_str().expect("an id").to_owned()
        };
        let mut ids: Vec<String> = (0..count).map(|_| id(&mut socket)).collect();
        ids.sort_unstable();
        Self { socket, ids }
    }

    /// Each subscription is notified of this block, once.
    fn receive(&mut self, number: &Value) {
        let mut told: Vec<String> = (0..self.ids.len())
            .map(|_| {
                let message = self.socket.receive().expect("the connection is open");
                assert_eq!(&message["params"]["result"]["number"], number);
                message["params"]["subscription"].as_str().expect("an id").to_owned()
            })
            .collect();
        told.sort_unstable();
        assert_eq!(told, self.ids);
    }
}

/// A development node.
struct Node {
    rpc: Rpc,
    address: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
    _port: Port,
}

impl Node {
    fn start(connections: usize) -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a temporary directory"), Port::take());
        let (number, most) = (port.number().to_string(), connections.max(400).to_string());
        let flags = ["--dev", "--no-discovery", "--port", "0", "--http.port", &number, "--http.max-connections", &most];
        let child = Command::new(binary("cairn-node"))
            .args(flags)
            .env("HOME", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the node starts");
        let rpc = Rpc::new(format!("http://127.0.0.1:{number}"), folder.path());
        wait_for("the node", 60, || rpc.try_call("eth_chainId", json!([])).ok());
        let address = SocketAddr::from(([127, 0, 0, 1], port.number()));
        Self { rpc, address, child, _folder: folder, _port: port }
    }

    /// Mines a block; its number.
    fn mine(&self) -> Value {
        self.rpc.call("dev_mine", json!([1]));
        self.rpc.call("eth_blockNumber", json!([]))
    }

    /// Bytes in memory.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the node is alive");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux reports it");
        line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).expect("it is a number") * 1_024
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
