//! What the store costs, in CPU time. Run by hand:
//! `cargo test --release -p cairn-node --lib store::tests::speed -- --ignored --nocapture --test-threads 1`

use alloy_primitives::{Address, B256, U256};
use chain_core::{
    block::{Block, header::Header},
    hash::{BlockHash, TxId},
    state::{BlockEffects, StateView, lthash::LtHash},
    transaction::{
        Transaction,
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Output, Signature, Witness},
        coinbase::Coinbase,
    },
    trie::EMPTY_ROOT,
    units::{Amount, Height},
};
use rustix::time::{ClockId, clock_gettime};
use std::{hint::black_box, time::Duration, time::Instant};

use super::lab::{config, loose_header, spec};
use crate::store::{
    BlockRef, Store, StoreConfig,
    batch::Batch,
    column::Column,
    commit::Commit,
    kv::{Durability, Kv},
    rocks::RocksKv,
    schema,
};

/// Coins on disk before anything is measured.
const OLD_COINS: usize = 300_000;
/// Transactions of a block, which spend one and two coins in turn and make two.
const TRANSACTIONS: usize = 1_000;

/// CPU time of this thread, and of the whole process.
#[derive(Clone, Copy)]
struct Cpu(Duration, Duration);

impl Cpu {
    fn now() -> Self {
        let time = |clock| Duration::try_from(clock_gettime(clock)).unwrap();
        Self(time(ClockId::ThreadCPUTime), time(ClockId::ProcessCPUTime))
    }

    /// Microseconds since, of the thread and of the process, each by `count`.
    fn since(self, count: usize) -> (f64, f64) {
        let now = Self::now();
        let each = |later: Duration, earlier: Duration| (later - earlier).as_secs_f64() * 1e6 / count as f64;
        (each(now.0, self.0), each(now.1, self.1))
    }
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.next().to_le_bytes()));
        bytes
    }

    fn coin(&mut self, height: Height) -> Coin {
        let output = Output {
            amount: Amount::from_grains(self.next() % 1_000_000_000),
            lock: Lock::Key(KeyBytes(self.bytes())),
        };
        Coin { output, height, coinbase: false }
    }
}

/// Blocks that nobody executed: only what the store sees of them is there.
struct Factory {
    random: Random,
    coins: Vec<(OutPoint, Coin)>,
    tip: BlockRef,
    /// No account ever changes.
    state_root: B256,
}

struct Made {
    at: BlockRef,
    block: Block,
    txids: Vec<TxId>,
    effects: BlockEffects,
}

impl Factory {
    fn new(store: &Store) -> Self {
        let genesis = store.header(&store.tip().hash).unwrap().and_then(|record| record.executed).unwrap();
        Self { random: Random(1), coins: Vec::new(), tip: store.tip(), state_root: genesis.state_root }
    }

    /// A block of so many transactions that spend so many of the known coins each, and make two.
    fn block(&mut self, transactions: usize, inputs: impl Fn(usize) -> usize) -> Made {
        let height = self.tip.height + 1;
        let (mut spent, mut created) = (Vec::new(), Vec::new());
        let (mut body, mut txids) =
            (vec![Transaction::Coinbase(self.coinbase(height))], vec![TxId(self.random.bytes())]);
        for number in 0..transactions {
            let txid = TxId(self.random.bytes());
            let coins: Vec<_> = (0..inputs(number)).map(|_| self.take()).collect();
            let outputs: Vec<_> = (0..2).map(|_| self.random.coin(height)).collect();
            created.extend((0..).zip(&outputs).map(|(index, coin)| (OutPoint { txid, index }, *coin)));
            body.push(Transaction::Coin(CoinTransaction {
                inputs: coins.iter().map(|(outpoint, _)| *outpoint).collect(),
                outputs: outputs.iter().map(|coin| coin.output).collect(),
                witnesses: coins.iter().map(|_| Witness::Key(Signature::from([7; 64]))).collect(),
            }));
            spent.extend(coins);
            txids.push(txid);
        }
        let header = Header { prev: self.tip.hash, nonce: height, ..loose_header(height, 0).header };
        let block = Block { header, transactions: body };
        let at = BlockRef { height, hash: block.hash() };
        self.tip = at;
        self.coins.extend(&created);
        Made { at, block, txids, effects: effects(spent, created) }
    }

    fn coinbase(&self, height: Height) -> Coinbase {
        Coinbase {
            height,
            beneficiary: Address::ZERO,
            outputs: Vec::new(),
            state_root: self.state_root,
            receipts_root: EMPTY_ROOT,
            coins_root: B256::ZERO,
            gas_used: 0,
            extra: Vec::new(),
        }
    }

    fn take(&mut self) -> (OutPoint, Coin) {
        let index = self.random.next() as usize % self.coins.len();
        self.coins.swap_remove(index)
    }
}

fn effects(spent: Vec<(OutPoint, Coin)>, created: Vec<(OutPoint, Coin)>) -> BlockEffects {
    BlockEffects {
        spent,
        created,
        transient: Vec::new(),
        accounts: Vec::new(),
        storage: Vec::new(),
        codes: Vec::new(),
        nodes: Vec::new(),
        coins_digest: LtHash::default(),
        receipts: Vec::new(),
        gas_used: 0,
        tx_gas: Vec::new(),
        minted: U256::ZERO,
        burned: U256::ZERO,
    }
}

impl Made {
    fn commit(&self) -> Commit<'_> {
        let Self { at, block, txids, effects } = self;
        Commit { at: *at, block, txids, base_fee: 1, senders: &[], effects }
    }
}

/// A store on disk with the old coins.
fn store(config: &StoreConfig) -> (tempfile::TempDir, Store, Factory) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path(), &spec(), config).unwrap();
    let mut factory = Factory::new(&store);
    for _ in 0..OLD_COINS / 2_000 {
        store.commit(&factory.block(1_000, |_| 0).commit()).unwrap();
        store.flush().unwrap();
    }
    (directory, store, factory)
}

fn blocks_between_flushes(name: &str, config: &StoreConfig, every: usize, cold: bool) {
    let blocks = 200;
    let (_directory, mut store, mut factory) = store(config);
    let made: Vec<_> = (0..blocks).map(|_| factory.block(TRANSACTIONS, |number| 1 + number % 2)).collect();
    let (mut read, mut connect, mut flush) = (0.0, 0.0, 0.0);
    let all = Cpu::now();
    let clock = Instant::now();
    for (number, made) in made.iter().enumerate() {
        if cold {
            store.cache.coins.clear();
        }
        let cpu = Cpu::now();
        for (outpoint, coin) in &made.effects.spent {
            assert_eq!(store.view().coin(outpoint).unwrap().as_ref(), Some(coin));
        }
        read += cpu.since(blocks).0;
        let cpu = Cpu::now();
        store.commit(&made.commit()).unwrap();
        connect += cpu.since(blocks).0;
        if (number + 1) % every == 0 {
            let cpu = Cpu::now();
            store.flush().unwrap();
            flush += cpu.since(blocks).0;
        }
    }
    let (own, process) = all.since(blocks);
    let wall = clock.elapsed().as_secs_f64() * 1e6 / blocks as f64;
    println!(
        "{name:20} read {read:6.0}  connect {connect:6.0}  flush {flush:6.0}  = {own:6.0} us CPU a block, {process:6.0} with \
         background, {wall:6.0} wall; {:5.2} us a coin operation",
        own / 5_000.0,
    );
}

#[test]
#[ignore = "a benchmark"]
fn blocks_of_a_thousand_transactions() {
    let all = StoreConfig { sync: false, ..StoreConfig::default() };
    let tx = StoreConfig { address_index: false, ..all.clone() };
    let none = StoreConfig { tx_index: false, ..tx.clone() };
    for every in [1, 20] {
        println!("a flush every {every} blocks");
        blocks_between_flushes("no index, cold coins", &none, every, true);
        blocks_between_flushes("no index", &none, every, false);
        blocks_between_flushes("transaction index", &tx, every, false);
        blocks_between_flushes("all indexes", &all, every, false);
    }
}

#[test]
#[ignore = "a benchmark"]
fn a_raw_batch() {
    for sorted in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let kv = RocksKv::open(directory.path(), &config()).unwrap();
        let mut random = Random(3);
        let (mut keys, mut sort, mut write) = (Vec::new(), 0.0, 0.0);
        let cpu = Cpu::now();
        for round in 0..200 {
            let mut batch = Batch::default();
            for _ in 0..2_000 {
                let outpoint = OutPoint { txid: TxId(random.bytes()), index: 0 };
                batch.put(Column::Coins, &schema::coin_key(&outpoint), &schema::write_coin(&random.coin(1)));
                keys.push(schema::coin_key(&outpoint));
            }
            for _ in 0..if round < 100 { 0 } else { 1_500 } {
                let index = random.next() as usize % keys.len();
                batch.delete(Column::Coins, &keys.swap_remove(index));
            }
            let cpu = Cpu::now();
            if sorted {
                batch.sort();
            }
            sort += cpu.since(550_000).0;
            let cpu = Cpu::now();
            kv.write(&batch, Durability::Process).unwrap();
            write += cpu.since(550_000).0;
        }
        let (_, process) = cpu.since(550_000);
        println!(
            "raw batches, sorted: {sorted}: {sort:.2} sort, {write:.2} write us a row, {process:.2} with all and background"
        );
    }
}

#[test]
#[ignore = "a benchmark"]
fn reads_of_coins() {
    let config = StoreConfig { cache_bytes: 256 << 20, ..config() };
    let (_directory, store, factory) = store(&config);
    let mut random = Random(9);
    let wanted: Vec<OutPoint> =
        (0..30_000).map(|_| factory.coins[random.next() as usize % factory.coins.len()].0).collect();
    let view = store.view();
    for name in ["from the cache", "from the cache"] {
        let cpu = Cpu::now();
        for outpoint in &wanted {
            black_box(view.coin(outpoint).unwrap());
        }
        println!("{name}: {:.2} us a coin", cpu.since(wanted.len()).0);
    }
    store.cache.coins.clear();
    let cpu = Cpu::now();
    wanted.iter().for_each(|outpoint| assert!(black_box(view.coin(outpoint).unwrap()).is_some()));
    println!("from the database: {:.2} us a coin", cpu.since(wanted.len()).0);
    store.cache.coins.clear();
    let cpu = Cpu::now();
    wanted.chunks(1_500).for_each(|coins| store.prefetch(coins).unwrap());
    println!("prefetched: {:.2} us a coin", cpu.since(wanted.len()).0);
}

#[test]
#[ignore = "a benchmark"]
fn writes_of_bodies() {
    let directory = tempfile::tempdir().unwrap();
    let kv = RocksKv::open(directory.path(), &config()).unwrap();
    let mut random = Random(5);
    let body: Vec<u8> = (0..9_000).flat_map(|_| random.bytes()).collect();
    let cpu = Cpu::now();
    for height in 0..500 {
        let mut batch = Batch::default();
        let at = BlockRef { height, hash: BlockHash::default() };
        batch.put(Column::Bodies, &schema::block_key(at), &body);
        kv.write(&batch, Durability::Process).unwrap();
    }
    let (own, process) = cpu.since(500);
    println!("a body of {} bytes: {own:.0} us, {process:.0} with background", body.len());
    let mut factory = Factory::new(&Store::in_memory(&spec(), &config()).unwrap());
    factory.block(2_000, |_| 0);
    let block = factory.block(TRANSACTIONS, |number| 1 + number % 2).block;
    let cpu = Cpu::now();
    (0..100).for_each(|_| assert!(!black_box(chain_core::codec::encode(&block)).is_empty()));
    println!("encoding it: {:.0} us", cpu.since(100).0);
}

#[test]
#[ignore = "a benchmark"]
fn opening_a_chain_of_100_000_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path(), &spec(), &config()).unwrap();
    let mut factory = Factory::new(&store);
    let clock = Instant::now();
    for number in 0..100_000 {
        let transactions = if number < 1_000 { 20 } else { 1 };
        store.commit(&factory.block(transactions, |_| usize::from(number > 1_000)).commit()).unwrap();
        if store.needs_flush(true) {
            store.flush().unwrap();
        }
    }
    store.flush().unwrap();
    println!("connected in {:.1} s", clock.elapsed().as_secs_f64());
    drop(store);
    for _ in 0..2 {
        let (clock, cpu) = (Instant::now(), Cpu::now());
        let store = Store::open(directory.path(), &spec(), &config()).unwrap();
        let opened = clock.elapsed();
        let headers = store.load_headers().unwrap();
        assert_eq!(headers.len(), 100_001);
        println!("opened in {opened:?}, with headers {:?}, {:.0} us CPU", clock.elapsed(), cpu.since(1).1);
    }
}

/// Memory that the process holds, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

#[test]
#[ignore = "a benchmark"]
fn memory_over_many_full_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig { sync: false, ..StoreConfig::default() };
    let mut store = Store::open(directory.path(), &spec(), &config).unwrap();
    let mut factory = Factory::new(&store);
    let (cpu, clock) = (Cpu::now(), Instant::now());
    for number in 0..3_000 {
        let made = factory.block(TRANSACTIONS, |input| if number < 50 { 0 } else { 1 + input % 2 });
        for (outpoint, _) in &made.effects.spent {
            store.view().coin(outpoint).unwrap().unwrap();
        }
        store.commit(&made.commit()).unwrap();
        if store.needs_flush(true) {
            store.flush().unwrap();
        }
        factory.coins.truncate(100_000);
        if number % 200 == 0 {
            println!(
                "block {number}: {} MiB resident; dirty {}, clean {}",
                resident(),
                store.dirty_bytes() >> 20,
                store.cache_bytes() >> 20
            );
        }
    }
    let (own, process) = cpu.since(3_000);
    println!("{own:.0} us CPU a block, {process:.0} with background, {:?}", clock.elapsed());
}
