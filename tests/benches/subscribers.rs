//! Ten thousand idle subscribers of `newHeads`: what they cost the node, and how soon all have a block.
//!
//! Run: `make bench ARGS=subscribers`. `CAIRN_SUBSCRIBERS` (10,000) makes it smaller. Connections of their own take as many files in
//! the node and in the benchmark: `ulimit -Hn` must be above their number.

#![allow(missing_docs, clippy::expect_used, reason = "a benchmark has no users and may panic")]

use cairn_node::files::raise_limit;
use cairn_tests::{Node, NodeOptions, Socket, TestKey, setting};
use serde_json::json;
use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

/// What is aimed at while they are idle: bytes more than without subscribers.
const MOST: f64 = 200.0 * 1_048_576.0;
/// Subscriptions that the node lets one connection have.
const OF_CONNECTION: usize = 1_000;
/// Blocks, one after the other.
const BLOCKS: u32 = 5;
const NOBODY: &str = "0x0000000000000000000000000000000000000000";

fn main() -> ExitCode {
    let all = setting("CAIRN_SUBSCRIBERS", 10_000, 1_000..=1_000_000);
    raise_limit();
    println!(
        "{:<44} {:>9} {:>9} {:>7} {:>13} {:>13} {:>12}",
        "subscribers", "idle MiB", "after MiB", "of aim", "first block", "later blocks", "CPU a block"
    );
    let reached = [OF_CONNECTION, 1].map(|of_connection| measure(all, of_connection) <= MOST);
    ExitCode::from(u8::from(reached != [true; 2]))
}

/// Opens subscriptions, so many of a connection, and mines blocks. Returns how many bytes the idle ones took.
fn measure(all: usize, of_connection: usize) -> f64 {
    let connections = all / of_connection;
    let flags = vec!["--http.max-connections".into(), (connections + 400).to_string()];
    let node = Node::with(NodeOptions { flags, ..NodeOptions::default() });
    let address = node.rpc.url.trim_start_matches("http://").parse().expect("an address");
    let owner = TestKey::new(1, "ecrn").address();
    node.mine(1, &owner, NOBODY);
    // Who subscribes next is not to hear of this block.
    Node::pause(1_000);
    let before = node.memory();
    let mut subscribers: Vec<Subscriber> = (0..connections).map(|_| Subscriber::open(address, of_connection)).collect();
    // What opening took is given back.
    Node::pause(2_000);
    let idle = node.memory().saturating_sub(before) as f64;
    let (mut times, ticks) = (Vec::new(), node.cpu_ticks());
    for block in 0..BLOCKS {
        let started = Instant::now();
        node.mine(1, &owner, NOBODY);
        subscribers.iter_mut().for_each(|subscriber| subscriber.receive(&format!("{:#x}", block + 2)));
        times.push(started.elapsed());
    }
    let cpu = (node.cpu_ticks() - ticks) as f64 / 100.0 / f64::from(BLOCKS);
    let after = node.memory().saturating_sub(before) as f64;
    let (first, later) = (times[0], times[1..].iter().sum::<Duration>() / (BLOCKS - 1));
    println!(
        "{:<44} {:>9.1} {:>9.1} {:>6.2}x {:>10.0} ms {:>10.0} ms {:>9.0} ms",
        format!("{all} on {connections} connections, {of_connection} each"),
        idle / 1_048_576.0,
        after / 1_048_576.0,
        idle / MOST,
        first.as_secs_f64() * 1e3,
        later.as_secs_f64() * 1e3,
        cpu * 1e3
    );
    idle
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
    fn receive(&mut self, number: &str) {
        let mut told: Vec<String> = (0..self.ids.len())
            .map(|_| {
                let message = self.socket.receive().expect("the connection is open");
                assert_eq!(message["params"]["result"]["number"], number);
                message["params"]["subscription"].as_str().expect("an id").to_owned()
            })
            .collect();
        told.sort_unstable();
        assert_eq!(told, self.ids);
    }
}
