//! Loads for benchmarks: chains of full blocks, made ahead of what is measured.

use chain_core::{
    Address,
    block::Block,
    hash::BlockHash,
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

use crate::{BlockMaker, NamedCoin, sign::sign_fast};

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
    maker: BlockMaker,
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
    Lock::Key(KeyBytes::of(key))
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
        Self::on(crate::spec(), 100, Amount::from_grains(5_000 * GRAINS_PER_CRN))
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
        let (_, effects) = spec.genesis_block();
        Self {
            maker: BlockMaker::new(spec.clone()),
            blocks: Vec::new(),
            fee: 10_000,
            coins: effects.created.into_iter().collect(),
            spec,
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
            let amount = Amount::from_grains((coin.1.output.amount.grains() - fee) / u64::from(OUTPUTS));
            let outputs = (0..OUTPUTS).map(|n| Output { amount, lock: self.locks[(n % KEYS) as usize] }).collect();
            let transaction = sign(&self.maker.genesis, &[self.key_of(&coin.1)], &[coin], outputs);
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
            if coin.1.output.amount.grains() > 4 * self.fee {
                drawn.push(coin);
            }
        }
        let total: u64 = drawn.iter().map(|(_, coin)| coin.output.amount.grains()).sum();
        let half = Amount::from_grains((total - self.fee) / 2);
        let outputs = (0..2).map(|_| self.random() as usize % self.keys.len()).collect::<Vec<_>>();
        let outputs = outputs.into_iter().map(|key| Output { amount: half, lock: self.locks[key] }).collect();
        let keys: Vec<&Keypair> = drawn.iter().map(|(_, coin)| self.key_of(coin)).collect();
        sign(&self.maker.genesis, &keys, &drawn, outputs)
    }

    /// Mines a block of these transactions; the coins that it makes can be drawn by later ones.
    ///
    /// # Panics
    /// If the block breaks a rule.
    pub fn block(&mut self, transactions: Vec<(Transaction, Option<Address>)>) {
        let time = self.spec.genesis_time + self.maker.tip.height * self.spec.target_interval;
        let executed = self.maker.block(&transactions, time, self.locks[0]).expect("the load keeps the rules");
        self.coins.extend(executed.effects().created.iter().filter(|(_, coin)| !coin.coinbase));
        self.blocks.push(executed.block().block().clone());
    }
}

impl Default for Load {
    fn default() -> Self {
        Self::new()
    }
}
