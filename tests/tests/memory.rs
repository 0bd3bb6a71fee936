//! What strangers may make a node hold in memory by its RPC: however many call at once, and whatever they call.

use std::path::Path;

use cairn_tests::{Node, NodeOptions, Rpc};
use chain_core::spec::ChainSpec;
use serde_json::{Value, json};

/// What one call may hold, as `node/src/rpc/lanes.rs` counts it, and how many run at a time.
const OF_ONE: u64 = 256 << 20;
const MOST_AT_ONCE: usize = 2;

/// Clients that call at once.
const CLIENTS: usize = 6;

/// Programs that hold as much as they can for their gas, run as a contract's creation.
const PROGRAMS: [(&str, &str); 5] = [
    // A transient slot of its own each time: PUSH0; JUMPDEST, add 1, DUP1, DUP1, TSTORE, jump back.
    ("transient slots", "0x5f5b60010180805d600156"),
    // The same transient slot, whose earlier values are kept for a revert.
    ("values of a transient slot", "0x5f5b6001018060005d600156"),
    // The same slot of the storage.
    ("values of a slot", "0x5f5b60010180600055600156"),
    // Copies its code to memory, writes a byte far above, and creates itself: frames within frames.
    ("memory of nested frames", "0x385f5f3960016201900053385f5ff0"),
    // Logs of four topics without data: JUMPDEST, PUSH0 x 6, LOG4, jump back.
    ("logs", "0x5b5f5f5f5f5f5fa45f56"),
];

/// The calls that run a program.
fn calls(code: &str) -> Vec<(&'static str, Value)> {
    let transaction = json!({ "input": code, "gas": "0x5f5e100" });
    let lean = json!({ "disableStack": true, "disableStorage": true, "timeout": "30s" });
    let calls = json!({ "tracer": "callTracer", "tracerConfig": { "withLog": true }, "timeout": "30s" });
    vec![
        ("eth_call", json!([transaction, "latest"])),
        ("debug_traceCall", json!([transaction, "latest", lean])),
        ("debug_traceCall", json!([transaction, "latest", calls])),
    ]
}

/// The most that a process ever held, in bytes.
fn peak(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("the node is alive");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux reports it");
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).expect("it is a number") * 1024
}

#[test]
fn calls_hold_no_more_than_their_places_however_many_come_at_once() {
    let spec = ChainSpec { gas_limit: 100_000_000, ..cairn_tests::spec() };
    let node = Node::with(NodeOptions { spec, ..NodeOptions::default() });
    let places = std::thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).clamp(1, MOST_AT_ONCE);
    // Strangers: for callers with the cookie a place more is kept.
    let stranger = Rpc::new(node.rpc.url.clone(), Path::new("/nonexistent"));
    let before = node.memory();
    for (name, code) in PROGRAMS {
        for (method, params) in calls(code) {
            std::thread::scope(|scope| {
                for _ in 0..CLIENTS {
                    scope.spawn(|| {
                        // It may be refused, for want of a place or of time; only the node must bear it.
                        if let Err(error) = stranger.try_call(method, params.clone()) {
                            // Frames within frames are deeper than this client reads: an answer all the same.
                            let is_deep = error.message.contains("recursion limit exceeded");
                            let expected = is_deep || [-32000, -32005, 3].contains(&error.code);
                            assert!(expected, "{name}, {method}: {error:?}");
                        }
                    });
                }
            });
            let held = peak(&node).saturating_sub(before);
            println!("{name}, {method}: {} MB at most so far", held >> 20);
            let most = OF_ONE * places as u64;
            assert!(held <= most, "{name}, {method}: {held} bytes were held, more than {most} of {places} places");
        }
    }
}
