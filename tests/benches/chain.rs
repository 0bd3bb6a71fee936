//! A chain of 100,000 blocks: how long a node takes from its start to its first answer, and the rate of `reindex` beside
//! the sum of its parts.
//!
//! Run: `cargo bench -p cairn-tests --bench chain`. `CAIRN_BENCH_CHAIN` sets another number of blocks.

use cairn_node::{
    engine::{Engine, EngineConfig, Event, Time},
    store::{Store, StoreConfig},
};
use cairn_tests::{Load, Node, NodeOptions, binary, setting};
use chain_core::{
    block::{Block, check::check_block},
    codec,
    execute::{BlockContext, execute_block},
    fees::next_base_fee,
    headers::HeaderContext,
    spec::ChainSpec,
    transaction::sighash::SignatureCheck,
};
use rayon::prelude::*;
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// Fewest blocks: those that split the coins are among them.
const LEAST: usize = 10;

fn main() {
    let blocks = setting("CAIRN_BENCH_CHAIN", 100_000, LEAST..=usize::MAX);
    let mut load = Load::new();
    load.fan_out(20_000);
    while load.blocks.len() < blocks {
        let transactions = load.coin_transactions(1);
        load.block(transactions.into_iter().map(|transaction| (transaction, None)).collect());
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    fill(&folder.path().join("data"), &load);

    let start = Instant::now();
    let mut node = Node::within(folder, NodeOptions { spec: load.spec.clone(), ..NodeOptions::default() });
    let opened = start.elapsed();
    assert_eq!(node.height(), blocks as u64);
    println!("open {blocks} blocks: {:.2} s from start to RPC (aim: under 2 s)", opened.as_secs_f64());
    assert!(node.stop(), "the node ends cleanly");

    let start = Instant::now();
    let status = Command::new(binary("cairn-node"))
        .args(["reindex", "--chain"])
        .arg(node.folder.path().join("chain.toml"))
        .arg("--datadir")
        .arg(node.datadir())
        .status()
        .expect("the node's binary can be run");
    assert!(status.success(), "reindex succeeds");
    let reindex = start.elapsed();
    let parts = Parts::measure(&load.spec, &load.blocks);
    let rate = |time: Duration| blocks as f64 / time.as_secs_f64();
    println!(
        "reindex: {:.0} blocks/s; its parts alone {:.0} blocks/s (signatures on all cores {:.1} s, decoding and checks \
         {:.1} s, execution with trie {:.1} s, store {:.1} s); {:.2} x their sum",
        rate(reindex),
        rate(parts.sum()),
        parts.signatures.as_secs_f64(),
        parts.checks.as_secs_f64(),
        parts.execution.as_secs_f64(),
        parts.store.as_secs_f64(),
        reindex.as_secs_f64() / parts.sum().as_secs_f64(),
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

/// What replaying a chain consists of, each measured alone.
#[derive(Default)]
struct Parts {
    signatures: Duration,
    checks: Duration,
    execution: Duration,
    store: Duration,
}

impl Parts {
    fn sum(&self) -> Duration {
        self.signatures + self.checks + self.execution + self.store
    }

    fn measure(spec: &ChainSpec, blocks: &[Block]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut store = Store::open(folder.path(), spec, &StoreConfig::default()).expect("a new store opens");
        let (genesis, _) = spec.genesis_block();
        let mut tip = HeaderContext::genesis(spec, &genesis.header);
        let (mut parts, mut signatures) = (Self::default(), Vec::new());
        let mut fees = None;
        for block in blocks {
            let bytes = codec::encode(block);
            let start = Instant::now();
            let block: Block = codec::decode(&bytes).expect("a block decodes");
            let base_fee = fees.map_or(spec.initial_base_fee, |(base, used)| next_base_fee(spec, base, used));
            let context = BlockContext::new(genesis.hash(), tip.height + 1, base_fee, &block.header);
            let context = context.expect("the bits are sound");
            tip = tip.child(spec, &block.header, u64::from(u32::MAX)).expect("the header keeps the rules");
            let checked = check_block(spec, block).expect("the block is sound");
            parts.checks += start.elapsed();

            let start = Instant::now();
            let pending = execute_block(spec, &context, &store.view(), checked, &[]).expect("the block is valid");
            parts.execution += start.elapsed();
            signatures.extend_from_slice(pending.checks());
            let verdicts = vec![true; pending.checks().len()];
            let executed = pending.confirm(&verdicts).expect("every verdict is given");
            fees = Some((context.base_fee, executed.effects().gas_used));

            let start = Instant::now();
            store.connect(&executed).expect("the store takes it");
            if store.needs_flush(true) {
                store.flush().expect("the disk takes it");
            }
            parts.store += start.elapsed();
        }
        let start = Instant::now();
        assert!(signatures.par_iter().all(SignatureCheck::verify));
        parts.signatures = start.elapsed();
        parts
    }
}
