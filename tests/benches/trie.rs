//! State root after 1,000 random account updates among 1,000,000 accounts, trie nodes in RocksDB with a warm cache,
//! against eth_trie in memory; proofs of 1,000 accounts; the digest of the coin set.
//!
//! Run: `cargo bench -p cairn-tests --bench trie`. `CAIRN_BENCH_ACCOUNTS` makes it smaller.

use alloy_primitives::{keccak256, map::HashMap};
use cairn_node::store::{Store, StoreConfig};
use cairn_tests::setting;
use chain_core::{
    Address, B256, Bytes, U256,
    execute::{GATEWAY, HISTORY},
    spec::{ChainSpec, GenesisAccount},
    state::{Account, StateView, lthash::LtHash},
    trie::{LeafChange, Node, NodeKey, NodeReader, prove, update, verify_proof},
};
use eth_trie::{EthTrie, MemoryDB, Trie};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const UPDATES: usize = 1_000;
const ROUNDS: usize = 15;

fn main() {
    let accounts = setting("CAIRN_BENCH_ACCOUNTS", 1_000_000, 1..=usize::MAX);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let spec = crowded_spec(accounts, &mut random);
    let datadir = tempfile::tempdir().expect("a temporary directory");
    let config = StoreConfig { cache_bytes: 2 << 30, ..StoreConfig::default() };
    let store = Store::open(datadir.path(), &spec, &config).expect("a new store opens");
    let ours = store.view();

    let mut peer = EthTrie::new(Arc::new(MemoryDB::new(true)));
    let mut leaves: Vec<LeafChange> =
        spec.alloc_accounts.iter().map(|account| leaf(account, account.balance)).collect();
    for contract in [GATEWAY, HISTORY] {
        let account = ours.account(&contract).expect("the store reads").expect("every chain has it");
        leaves.push(leaf_of(contract, &account));
    }
    let (genesis_root, _) = update(&ours, None, &[]).expect("the store reads");
    assert_eq!(insert(&mut peer, &leaves), genesis_root, "both tries begin alike");

    state_roots(&ours, &mut peer, &spec, &mut random);
    proofs(&ours, &mut peer, genesis_root, &leaves);
    coin_digest(&mut random);
    println!("memory of the store's caches: {} MB", store.cache_bytes() >> 20);
}

/// A chain whose genesis allocates so many accounts.
fn crowded_spec(accounts: usize, random: &mut Random) -> ChainSpec {
    let mut account = || GenesisAccount {
        address: Address::from_word(random.word()),
        balance: U256::from(random.next()),
        nonce: 0,
        code: Bytes::new(),
        storage: Vec::new(),
    };
    let alloc_accounts = (0..accounts).map(|_| account()).collect();
    ChainSpec { alloc_accounts, ..ChainSpec::dev() }
}

fn leaf(account: &GenesisAccount, balance: U256) -> LeafChange {
    leaf_of(account.address, &Account { balance, ..Account::default() })
}

fn leaf_of(address: Address, account: &Account) -> LeafChange {
    let Account { nonce, balance, storage_root, code_hash } = *account;
    (keccak256(address), Some(alloy_rlp::encode(AccountRlp { nonce, balance, storage_root, code_hash })))
}

#[derive(alloy_rlp::RlpEncodable)]
struct AccountRlp {
    nonce: u64,
    balance: U256,
    storage_root: B256,
    code_hash: B256,
}

/// Roots of batches that all start from the same state: eth_trie is put back after each.
fn state_roots(ours: &dyn NodeReader, peer: &mut EthTrie<MemoryDB>, spec: &ChainSpec, random: &mut Random) {
    let (mut our_times, mut peer_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let chosen: Vec<&GenesisAccount> =
            (0..UPDATES).map(|_| &spec.alloc_accounts[random.next() as usize % spec.alloc_accounts.len()]).collect();
        let former: Vec<LeafChange> = chosen.iter().map(|account| leaf(account, account.balance)).collect();
        let mut changes: Vec<LeafChange> =
            chosen.iter().map(|account| leaf(account, U256::from(random.next()))).collect();
        changes.sort();
        changes.dedup_by_key(|change| change.0);
        let ((our_root, _taken), time) = timed(|| {
            let (root, diff) = update(ours, None, &changes).expect("the store reads");
            // A store takes a block's nodes over into such a map.
            let taken: HashMap<NodeKey, Option<Arc<Node>>> =
                diff.into_iter().map(|change| (change.key, change.node)).collect();
            (root, taken)
        });
        our_times.push(time);
        let (peer_root, time) = timed(|| insert(peer, &changes));
        peer_times.push(time);
        assert_eq!(our_root, peer_root, "both tries agree");
        insert(peer, &former);
    }
    let (our_time, peer_time) = (median(our_times), median(peer_times));
    println!(
        "state root, {UPDATES} updates of {} accounts: {:.2} ms, eth_trie in memory {:.2} ms, {:.2} x faster (aim 2.5)",
        spec.alloc_accounts.len(),
        our_time.as_secs_f64() * 1e3,
        peer_time.as_secs_f64() * 1e3,
        peer_time.as_secs_f64() / our_time.as_secs_f64()
    );
}

/// Applies changes to eth_trie; the new root.
fn insert(trie: &mut EthTrie<MemoryDB>, changes: &[LeafChange]) -> B256 {
    for (key, value) in changes {
        trie.insert(key.as_slice(), value.as_deref().unwrap_or_default()).expect("memory does not fail");
    }
    trie.root_hash().expect("memory does not fail")
}

fn proofs(ours: &dyn NodeReader, peer: &mut EthTrie<MemoryDB>, root: B256, leaves: &[LeafChange]) {
    let step = (leaves.len() / UPDATES).max(1);
    let sample: Vec<B256> = leaves.iter().step_by(step).take(UPDATES).map(|leaf| leaf.0).collect();
    let (our_proofs, our_time) =
        timed(|| sample.iter().map(|key| prove(ours, None, *key).expect("the store reads")).collect::<Vec<_>>());
    let (peer_proofs, peer_time) = timed(|| {
        sample.iter().map(|key| peer.get_proof(key.as_slice()).expect("memory does not fail")).collect::<Vec<_>>()
    });
    for ((key, ours), peers) in sample.iter().zip(&our_proofs).zip(&peer_proofs) {
        assert!(ours.iter().map(|node| &node[..]).eq(peers.iter().map(|node| &node[..])), "both prove alike");
        assert!(verify_proof(root, *key, ours).expect("a proof").is_some());
    }
    println!(
        "proofs of {} accounts: {:.2} ms, eth_trie {:.2} ms, {:.2} x faster",
        sample.len(),
        our_time.as_secs_f64() * 1e3,
        peer_time.as_secs_f64() * 1e3,
        peer_time.as_secs_f64() / our_time.as_secs_f64()
    );
}

fn coin_digest(random: &mut Random) {
    let coins: Vec<[u8; 96]> = (0..10_000).map(|_| std::array::from_fn(|_| random.next() as u8)).collect();
    let mut digest = LtHash::default();
    let (_, time) = timed(|| coins.iter().for_each(|coin| digest.add(coin)));
    println!("digest of the coin set: {:.2} us a coin", time.as_secs_f64() * 1e6 / coins.len() as f64);
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// xorshift64*: the same numbers on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn word(&mut self) -> B256 {
        let mut word = B256::ZERO;
        word.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&self.next().to_be_bytes()));
        word
    }
}
