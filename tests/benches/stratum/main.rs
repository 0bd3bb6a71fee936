//! What a share costs to judge, and what a thousand miners by stratum, each with ten shares a minute, cost the node.
//!
//! Run: `cargo bench -p cairn-tests --bench stratum`. `CAIRN_STRATUM_SESSIONS` (1,000) and `CAIRN_STRATUM_SECONDS` (60) make it
//! smaller.

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/stratum/client.rs"]
mod client;
mod shares;

use cairn_tests::{Node, NodeOptions, Port, TestKey, mined_spec, setting};
use chain_core::spec::ChainSpec;
use client::Miner;
use serde_json::json;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Shares of about fifty hashes.
const DIFFICULTY: f64 = 1e-8;

/// Seconds between two shares of a miner.
const APART: u64 = 6;

/// What is aimed at: a part of one core, and bytes.
const MOST_CPU: f64 = 0.03;
const MOST_MEMORY: f64 = 100e6;

fn main() {
    shares::measure();
    let sessions = setting("CAIRN_STRATUM_SESSIONS", 1_000, 1..=100_000) as u64;
    let seconds = setting("CAIRN_STRATUM_SECONDS", 60, 1..=100_000) as u64;
    let port = Port::take();
    let flags = vec!["--stratum.port".to_owned(), port.number().to_string()];
    // No share is a block.
    let spec = ChainSpec { genesis_bits: 0x1b00_ffff, half_life: 10_000_000, ..mined_spec() };
    let node = Node::with(NodeOptions { spec, flags, file_limit: None });
    let before = node.memory();
    let user = TestKey::new(1, "ecrn").address();
    let mut miners: Vec<(String, Miner)> = (0..sessions).map(|at| begin(&user, at, port.number())).collect();
    let memory = node.memory().saturating_sub(before) as f64;
    let idle = cpu(&node, || thread::sleep(Duration::from_secs(10))) / 10.0;
    println!(
        "{sessions} sessions: {:.1} MB, at most {:.0}; without shares {:.2} % of a core",
        memory / 1e6,
        MOST_MEMORY / 1e6,
        100.0 * idle
    );

    let rounds = seconds.div_ceil(APART);
    let mut answers = Vec::new();
    let used = cpu(&node, || (0..rounds).for_each(|_| answers.extend(round(&mut miners))));
    let (shares, time) = (answers.len() as f64, (rounds * APART) as f64);
    answers.sort_unstable();
    let share = (used - idle * time).max(0.0) / shares;
    println!(
        "{shares} shares in {time} s: {:.2} % of a core, at most {:.0} %; {:.1} us of CPU a share; answered within {:?}, half of them {:?}",
        100.0 * used / time,
        100.0 * MOST_CPU,
        1e6 * share,
        answers[answers.len() - 1],
        answers[answers.len() / 2]
    );
    let stats = node.rpc.call("miner_getStats", json!([]));
    println!("the node counts {} sessions and {} shares", stats["sessions"], stats["accepted"]);
    println!(
        "memory at the end: {:.1} MB more than without sessions",
        node.memory().saturating_sub(before) as f64 / 1e6
    );
}

fn begin(user: &str, at: u64, port: u16) -> (String, Miner) {
    let user = format!("{user}.rig{at}");
    let mut miner = Miner::connect(port);
    miner.begin_at(&user, DIFFICULTY);
    (user, miner)
}

/// Each miner finds one share, evenly over the time; how long each answer took.
fn round(miners: &mut [(String, Miner)]) -> Vec<Duration> {
    let (began, count) = (Instant::now(), miners.len() as u32);
    let share = |(at, (user, miner)): (u32, &mut (String, Miner))| {
        let due = Duration::from_secs(APART) * at / count;
        thread::sleep(due.saturating_sub(began.elapsed()));
        let found = miner.search(false);
        let sent = Instant::now();
        let error = miner.submit(user, &found);
        // A job may have been replaced in between.
        assert!(error.is_null() || error[0] == 21, "{error}");
        sent.elapsed()
    };
    let took = (0..).zip(miners).map(share).collect();
    thread::sleep(Duration::from_secs(APART).saturating_sub(began.elapsed()));
    took
}

/// Seconds of CPU that the node uses meanwhile.
fn cpu(node: &Node, work: impl FnOnce()) -> f64 {
    let before = node.cpu_ticks();
    work();
    (node.cpu_ticks() - before) as f64 / 100.0
}
