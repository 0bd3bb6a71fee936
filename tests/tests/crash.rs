//! kill -9 at random instants, while mining and while reorganising.
//!
//! `CAIRN_CRASH_ROUNDS` sets how often (50 unless set), `CAIRN_CRASH_SEED` the instants.

use cairn_tests::{Node, TestKey, genesis, send};
use chain_core::{hash::BlockHash, transaction::coin::Output, units::Amount};
use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
    time::Duration,
};

const NOBODY: &str = "0x0000000000000000000000000000000000000000";

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A small generator (splitmix64), so that a failing run can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % limit
    }
}

/// Mines, pays and reorganises until the node dies; answers with the greatest height that the node acknowledged, and sends
/// the first as soon as it is.
fn work_until_killed(node: &Node, genesis: &BlockHash, owner: &TestKey, stop: &AtomicBool, first: &Sender<u64>) -> u64 {
    let other = TestKey::new(9, "ecrn");
    let mut acknowledged = 0;
    while !stop.load(Ordering::Relaxed) {
        let address = owner.address();
        let template = serde_json::json!([{"address": address, "account": NOBODY, "full": true}]);
        let Ok(template) = node.rpc.try_call("miner_getTemplate", template) else { break };
        let bytes = hex::decode(template["block"].as_str().expect("a block")).expect("hex");
        let mut block = chain_core::codec::decode(&bytes).expect("a block");
        cairn_tests::grind(&mut block);
        if node.submit(&block).is_err() {
            break;
        }
        acknowledged = template["height"].as_u64().expect("a height");
        // Only the first is waited for, and not in every round.
        first.send(acknowledged).ok();
        if acknowledged.is_multiple_of(3) {
            let coin = owner.coins_or_none(&node.rpc).and_then(|coins| coins.first().copied());
            if let Some(coin) = coin {
                let half =
                    Output { amount: Amount::from_grains(coin.1.output.amount.grains() / 2), lock: other.lock() };
                let rest = Output {
                    amount: Amount::from_grains(coin.1.output.amount.grains() / 2 - 1_000_000),
                    lock: owner.lock(),
                };
                send(&node.rpc, &owner.spend(genesis, &[coin], vec![half, rest])).ok();
            }
        }
    }
    acknowledged
}

#[test]
fn a_node_killed_at_any_instant_stands_where_it_had_committed() {
    let rounds = setting("CAIRN_CRASH_ROUNDS", 50);
    let seed = setting("CAIRN_CRASH_SEED", 7);
    println!("rounds {rounds}, seed {seed}");
    let mut random = Random(seed);
    let owner = TestKey::new(1, "ecrn");
    let mut node = Node::start();
    let genesis = genesis(&node.rpc);
    let mut acknowledged = 0;
    for round in 0..rounds {
        let stop = AtomicBool::new(false);
        let pause = Duration::from_millis(random.below(250));
        let pid = i32::try_from(node.pid()).expect("a pid is positive");
        let reached = std::thread::scope(|scope| {
            let (sender, first) = mpsc::channel();
            let worker = scope.spawn({
                let (node, genesis, owner, stop) = (&node, &genesis, &owner, &stop);
                move || work_until_killed(node, genesis, owner, stop, &sender)
            });
            // Every second round gets some work done, however slow the machine is; the others end at any instant.
            if round % 2 == 0 {
                first.recv().expect("a block is acknowledged before the node is killed");
            }
            std::thread::sleep(pause);
            // SAFETY: no memory effects; the child is not waited for before `node.kill` below.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            stop.store(true, Ordering::Relaxed);
            worker.join().expect("the worker ends when the node is gone")
        });
        acknowledged = acknowledged.max(reached);
        node.kill();
        node.restart();
        let height = node.height();
        assert!(height >= acknowledged, "round {round}: {height} after {acknowledged} was acknowledged");
    }
    assert!(acknowledged >= rounds.div_ceil(2), "every second round acknowledged a block: {acknowledged}");

    // A node that was never killed accepts every block, and the next one, which commits to the state of the other.
    let steady = Node::start();
    node.mine(1, &owner.address(), NOBODY);
    for block in node.blocks_above(0) {
        steady.submit(&block).expect("a block of the killed node");
    }
    assert_eq!(node.tip(), steady.tip());
    assert!(node.stop(), "it still ends cleanly");
}
