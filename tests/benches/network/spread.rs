//! How fast a block spreads among twenty nodes whose mempools hold its transactions, beside the time that one node alone
//! takes to connect it, and how many bytes that takes.

use cairn_tests::{Load, Node, NodeOptions, Rpc, agree, nodes, send_all, wait_for};
use chain_core::{block::Block, codec};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{cores, quantile};

const NODES: usize = 20;
const TRANSACTIONS: usize = 1_000;
/// All that is drawn at random is drawn from this.
const SEED: u64 = 4;
/// Milliseconds without traffic but the protocols' own, before a block and while it spreads.
const QUIET: u64 = 1_500;
/// The part of a block's bytes that a node may receive for it.
const BYTES_AIM: f64 = 0.1;

/// Prints the lines for so many blocks.
pub fn measure(blocks: usize) {
    let mut load = Load::new();
    load.fan_out((blocks * TRANSACTIONS * 3 / 2).max(20_000) + 3_000);
    let prefix = load.blocks.len();
    for _ in 0..blocks {
        let transactions = load.coin_transactions(TRANSACTIONS);
        load.block(transactions.into_iter().map(|transaction| (transaction, None)).collect());
    }
    // A log in text shortens hashes, and shows whole seconds.
    let flags = || ["--log.format", "json"].map(str::to_owned).to_vec();
    let lone = Node::with(NodeOptions { spec: load.spec.clone(), flags: flags(), ..NodeOptions::default() });
    let network = nodes(&load.spec, NODES, |_| flags());
    let links = links(&mut Random(SEED));
    links.iter().for_each(|(from, to)| network[*from].connect(&network[*to]));
    for node in &network {
        wait_for("all peers to connect", 30, || (node.peers() == 4).then_some(()));
    }
    for block in &load.blocks[..prefix] {
        for node in [&lone, &network[0]] {
            node.submit(block).expect("the load keeps the rules");
        }
    }
    agree(&network, 120);
    let mut seen = Seen::default();
    for (number, block) in load.blocks[prefix..].iter().enumerate() {
        seen.alone.push(alone(&lone, block));
        seen.block(&network, number * 7 % NODES, block);
    }
    seen.print();
}

/// Two rings through all nodes in random orders, without a link in common: a random graph of degree 4, in one piece.
fn links(random: &mut Random) -> Vec<(usize, usize)> {
    loop {
        let mut links: Vec<(usize, usize)> = Vec::new();
        for _ in 0..2 {
            let mut ring: Vec<usize> = (0..NODES).collect();
            (1..NODES).rev().for_each(|place| ring.swap(place, random.below(place + 1)));
            links.extend((0..NODES).map(|place| (ring[place], ring[(place + 1) % NODES])));
        }
        let mut both: Vec<_> = links.iter().map(|(from, to)| (from.min(to), from.max(to))).collect();
        both.sort_unstable();
        both.dedup();
        if both.len() == links.len() {
            return links;
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// What was measured, in milliseconds and bytes.
#[derive(Default)]
struct Seen {
    /// One node alone, each block.
    alone: Vec<f64>,
    /// Until a node had connected a block, each node and block.
    each: Vec<f64>,
    /// Until all had, each block.
    all: Vec<f64>,
    /// Received by a node for a block, as a part of the whole block, each node and block.
    received: Vec<f64>,
    full: Vec<f64>,
    /// CPU time of all nodes together, each block.
    cpu: Vec<f64>,
}

/// Milliseconds that a node alone takes to connect a block of which its pool holds everything, as it says itself: reading the
/// block from a request does not count.
fn alone(node: &Node, block: &Block) -> f64 {
    fill_pool(&node.rpc, block);
    Node::pause(QUIET);
    node.submit(block).expect("the load keeps the rules");
    Node::pause(300);
    let line = wait_for("the block", 60, || line_of(node, block));
    line["ms"].as_f64().expect("a block's line says how long it took")
}

impl Seen {
    /// Lets a block spread from one node.
    fn block(&mut self, network: &[Node], from: usize, block: &Block) {
        fill_pool(&network[from].rpc, block);
        for node in network {
            wait_for("all pools to hold the block's transactions", 60, || (pool(node) == TRANSACTIONS).then_some(()));
        }
        Node::pause(QUIET);
        let before: Vec<u64> = network.iter().map(received).collect();
        let cpu = |network: &[Node]| network.iter().map(Node::cpu_ticks).sum::<u64>() as f64 * 10.0;
        let (cpu_before, start) = (cpu(network), since_midnight());
        network[from].submit(block).expect("the load keeps the rules");
        Node::pause(QUIET);
        self.cpu.push(cpu(network) - cpu_before);
        let after = network.iter().map(received);
        let full = codec::encode(block).len() as f64;
        self.received.extend(after.zip(before).map(|(after, before)| (after - before) as f64 / full));
        self.full.push(full);
        let connected = |node: &Node| wait_for("the block", 60, || connected_at(node, block)) - start;
        let times: Vec<f64> = network.iter().map(connected).collect();
        self.all.push(times.iter().copied().fold(0.0, f64::max));
        self.each.extend(times);
    }

    fn print(mut self) {
        let alone = quantile(&mut self.alone, 0.5);
        let aim = NODES as f64 * alone / cores() as f64 + 150.0;
        let (median, p95) = (quantile(&mut self.all, 0.5), quantile(&mut self.all, 0.95));
        println!(
            "spread: {} blocks of {TRANSACTIONS} coin transactions over {NODES} nodes: until all have connected it median \
             {median:.0} ms, p95 {p95:.0} ms (one node: median {:.0} ms); one node alone {alone:.1} ms; aim: p95 <= \
             {NODES} x {alone:.1} / {} + 150 = {aim:.0} ms, ratio {:.2}; CPU of all together {:.0} ms",
            self.all.len(),
            quantile(&mut self.each, 0.5),
            cores(),
            p95 / aim,
            quantile(&mut self.cpu, 0.5),
        );
        let (median, most) = (quantile(&mut self.received, 0.5), quantile(&mut self.received, 1.0));
        let mean = self.received.iter().sum::<f64>() / self.received.len() as f64;
        let full = quantile(&mut self.full, 0.5);
        println!(
            "spread, bytes received by a node: mean {:.1} KB, median {:.1} KB, most {:.1} KB of {:.1} KB; {:.1} % of the block \
             on average (aim: at most {:.0} %), ratio {:.2}",
            mean * full / 1e3,
            median * full / 1e3,
            most * full / 1e3,
            full / 1e3,
            mean * 1e2,
            BYTES_AIM * 1e2,
            mean / BYTES_AIM,
        );
    }
}

fn fill_pool(rpc: &Rpc, block: &Block) {
    send_all(rpc, &block.transactions[1..])
        .into_iter()
        .for_each(|result| _ = result.expect("the load keeps the rules"));
}

fn pool(node: &Node) -> usize {
    node.rpc.call("chain_getInfo", json!([]))["mempool"]["transactions"].as_u64().expect("a number") as usize
}

/// Bytes that a node received from peers since its start.
fn received(node: &Node) -> u64 {
    node.rpc.call("admin_nodeInfo", json!([]))["traffic"]["received"].as_u64().expect("a number")
}

/// Milliseconds since midnight, UTC.
fn since_midnight() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right");
    since.as_secs_f64() * 1e3 % 86_400_000.0
}

/// When a node logged that it had connected a block, in milliseconds since midnight: nobody need ask it meanwhile.
fn connected_at(node: &Node, block: &Block) -> Option<f64> {
    let line = line_of(node, block)?;
    let time = line["timestamp"].as_str()?.split('T').nth(1)?.split('Z').next()?;
    let mut parts = time.split(':').map(|part| part.parse::<f64>().expect("a log line has its time"));
    let [hours, minutes, seconds] = [(); 3].map(|()| parts.next().expect("a time has three parts"));
    Some(((hours * 60.0 + minutes) * 60.0 + seconds) * 1e3)
}

/// The line that a node logged of a block.
fn line_of(node: &Node, block: &Block) -> Option<Value> {
    let (hash, log) = (block.hash().to_string(), node.log());
    let mut lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["message"] == "block" && line["hash"] == hash.as_str())
}
