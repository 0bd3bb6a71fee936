//! The test chain of execution-apis on Cairn: its genesis as a chain spec, and its blocks made anew.

use alloy_primitives::{Address, B256, Bytes, U256};
use cairn_tests::BlockMaker;
use chain_core::{
    block::Block,
    execute::HISTORY,
    fees::next_base_fee,
    spec::{ChainSpec, GenesisAccount, StorageWord},
    transaction::{
        Transaction,
        coin::{KeyBytes, Lock},
    },
    units::{Amount, GRAINS_PER_CRN},
};
use serde_json::Value;
use std::{collections::HashSet, error::Error};

use crate::original::{self, Original};

/// Balances are cut to so many CRN: those of the test chain are beyond all money that Cairn's coins can count.
const MOST_BALANCE: u64 = 1_000_000_000;

/// The chain that the node is to serve.
pub struct Replay {
    pub spec: ChainSpec,
    pub blocks: Vec<Block>,
    /// How many transactions they hold.
    pub transactions: usize,
    pub names: Names,
    gas_used: Vec<u64>,
}

/// Hashes of the test chain and what they are called here, and the other way round.
#[derive(Default)]
pub struct Names {
    /// On the test chain and here, both without 0x.
    pairs: Vec<(String, String)>,
    /// Those on the test chain of the transactions that were signed anew.
    anew: HashSet<String>,
}

impl Names {
    fn insert(&mut self, original: B256, here: &str) {
        self.pairs.push((hex::encode(original), here.to_owned()));
    }

    /// A text in the words of this node.
    pub fn here(&self, text: &str) -> String {
        self.pairs.iter().fold(text.to_owned(), |text, (original, here)| text.replace(original, here))
    }

    /// A text of this node in the words of the test chain.
    pub fn original(&self, text: &str) -> String {
        self.pairs.iter().fold(text.to_owned(), |text, (original, here)| text.replace(here, original))
    }

    /// Whether the transaction of this hash, as JSON has it, is another one here.
    pub fn is_anew(&self, hash: &str) -> bool {
        self.anew.contains(hash.trim_start_matches("0x"))
    }

    /// How many transactions were signed anew.
    pub fn count_anew(&self) -> usize {
        self.anew.len()
    }
}

impl Replay {
    /// Makes the chain of genesis.json and chain.rlp.
    pub fn new(genesis: &Value, chain: &[u8]) -> Result<Self, Box<dyn Error>> {
        let originals = original::blocks(chain)?;
        let last = originals.last().ok_or("chain.rlp has no blocks")?.base_fee;
        // The gas of the blocks does not depend on the fees, so that there is an initial fee which ends in that of the last block.
        let trial = Self::of(spec(genesis, u64::from(u32::MAX))?, &originals)?;
        let initial = initial_fee(&trial, last).ok_or("no initial base fee leads to that of the last block")?;
        Self::of(spec(genesis, initial)?, &originals)
    }

    fn of(spec: ChainSpec, originals: &[Original]) -> Result<Self, Box<dyn Error>> {
        let key = original::key();
        let mut maker = BlockMaker::new(spec.clone());
        let mut replay =
            Self { spec, blocks: Vec::new(), transactions: 0, names: Names::default(), gas_used: Vec::new() };
        for original in originals {
            if original.number == 1 {
                replay.names.insert(original.parent, &maker.genesis.to_string());
            }
            let held = original.hold(replay.spec.chain_id, maker.base_fee(), &key)?;
            let mut transactions = Vec::new();
            for one in held {
                if one.transaction.hash() != one.original {
                    replay.names.insert(one.original, &hex::encode(one.transaction.hash()));
                    replay.names.anew.insert(hex::encode(one.original));
                }
                let sender = one.transaction.recover_sender()?;
                transactions.push((Transaction::Account(one.transaction), Some(sender)));
            }
            let executed = maker
                .block(&transactions, original.time, Lock::Key(KeyBytes([0; 32])))
                .map_err(|error| format!("block {} of chain.rlp: {error}", original.number))?;
            replay.names.insert(original.hash, &maker.tip.hash.to_string());
            replay.blocks.push(executed.block().block().clone());
            replay.gas_used.push(executed.effects().gas_used);
            replay.transactions += transactions.len();
        }
        Ok(replay)
    }

    /// The base fee of the last block after this one of the first.
    fn last_fee(&self, initial: u64) -> u64 {
        let before_last = self.gas_used.split_last().map_or(&[][..], |(_, before)| before);
        before_last.iter().fold(initial, |fee, used| next_base_fee(&self.spec, fee, *used))
    }
}

/// The least initial base fee after which the last block has this one: it grows with the initial one.
fn initial_fee(trial: &Replay, last: u64) -> Option<u64> {
    let (mut low, mut high) = (0, 1_000_000_000_000_000);
    while low < high {
        let middle = low + (high - low) / 2;
        if trial.last_fee(middle) < last { low = middle + 1 } else { high = middle }
    }
    (trial.last_fee(low) == last).then_some(low)
}

/// What of genesis.json a spec can hold.
fn spec(genesis: &Value, initial_base_fee: u64) -> Result<ChainSpec, Box<dyn Error>> {
    let mut accounts = Vec::new();
    for (address, account) in genesis["alloc"].as_object().ok_or("genesis.json has no alloc")? {
        let account = genesis_account(address, account)?;
        // It stands in every genesis block of Cairn.
        if account.address != HISTORY {
            accounts.push(account);
        }
    }
    // An account of neither balance nor nonce nor code does not exist.
    accounts.retain(|account| account.nonce > 0 || !account.balance.is_zero() || !account.code.is_empty());
    accounts.sort_by_key(|account| account.address);
    let spec = ChainSpec {
        name: "rpc-compat".into(),
        chain_id: genesis["config"]["chainId"].as_u64().ok_or("genesis.json has no chain id")?,
        hrp: "compat".into(),
        // What geth leaves between simulated blocks.
        target_interval: 12,
        // That of the blocks from London on; before it was half of that.
        gas_limit: 200_000_000,
        // Ethereum's fee sinks to 7 wei, Cairn's to the floor.
        base_fee_floor: 1,
        initial_base_fee,
        // A coinbase that pays coins uses gas.
        subsidy: Amount::ZERO,
        tail_subsidy: Amount::ZERO,
        genesis_time: 0,
        alloc_coins: Vec::new(),
        alloc_accounts: accounts,
        ..ChainSpec::dev()
    };
    spec.validate()?;
    Ok(spec)
}

fn genesis_account(address: &str, account: &Value) -> Result<GenesisAccount, Box<dyn Error>> {
    let word = |text: &str| U256::from_str_radix(text.trim_start_matches("0x"), 16);
    let code: Bytes = account["code"].as_str().unwrap_or_default().parse()?;
    let mut storage = Vec::new();
    // Here an account without code has no storage.
    for (slot, value) in account["storage"].as_object().into_iter().flatten().filter(|_| !code.is_empty()) {
        storage.push((StorageWord(word(slot)?), StorageWord(word(value.as_str().unwrap_or_default())?)));
    }
    storage.sort();
    let balance = word(account["balance"].as_str().unwrap_or("0x0"))?;
    let nonce = word(account["nonce"].as_str().unwrap_or("0x0"))?;
    Ok(GenesisAccount {
        address: address.parse::<Address>()?,
        balance: balance.min(Amount::from_grains(MOST_BALANCE * GRAINS_PER_CRN).to_wei()),
        nonce: u64::try_from(nonce)?,
        code,
        storage,
    })
}
