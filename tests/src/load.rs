//! Loads for benchmarks: chains of full blocks, made ahead of what is measured.

use cairn_node::store::{Store, StoreConfig};
use chain_core::{
    Address,
    block::{Block, check::check_block, header::Header, merkle},
    execute::{BlockBuilder, BlockContext, ExecutedBlock, execute_block},
    fees::next_base_fee,
    hash::BlockHash,
    headers::HeaderContext,
    spec::ChainSpec,
    transaction::{
        Transaction,
        coin::{Coin, CoinTransaction, KeyBytes, Lock, Output, Witness},
        sighash::sighash,
    },
    units::{Amount, GRAINS_PER_CRN},
};
use secp256k1::Keypair;
use std::collections::{HashMap, VecDeque};

use crate::{NamedCoin, grind, sign::sign_fast};

/// Keys among which coins are spread.
const KEYS: u32 = 1_000;

/// Makes blocks on a store in memory.
pub struct Load {
    /// The chain.
    pub spec: ChainSpec,
    /// Every block made so far, lowest first.
    pub blocks: Vec<Block>,
    /// Fee of a coin transaction, in grains; at first three times what the least base fee asks.
    pub fee: u64,
    store: Store,
    tip: HeaderContext,
    genesis: BlockHash,
    base_fee: u64,
    gas_used: u64,
    keys: Vec<Keypair>,
    locks: Vec<Lock>,
    /// Places of the locks.
    places: HashMap<[u8; 32], usize>,
    coins: VecDeque<NamedCoin>,
    seed: u64,
}

/// The secret key number `number`.
fn keypair(number: u32) -> Keypair {
    let mut secret = [0x11; 32];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    Keypair::from_secret_bytes(secret).expect("small numbers are keys")
}

fn lock(key: &Keypair) -> Lock {
    Lock::Key(KeyBytes(key.x_only_public_key().0.to_byte_array()))
}

fn sign(genesis: &BlockHash, keys: &[&Keypair], coins: &[NamedCoin], outputs: Vec<Output>) -> Transaction {
    let inputs = coins.iter().map(|(outpoint, _)| *outpoint).collect();
    let spent: Vec<Coin> = coins.iter().map(|(_, coin)| *coin).collect();
    let mut transaction = CoinTransaction { inputs, outputs, witnesses: Vec::new() };
    let message = sighash(genesis, &transaction, &spent);
    let sign = |(input, key): (u32, &&Keypair)| Witness::Key(sign_fast(key, &message(input)));
    transaction.witnesses = (0..).zip(keys).map(sign).collect();
    Transaction::Coin(transaction)
}

impl Load {
    /// A chain whose genesis block gives the keys 100 large coins.
    pub fn new() -> Self {
        Self::on(crate::spec(), 100, Amount(5_000 * GRAINS_PER_CRN))
    }

    /// A chain like this one, whose genesis block gives the keys so many coins of this amount.
    ///
    /// # Panics
    /// If the spec is not sound.
    pub fn on(spec: ChainSpec, coins: usize, amount: Amount) -> Self {
        let keys: Vec<Keypair> = (0..KEYS).map(keypair).collect();
        let locks: Vec<Lock> = keys.iter().map(lock).collect();
        let alloc_coins = locks.iter().cycle().take(coins).map(|lock| Output { amount, lock: *lock }).collect();
        let spec = ChainSpec { alloc_coins, ..spec };
        let (genesis, effects) = spec.genesis_block();
        let store = Store::in_memory(&spec, &StoreConfig::default()).expect("memory can be written");
        Self {
            tip: HeaderContext::genesis(&spec, &genesis.header),
            genesis: genesis.hash(),
            base_fee: spec.initial_base_fee,
            gas_used: 0,
            blocks: Vec::new(),
            fee: 10_000,
            coins: effects.created.into_iter().collect(),
            spec,
            store,
            places: keys.iter().map(|key| key.x_only_public_key().0.to_byte_array()).zip(0..).collect(),
            keys,
            locks,
            seed: 1,
        }
    }

    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.seed >> 33
    }

    fn key_of(&self, coin: &Coin) -> &Keypair {
        let Lock::Key(KeyBytes(key)) = &coin.output.lock else { panic!("every coin is one of ours") };
        &self.keys[self.places[key]]
    }

    /// Splits large coins until there are so many small ones.
    pub fn fan_out(&mut self, coins: usize) {
        const OUTPUTS: u32 = 3_000;
        while self.coins.len() < coins {
            let coin = self.coins.pop_front().expect("the genesis block gave enough");
            let fee = 200_000_000;
            let amount = Amount((coin.1.output.amount.0 - fee) / u64::from(OUTPUTS));
            let outputs = (0..OUTPUTS).map(|n| Output { amount, lock: self.locks[(n % KEYS) as usize] }).collect();
            let transaction = sign(&self.genesis, &[self.key_of(&coin.1)], &[coin], outputs);
            self.block(vec![(transaction, None)]);
        }
    }

    /// Coin transactions with one and two inputs in turn and two outputs each, of coins drawn at random.
    pub fn coin_transactions(&mut self, count: usize) -> Vec<Transaction> {
        (0..count).map(|number| self.coin_transaction(1 + number % 2)).collect()
    }

    fn coin_transaction(&mut self, inputs: usize) -> Transaction {
        let mut drawn = Vec::with_capacity(inputs);
        while drawn.len() < inputs {
            let at = self.random() as usize % self.coins.len();
            let coin = self.coins.swap_remove_back(at).expect("the index is in range");
            if coin.1.output.amount.0 > 4 * self.fee {
                drawn.push(coin);
            }
        }
        let total: u64 = drawn.iter().map(|(_, coin)| coin.output.amount.0).sum();
        let half = Amount((total - self.fee) / 2);
        let outputs = (0..2).map(|_| self.random() as usize % self.keys.len()).collect::<Vec<_>>();
        let outputs = outputs.into_iter().map(|key| Output { amount: half, lock: self.locks[key] }).collect();
        let keys: Vec<&Keypair> = drawn.iter().map(|(_, coin)| self.key_of(coin)).collect();
        sign(&self.genesis, &keys, &drawn, outputs)
    }

    /// Mines a block of these transactions; the coins that it makes can be drawn by later ones.
    ///
    /// # Panics
    /// If the block breaks a rule.
    pub fn block(&mut self, transactions: Vec<(Transaction, Option<Address>)>) {
        let executed = self.execute(transactions);
        let effects = executed.effects();
        self.gas_used = effects.gas_used;
        self.base_fee = executed.context().base_fee;
        self.coins.extend(effects.created.iter().filter(|(_, coin)| !coin.coinbase));
        self.blocks.push(executed.block().block().clone());
        self.store.connect(&executed).expect("memory can be written");
        self.store.flush().expect("memory can be written");
    }

    fn execute(&mut self, transactions: Vec<(Transaction, Option<Address>)>) -> ExecutedBlock {
        let base_fee = match self.blocks.is_empty() {
            true => self.spec.initial_base_fee,
            false => next_base_fee(&self.spec, self.base_fee, self.gas_used),
        };
        let bits = self.tip.next_bits(&self.spec);
        let time = self.spec.genesis_time + self.tip.height * self.spec.target_interval;
        let header = Header { version: 1, prev: self.tip.hash, merkle_root: [0; 32], time, bits, nonce: 0 };
        let context = BlockContext::new(self.genesis, self.tip.height + 1, base_fee, &header);
        let context = context.expect("the rule gives bits");
        let view = self.store.view();
        let mut builder =
            BlockBuilder::new(&self.spec, context.clone(), &view, Address::ZERO).expect("memory can be read");
        let senders: Vec<Address> = transactions.iter().filter_map(|(_, sender)| *sender).collect();
        for (transaction, sender) in &transactions {
            builder.push(transaction, *sender).expect("the load keeps the rules");
        }
        let (transactions, _) = builder.finish(self.locks[0], Vec::new()).expect("the payout is sound");
        let leaves: Vec<[u8; 32]> = transactions.iter().map(merkle::leaf).collect();
        let (merkle_root, time) = (merkle::root(&leaves), context.time);
        let header = Header { version: 1, prev: self.tip.hash, merkle_root, time, bits, nonce: 0 };
        let mut block = Block { header, transactions };
        grind(&mut block);
        self.tip = self.tip.child(&self.spec, &block.header, u64::from(time)).expect("the header keeps the rules");
        let checked = check_block(&self.spec, block).expect("the block is sound");
        let pending =
            execute_block(&self.spec, &context, &view, checked, &senders).expect("the builder kept the rules");
        let verdicts = vec![true; pending.checks().len()];
        pending.confirm(&verdicts).expect("every verdict is given")
    }
}

impl Default for Load {
    fn default() -> Self {
        Self::new()
    }
}
