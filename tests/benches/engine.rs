//! Connecting blocks of 1,000 coin transactions, unknown and known to the mempool, and the mempool's acceptance, each
//! against the bare verification of the same signatures.
//!
//! Run: `cargo bench -p cairn-tests --bench engine`. `CAIRN_BENCH_COINS` and `CAIRN_BENCH_BLOCKS` make it smaller.

use cairn_node::{
    engine::{Action, BlockOutcome, Engine, EngineConfig, Event, Reply, Source, TemplateRequest, Time},
    store::{Store, StoreConfig},
};
use cairn_tests::Load;
use chain_core::{
    Address,
    block::Block,
    transaction::{
        Transaction,
        coin::{Coin, Lock, OutPoint},
        sighash::SignatureCheck,
        spend::spend_checks,
    },
};
use rayon::prelude::*;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

const TRANSACTIONS: usize = 1_000;
/// Transactions handed in at once, as the engine's thread does under load.
const BATCH: usize = 512;

fn main() {
    let coins = number("CAIRN_BENCH_COINS", 300_000);
    let blocks = number("CAIRN_BENCH_BLOCKS", 20);
    let mut load = Load::new();
    load.fan_out(coins);
    let prefix = load.blocks.len();
    for _ in 0..blocks {
        let transactions = load.coin_transactions(TRANSACTIONS);
        load.block(transactions.into_iter().map(|transaction| (transaction, None)).collect());
    }
    let checks = signature_checks(&load, prefix);
    let signatures: usize = checks.iter().map(Vec::len).sum();
    println!("{blocks} blocks of {TRANSACTIONS} coin transactions, {signatures} signatures, {coins} coins");
    for index in [true, false] {
        println!("{} indexes of transactions and addresses:", if index { "with" } else { "without" });
        blocks_and_pool(&load, prefix, &checks, index);
    }
    templates(&load, prefix);
}

/// Block by block, so that a noisy machine is as noisy to all.
fn blocks_and_pool(load: &Load, prefix: usize, checks: &[Vec<SignatureCheck>], index: bool) {
    let (mut stranger, mut friend) = (Bench::new(load, prefix, index), Bench::new(load, prefix, index));
    let [mut bare, mut unknown, mut accepted, mut known] = [Cost::default(); 4];
    for (block, checks) in load.blocks[prefix..].iter().zip(checks) {
        bare.add(&measure(|| assert!(checks.par_iter().all(SignatureCheck::verify))));
        let copy = block.clone();
        unknown.add(&measure(|| stranger.connect([copy])));
        let transactions = block.transactions[1..].to_vec();
        accepted.add(&measure(|| friend.submit(transactions)));
        let copy = block.clone();
        known.add(&measure(|| friend.connect([copy])));
    }
    let flush = measure(|| stranger.settle());
    let (mut unknown_flushed, mut known_flushed) = (unknown, known);
    for cost in [&mut unknown_flushed, &mut known_flushed] {
        cost.add(&flush);
    }
    println!("  bare verification:   {bare}");
    println!(
        "  connect, unknown:    {unknown}   CPU {:.2} x bare, {:.2} x with the flush (aim: 1.2)",
        unknown.cpu_to(&bare),
        unknown_flushed.cpu_to(&bare)
    );
    println!(
        "  mempool acceptance:  {accepted}   rate {:.2} x bare, {:.2} x by CPU (aim: 0.8)",
        bare.wall.as_secs_f64() / accepted.wall.as_secs_f64(),
        bare.cpu_to(&accepted)
    );
    println!("  flush of all blocks: {flush}");
    println!(
        "  connect, known:      {known}   CPU 1 / {:.1} of unknown, 1 / {:.1} with the flush (aim: 8)",
        unknown.cpu_to(&known),
        unknown_flushed.cpu_to(&known_flushed)
    );
}

/// How long a template takes, over a pool that holds some blocks' worth of transactions.
fn templates(load: &Load, prefix: usize) {
    let mut engine = Bench::new(load, prefix, false);
    let mut pooled = 0;
    for block in &load.blocks[prefix..] {
        let before = engine.engine.mempool().stats().transactions;
        engine.offer(block.transactions[1..].to_vec());
        pooled += engine.engine.mempool().stats().transactions - before;
    }
    let request = TemplateRequest { payout: Lock::Policy([1; 32]), beneficiary: Address::ZERO, extra: vec![0; 8] };
    let mut transactions = 0;
    let took = measure(|| {
        let template = engine.engine.template(&request).expect("the pool holds valid transactions");
        transactions = template.block.transactions.len() - 1;
    });
    println!("template:            {took}   {transactions} of {pooled} transactions");
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// The signatures of each block after the first ones, with what they sign.
fn signature_checks(load: &Load, prefix: usize) -> Vec<Vec<SignatureCheck>> {
    let genesis = load.spec.genesis_block().0;
    let mut coins: HashMap<OutPoint, Coin> = HashMap::new();
    let mut checks = vec![Vec::new(); load.blocks.len() + 1];
    let all = std::iter::once(&genesis).chain(&load.blocks);
    for (height, transaction) in
        (0..).zip(all).flat_map(|(height, block)| block.transactions.iter().map(move |tx| (height, tx)))
    {
        let (outputs, coinbase) = match transaction {
            Transaction::Coinbase(coinbase) => (&coinbase.outputs, true),
            Transaction::Coin(tx) => (&tx.outputs, false),
            Transaction::Account(_) => continue,
        };
        let txid = transaction.txid();
        let made = (0..)
            .zip(outputs)
            .map(|(index, output)| (OutPoint { txid, index }, Coin { output: *output, height, coinbase }));
        coins.extend(made);
        if let Transaction::Coin(tx) = transaction {
            let spent: Vec<Coin> = tx.inputs.iter().map(|input| coins[input]).collect();
            if height as usize > prefix {
                checks[height as usize]
                    .extend(spend_checks(&genesis.hash(), tx, &spent, height).expect("the load keeps the rules"));
            }
        }
    }
    checks.split_off(prefix + 1)
}

/// An engine over RocksDB.
struct Bench {
    engine: Engine,
    now: Time,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new(load: &Load, prefix: usize, index: bool) -> Self {
        let config = StoreConfig { tx_index: index, address_index: index, ..StoreConfig::default() };
        let folder = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(folder.path(), &load.spec, &config).expect("a new store opens");
        let engine = Engine::open(store, load.spec.clone(), EngineConfig::default()).expect("a new chain opens");
        let last = load.blocks.last().expect("there are blocks").header.time;
        let mut bench = Self { engine, now: Time(u64::from(last) * 1_000), _folder: folder };
        bench.connect(load.blocks[..prefix].iter().cloned());
        bench.settle();
        bench
    }

    fn connect(&mut self, blocks: impl IntoIterator<Item = Block>) {
        for block in blocks {
            self.handle(Event::Block(0, Source::Local, block));
        }
    }

    /// Lets the engine flush and tell of what is new, as it does when nothing else waits.
    fn settle(&mut self) {
        self.handle(Event::Continue);
    }

    fn handle(&mut self, event: Event) {
        for action in self.engine.handle(event, self.now) {
            match action {
                Action::Reply(_, Reply::Block(result)) => {
                    assert_eq!(result.expect("the load keeps the rules"), BlockOutcome::Connected { disconnected: 0 });
                }
                Action::Fatal(message) => panic!("{message}"),
                _ => {}
            }
        }
    }

    fn submit(&mut self, transactions: Vec<Transaction>) {
        let count = transactions.len();
        assert_eq!(self.offer(transactions), count, "the load keeps the rules");
    }

    /// Hands in transactions and answers how many were taken: some spend what blocks to come make.
    fn offer(&mut self, transactions: Vec<Transaction>) -> usize {
        let mut left = transactions.into_iter().peekable();
        let mut taken = 0;
        while left.peek().is_some() {
            let batch = left.by_ref().take(BATCH).map(|transaction| (0, Source::Local, transaction)).collect();
            for action in self.engine.handle(Event::Transactions(batch), self.now) {
                taken += usize::from(matches!(action, Action::Reply(_, Reply::Transaction(Ok(_)))));
            }
        }
        taken
    }
}

/// Time that something took.
#[derive(Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

impl Cost {
    fn cpu_to(&self, other: &Self) -> f64 {
        self.cpu.as_secs_f64() / other.cpu.as_secs_f64()
    }

    fn add(&mut self, other: &Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:8.1} ms CPU, {:8.1} ms", self.cpu.as_secs_f64() * 1e3, self.wall.as_secs_f64() * 1e3)
    }
}

fn measure(work: impl FnOnce()) -> Cost {
    let (wall, cpu) = (Instant::now(), cpu_time());
    work();
    Cost { wall: wall.elapsed(), cpu: cpu_time() - cpu }
}

/// CPU time of all threads of this process.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
