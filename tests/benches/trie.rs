//! State root after 1,000 random account updates among 1,000,000 accounts, against eth_trie in memory; proofs of 1,000
//! accounts; the digest of the coin set.
//!
//! Run: `cargo bench -p cairn-tests --bench trie`. `CAIRN_BENCH_ACCOUNTS` makes it smaller.

use chain_core::{
    B256, U256,
    lthash::LtHash,
    state::{Account, ViewError},
    trie::{LeafChange, Node, NodeChange, NodeKey, NodeReader, prove, update, verify_proof},
};
use eth_trie::{EthTrie, MemoryDB, Trie};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

const UPDATES: usize = 1_000;
const ROUNDS: usize = 15;

fn main() {
    let accounts = std::env::var("CAIRN_BENCH_ACCOUNTS").map_or(1_000_000, |text| text.parse().expect("a number"));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let keys: Vec<B256> = (0..accounts).map(|_| random.word()).collect();

    let mut ours = MemoryNodes::default();
    let mut peer = EthTrie::new(Arc::new(MemoryDB::new(true)));
    let genesis: Vec<LeafChange> = keys.iter().map(|key| (*key, Some(account(random.next())))).collect();
    ours.update(&genesis);
    insert(&mut peer, &genesis);

    let (mut our_times, mut peer_times) = (Vec::new(), Vec::new());
    let mut root = B256::ZERO;
    for _ in 0..ROUNDS {
        let mut changes: Vec<LeafChange> =
            (0..UPDATES).map(|_| (keys[random.next() as usize % accounts], Some(account(random.next())))).collect();
        changes.sort();
        let (our_root, time) = timed(|| ours.update(&changes));
        our_times.push(time);
        let (peer_root, time) = timed(|| insert(&mut peer, &changes));
        peer_times.push(time);
        assert_eq!(our_root, peer_root, "both tries agree");
        root = our_root;
    }
    let (our_time, peer_time) = (median(our_times), median(peer_times));
    println!(
        "state root, {UPDATES} updates of {accounts} accounts: {:.2} ms, eth_trie in memory {:.2} ms, {:.2} x faster (aim 2.5)",
        our_time.as_secs_f64() * 1e3,
        peer_time.as_secs_f64() * 1e3,
        peer_time.as_secs_f64() / our_time.as_secs_f64()
    );
    proofs(&ours, &mut peer, root, &keys);
    coin_digest(&mut random);
}

/// Applies changes to eth_trie; the new root.
fn insert(trie: &mut EthTrie<MemoryDB>, changes: &[LeafChange]) -> B256 {
    for (key, value) in changes {
        trie.insert(key.as_slice(), value.as_deref().unwrap_or_default()).expect("memory does not fail");
    }
    trie.root_hash().expect("memory does not fail")
}

fn proofs(ours: &MemoryNodes, peer: &mut EthTrie<MemoryDB>, root: B256, keys: &[B256]) {
    let sample: Vec<B256> = keys.iter().step_by((keys.len() / UPDATES).max(1)).take(UPDATES).copied().collect();
    let (our_proofs, our_time) =
        timed(|| sample.iter().map(|key| prove(ours, None, *key).expect("memory does not fail")).collect::<Vec<_>>());
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

/// Nodes in a map, as a warm cache holds them.
#[derive(Default)]
struct MemoryNodes(HashMap<NodeKey, Arc<Node>>);

impl MemoryNodes {
    fn update(&mut self, changes: &[LeafChange]) -> B256 {
        let (root, diff) = update(self, None, changes).expect("memory does not fail");
        for NodeChange { key, node } in diff {
            match node {
                Some(node) => self.0.insert(key, node),
                None => self.0.remove(&key),
            };
        }
        root
    }
}

impl NodeReader for MemoryNodes {
    fn node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        Ok(self.0.get(key).cloned())
    }
}

/// RLP of an account without code or storage.
fn account(seed: u64) -> Vec<u8> {
    let Account { storage_root, code_hash, .. } = Account::default();
    alloy_rlp::encode(AccountRlp { nonce: seed % 100, balance: U256::from(seed), storage_root, code_hash })
}

#[derive(alloy_rlp::RlpEncodable)]
struct AccountRlp {
    nonce: u64,
    balance: U256,
    storage_root: B256,
    code_hash: B256,
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
