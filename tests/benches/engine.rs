//! Connecting blocks of 1,000 coin transactions, unknown and known to the mempool, and the mempool's acceptance, each
//! against the bare verification of the same signatures; blocks of token transfers with the log index, with older states,
//! and without; and what metrics add to a block.
//!
//! Run: `cargo bench -p cairn-tests --bench engine`. `CAIRN_BENCH_COINS`, `CAIRN_BENCH_BLOCKS` and
//! `CAIRN_BENCH_TRANSFERS` (blocks of those) make it smaller.

use alloy_primitives::Bytes;
use cairn_node::{
    engine::{Action, BlockOutcome, Engine, EngineConfig, Event, Reply, TemplateRequest, Time},
    metrics::{self, Stage},
    store::{Reader, Store, StoreConfig},
};
use cairn_tests::{Cost, Load, measure, setting};
use chain_core::{
    Address, U256,
    block::Block,
    spec::{ChainSpec, GenesisAccount},
    state::StateView,
    transaction::{
        Transaction,
        account::{AccountTransaction, Fees, Fields},
        coin::{Coin, Lock, OutPoint, Output},
        sighash::SignatureCheck,
        spend::spend_checks,
    },
    units::{Amount, GRAINS_PER_CRN},
};
use rayon::prelude::*;
use secp256k1::SecretKey;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

const TRANSACTIONS: usize = 1_000;
/// Transactions handed in at once, as the engine's thread does under load.
const BATCH: usize = 512;

fn main() {
    // A block spends half as many coins again as it has transactions; more are not in the genesis block.
    let coins = setting("CAIRN_BENCH_COINS", 300_000, 2 * TRANSACTIONS..=300_000);
    let blocks = setting("CAIRN_BENCH_BLOCKS", 20, 1..=usize::MAX);
    let transfers = setting("CAIRN_BENCH_TRANSFERS", 150, 1..=usize::MAX);
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
    rows(transfers);
    metrics_alone(&load, prefix);
}

/// Code of a token: counts in the slots of the caller and of the receiver, the call's first word, and writes a log of both.
const TOKEN: &[u8] = &[
    0x33, 0x54, 0x60, 1, 0x01, 0x33, 0x55, // the caller's slot
    0x5f, 0x35, 0x54, 0x60, 1, 0x01, 0x5f, 0x35, 0x55, // the receiver's slot
    0x60, 1, 0x5f, 0x52, // the amount in memory
    0x5f, 0x35, 0x33, 0x60, 0xdd, 0x60, 0x20, 0x5f, 0xa3, // LOG3: event, caller, receiver; the amount
    0x00,
];
/// Transfers of a block, each sender making some of them.
const TRANSFERS: u64 = 400;
const SENDERS: u64 = 50;

/// What the log index and the rows of older states add to connecting blocks of token transfers between many accounts, flush
/// included; and what reading an older state costs.
fn rows(blocks: usize) {
    let load = transfers(blocks);
    let plain = StoreConfig { log_index: false, history: Some(0), ..StoreConfig::default() };
    let configs = [
        ("neither log index nor older states", plain.clone()),
        ("the log index", StoreConfig { log_index: true, ..plain.clone() }),
        ("the last 128 states", StoreConfig { history: Some(128), ..plain.clone() }),
        ("all states", StoreConfig { history: None, ..plain }),
    ];
    let mut benches = configs.each_ref().map(|(_, config)| Bench::with(&load, 0, config));
    let mut costs = [Cost::default(); 4];
    for (number, block) in load.blocks.iter().enumerate() {
        // In turns, so that none always finds the processor's caches warm.
        for place in 0..benches.len() {
            let turn = (number + place) % benches.len();
            let (bench, block) = (&mut benches[turn], block.clone());
            costs[turn].add(&measure(|| {
                bench.connect([block]);
                bench.settle();
            }));
        }
    }
    println!("{blocks} blocks of {TRANSFERS} token transfers, indexes of transactions and addresses, with the flush:");
    for ((name, _), cost) in configs.iter().zip(&costs) {
        println!("  {name:<36} {cost}   CPU {:.3} x (aim for the log index: 1.1)", cost.cpu_to(&costs[0]));
    }
    for bench in [2, 3] {
        println!("  one balance with {}: {}", configs[bench].0, lookups(&benches[bench].reader, &load));
    }
}

/// Microseconds that a balance takes, snapshot included, at some blocks.
fn lookups(reader: &Reader, load: &Load) -> String {
    const ROUNDS: u32 = 50;
    let addresses: Vec<Address> = load.spec.alloc_accounts.iter().map(|account| account.address).collect();
    let tip = reader.snapshot().expect("the store is open").tip().height;
    let mut text = String::new();
    for below in [0, 1, 100] {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            for address in &addresses {
                let snapshot = reader.snapshot().expect("the store is open");
                let state = snapshot.after(tip.saturating_sub(below)).expect("it is readable").expect("it is kept");
                std::hint::black_box(state.account(address).expect("it is readable"));
            }
        }
        let each = start.elapsed() / (ROUNDS * addresses.len() as u32);
        text += &format!("{:.1} us at tip - {below}  ", each.as_secs_f64() * 1e6);
    }
    text
}

/// Blocks of token transfers.
fn transfers(blocks: usize) -> Load {
    let token = Address::repeat_byte(0xdd);
    let secret = |number: u64| {
        let mut bytes = [0x22; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        SecretKey::from_secret_bytes(bytes).expect("small numbers are keys")
    };
    let account = |address, code: &'static [u8]| GenesisAccount {
        address,
        balance: U256::from(u64::MAX),
        nonce: 0,
        code: Bytes::from_static(code),
        storage: Vec::new(),
    };
    let transfer = |sender: u64, nonce: u64, spec: &ChainSpec| {
        let receiver = U256::from(1_000_000 + (sender * 7_919 + nonce * 104_729) % 50_000);
        let fields = Fields {
            tx_type: 2,
            chain_id: spec.chain_id,
            nonce,
            fees: Fees::Dynamic { max_fee: U256::from(1_000_000_000_000u64), max_priority_fee: U256::ZERO },
            gas_limit: 100_000,
            to: Some(token),
            value: U256::ZERO,
            input: Bytes::copy_from_slice(&receiver.to_be_bytes::<32>()),
            access_list: Vec::new(),
            authorizations: Vec::new(),
        };
        AccountTransaction::sign(fields, &secret(sender)).expect("the fields are sound")
    };
    let mut spec = cairn_tests::spec();
    let sender = |number| transfer(number, 0, &spec).recover_sender().expect("it is signed");
    let senders: Vec<Address> = (0..SENDERS).map(sender).collect();
    spec.alloc_accounts = senders.iter().map(|sender| account(*sender, &[])).chain([account(token, TOKEN)]).collect();
    spec.alloc_accounts.sort_by_key(|account| account.address);
    let mut load = Load::on(spec, 100, Amount::from_grains(GRAINS_PER_CRN));
    for block in 0..blocks as u64 {
        let one = |number: u64| {
            let (sender, nonce) = (number % SENDERS, block * (TRANSFERS / SENDERS) + number / SENDERS);
            (Transaction::Account(transfer(sender, nonce, &load.spec)), Some(senders[sender as usize]))
        };
        let transactions = (0..TRANSFERS).map(one).collect();
        load.block(transactions);
    }
    load
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

/// What `--metrics` adds to blocks that the pool knows, the cheapest there are: the records of such a block are made once more, alone.
/// Measuring cannot be switched off again, so this comes last.
fn metrics_alone(load: &Load, prefix: usize) {
    const AGAIN: u32 = 100;
    let blocks = &load.blocks[prefix..];
    let connect = |bench: &mut Bench| {
        let (mut cost, mut stages) = (Cost::default(), 0);
        for block in blocks {
            bench.submit(block.transactions[1..].to_vec());
            let (copy, before) = (block.clone(), stage_records());
            cost.add(&measure(|| bench.connect([copy])));
            stages += stage_records() - before;
        }
        (cost, stages)
    };
    let [mut without, mut with] = [(); 2].map(|()| Bench::new(load, prefix, true));
    let (plain, _) = connect(&mut without);
    let metrics = metrics::start();
    let (measured, stages) = connect(&mut with);
    let alone = measure(|| {
        for _ in 0..AGAIN {
            (0..stages).for_each(|_| metrics::timed(Stage::Check, || ()));
            for block in blocks {
                block.transactions[1..].iter().for_each(|_| metrics.engine.removed("mined"));
                metrics.engine.new_tip(1, 0);
                metrics.engine.handled("block", Duration::ZERO);
            }
            metrics.recorder.sort();
        }
    });
    let alone = alone.cpu.as_secs_f64() / f64::from(AGAIN);
    println!(
        "metrics:             {:.1} us a block, {:.2} % of connecting one that the pool knows (aim: 0.5 %); the same blocks with them \
         took {:.3} x the CPU",
        alone * 1e6 / blocks.len() as f64,
        100.0 * alone / plain.cpu.as_secs_f64(),
        measured.cpu_to(&plain)
    );
}

/// Stages of the engine that were measured so far.
fn stage_records() -> u64 {
    let text = metrics::on().map(|metrics| metrics.recorder.render()).unwrap_or_default();
    let counts = text.lines().filter(|line| line.starts_with("cairn_engine_stage_seconds_count"));
    counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
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
    let (payout, beneficiary) = (Lock::Policy([1; 32]), Address::ZERO);
    let request = TemplateRequest { payout, beneficiary, extra: vec![0; 8], full: false };
    let mut transactions = 0;
    let took = measure(|| {
        let template = engine.engine.template(&request).expect("the pool holds valid transactions");
        transactions = template.block.transactions.len() - 1;
    });
    println!("template:            {took}   {transactions} of {pooled} transactions");
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
        let outputs: Vec<(u32, Output)> = match transaction {
            Transaction::Coinbase(coinbase) => coinbase.coins().map(|(index, output)| (index, *output)).collect(),
            Transaction::Coin(tx) => (0..).zip(tx.outputs.iter().copied()).collect(),
            Transaction::Account(_) => continue,
        };
        let txid = transaction.txid();
        // Coins of the genesis block need not mature.
        let coinbase = height > 0 && matches!(transaction, Transaction::Coinbase(_));
        let made =
            outputs.into_iter().map(|(index, output)| (OutPoint { txid, index }, Coin { output, height, coinbase }));
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
    reader: Reader,
    now: Time,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new(load: &Load, prefix: usize, index: bool) -> Self {
        let config = StoreConfig { tx_index: index, address_index: index, log_index: index, ..StoreConfig::default() };
        Self::with(load, prefix, &config)
    }

    fn with(load: &Load, prefix: usize, config: &StoreConfig) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(folder.path(), &load.spec, config).expect("a new store opens");
        let reader = store.reader();
        let engine = Engine::open(store, load.spec.clone(), EngineConfig::default()).expect("a new chain opens");
        let last = load.blocks.last().expect("there are blocks").header.time;
        let mut bench = Self { engine, reader, now: Time(u64::from(last) * 1_000), _folder: folder };
        bench.connect(load.blocks[..prefix].iter().cloned());
        bench.settle();
        bench
    }

    fn connect(&mut self, blocks: impl IntoIterator<Item = Block>) {
        for block in blocks {
            self.handle(Event::Block(0, block));
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
            let batch = left.by_ref().take(BATCH).map(|transaction| (0, transaction)).collect();
            for action in self.engine.handle(Event::Transactions(batch), self.now) {
                taken += usize::from(matches!(action, Action::Reply(_, Reply::Transaction(Ok(_)))));
            }
        }
        taken
    }
}
