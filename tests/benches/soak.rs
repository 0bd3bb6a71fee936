//! Memory over many full blocks: a node process takes blocks at the sustained limit of gas over RPC, and its resident
//! memory must stay within its configured caches plus 200 MB.
//!
//! Run: `cargo bench -p cairn-tests --bench soak`. `CAIRN_SOAK_BLOCKS` (20,000) and `CAIRN_SOAK_MINUTES` (60) end it,
//! whichever comes first.

use cairn_tests::{Node, NodeOptions, TestKey, grind, setting};
use chain_core::{
    Address, B256, Bytes, U256,
    block::{Block, header::Header, merkle},
    execute::{BlockBuilder, BlockContext},
    hash::BlockHash,
    headers::HeaderContext,
    spec::ChainSpec,
    state::{Account, BlockEffects, StateView, ViewError, lthash::LtHash},
    transaction::{
        Transaction,
        coin::{Coin, OutPoint, Output},
    },
    trie::{Node as TrieNode, NodeKey},
    units::{Amount, GRAINS_PER_CRN, Height},
};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// Outputs of each block's transaction: 30 million gas, half the limit, at which the base fee stays where it is.
const OUTPUTS: usize = 3_500;
/// Node's caches in bytes: `--cache` and `--mempool.size`, and what may gather before a flush.
const CACHES: u64 = (64 + 16 + 64) << 20;
const ALLOWANCE: u64 = 200 << 20;
/// Blocks after which memory is looked at.
const LOOK: usize = 50;

fn main() {
    let blocks = setting("CAIRN_SOAK_BLOCKS", 20_000, LOOK..=usize::MAX);
    let minutes = setting("CAIRN_SOAK_MINUTES", 60, 1..=10_000) as u64;
    let mut chain = Chain::new();
    let flags = ["--cache", "64", "--mempool.size", "16"].map(str::to_owned).to_vec();
    let node = Node::with(NodeOptions { spec: chain.spec.clone(), flags, ..NodeOptions::default() });
    let (start, mut most) = (Instant::now(), 0);
    let mut made = 0;
    while made < blocks && start.elapsed() < Duration::from_secs(60 * minutes) {
        let answer = node.submit(&chain.next()).expect("the block is valid");
        assert_eq!(answer["status"], "connected");
        made += 1;
        if made % LOOK == 0 {
            most = most.max(node.memory());
        }
        if made % 1_000 == 0 {
            println!("{made} blocks, {:.0} s, {} MB resident", start.elapsed().as_secs_f64(), node.memory() >> 20);
        }
    }
    println!(
        "memory over {made} full blocks ({} outputs each) in {:.0} s: at most {} MB; caches {} MB + 200 MB = {} MB, ratio {:.2}",
        OUTPUTS,
        start.elapsed().as_secs_f64(),
        most >> 20,
        CACHES >> 20,
        (CACHES + ALLOWANCE) >> 20,
        most as f64 / (CACHES + ALLOWANCE) as f64,
    );
    assert!(most <= CACHES + ALLOWANCE, "memory grew beyond its bound");
}

/// Makes the blocks: each has one transaction, which spends the first output of the one before.
struct Chain {
    spec: ChainSpec,
    genesis: BlockHash,
    tip: HeaderContext,
    key: TestKey,
    state: OneCoin,
}

/// A state of which only one coin is of interest, beside the few accounts that the chain itself writes to.
struct OneCoin {
    coin: (OutPoint, Coin),
    digest: LtHash,
    accounts: HashMap<Address, Account>,
    storage: HashMap<(Address, U256), U256>,
    codes: HashMap<B256, Bytes>,
    nodes: HashMap<NodeKey, Arc<TrieNode>>,
}

impl Chain {
    fn new() -> Self {
        let base = cairn_tests::spec();
        let key = TestKey::new(1, &base.hrp);
        let large = Output { amount: Amount::from_grains(30_000_000 * GRAINS_PER_CRN), lock: key.lock() };
        let spec = ChainSpec { alloc_coins: vec![large], ..base };
        let (genesis, effects) = spec.genesis_block();
        let tip = HeaderContext::genesis(&spec, &genesis.header);
        let mut chain = Self { genesis: genesis.hash(), tip, key, state: OneCoin::new(effects.created[0]), spec };
        chain.state.follow(&effects);
        chain
    }

    fn next(&mut self) -> Block {
        let (outpoint, coin) = self.state.coin;
        let mut outputs = vec![Output { amount: Amount::from_grains(1), lock: self.key.lock() }; OUTPUTS];
        outputs[0].amount = Amount::from_grains(coin.output.amount.grains() - 5_000_000);
        let transaction = self.key.spend(&self.genesis, &[(outpoint, coin)], outputs);
        let bits = self.tip.next_bits(&self.spec);
        let time = self.spec.genesis_time + self.tip.height * self.spec.target_interval;
        let header = Header { version: 1, prev: self.tip.hash, merkle_root: [0; 32], time, bits, nonce: 0 };
        let context = BlockContext::new(self.genesis, self.tip.height + 1, self.spec.base_fee_floor, &header);
        let context = context.expect("the rule gives bits");
        let mut builder =
            BlockBuilder::new(&self.spec, context, &self.state, Address::ZERO).expect("memory can be read");
        builder.push(&transaction, None).expect("the transaction keeps the rules");
        let (transactions, effects) = builder.finish(self.key.lock(), Vec::new()).expect("the payout is sound");
        let leaves: Vec<[u8; 32]> = transactions.iter().map(merkle::leaf).collect();
        let merkle_root = merkle::root(&leaves);
        let header = Header { version: 1, prev: self.tip.hash, merkle_root, time, bits, nonce: 0 };
        let mut block = Block { header, transactions };
        grind(&mut block);
        self.tip = self.tip.child(&self.spec, &block.header, u64::from(time)).expect("the header keeps the rules");
        self.state.follow(&effects);
        self.state.coin = first_output(&block.transactions[1], &effects);
        block
    }
}

fn first_output(transaction: &Transaction, effects: &BlockEffects) -> (OutPoint, Coin) {
    let outpoint = OutPoint { txid: transaction.txid(), index: 0 };
    *effects.created.iter().find(|(made, _)| *made == outpoint).expect("the block made it")
}

impl OneCoin {
    fn new(coin: (OutPoint, Coin)) -> Self {
        Self {
            coin,
            digest: LtHash::default(),
            accounts: HashMap::new(),
            storage: HashMap::new(),
            codes: HashMap::new(),
            nodes: HashMap::new(),
        }
    }

    fn follow(&mut self, effects: &BlockEffects) {
        self.digest = effects.coins_digest.clone();
        self.accounts.extend(effects.accounts.iter().filter_map(|change| Some((change.address, change.after?))));
        self.storage.extend(effects.storage.iter().map(|change| ((change.address, change.slot), change.after)));
        self.codes.extend(effects.codes.iter().cloned());
        let nodes = effects.nodes.iter();
        self.nodes.extend(nodes.filter_map(|change| Some((change.key.clone(), change.node.clone()?))));
    }
}

impl StateView for OneCoin {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, ViewError> {
        Ok((self.coin.0 == *outpoint).then_some(self.coin.1))
    }

    fn account(&self, address: &Address) -> Result<Option<Account>, ViewError> {
        Ok(self.accounts.get(address).copied())
    }

    fn storage(&self, address: &Address, slot: &U256) -> Result<U256, ViewError> {
        Ok(self.storage.get(&(*address, *slot)).copied().unwrap_or_default())
    }

    fn code(&self, hash: &B256) -> Result<Bytes, ViewError> {
        Ok(self.codes.get(hash).cloned().unwrap_or_default())
    }

    fn block_hash(&self, _: Height) -> Result<Option<BlockHash>, ViewError> {
        Ok(None)
    }

    fn trie_node(&self, key: &NodeKey) -> Result<Option<Arc<TrieNode>>, ViewError> {
        Ok(self.nodes.get(key).cloned())
    }

    fn coins_digest(&self) -> Result<LtHash, ViewError> {
        Ok(self.digest.clone())
    }
}
