//! Keys and hand-made coin transactions, for what no honest wallet would send.

use chain_core::{
    address, codec,
    hash::BlockHash,
    transaction::{
        Transaction,
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Output, Signature, Witness},
        sighash::sighash,
    },
    units::Amount,
};
use secp256k1::Keypair;
use serde_json::{Value, json};

use crate::Rpc;

/// A key that owns coins.
pub struct TestKey {
    pair: Keypair,
    hrp: String,
}

/// A coin with its name.
pub type NamedCoin = (OutPoint, Coin);

impl TestKey {
    /// The key number `number` of a network.
    ///
    /// # Panics
    /// If the number is 0.
    pub fn new(number: u8, hrp: &str) -> Self {
        let pair = Keypair::from_secret_bytes([number; 32]).expect("small numbers are keys");
        Self { pair, hrp: hrp.to_owned() }
    }

    /// Its lock.
    pub fn lock(&self) -> Lock {
        Lock::Key(KeyBytes::of(&self.pair))
    }

    /// Its address.
    pub fn address(&self) -> String {
        address::encode(&self.hrp, &self.lock())
    }

    /// Its mature, unspent coins on the chain.
    ///
    /// # Panics
    /// If the node's answer is not as documented.
    pub fn coins(&self, rpc: &Rpc) -> Vec<NamedCoin> {
        self.coins_or_none(rpc).expect("the node answers")
    }

    /// As [`TestKey::coins`]; `None` if the node does not answer.
    ///
    /// # Panics
    /// If the node's answer is not as documented.
    pub fn coins_or_none(&self, rpc: &Rpc) -> Option<Vec<NamedCoin>> {
        let answer = rpc.try_call("coin_getCoins", json!([self.address(), {"mempool": false}])).ok()?;
        let coins = answer["coins"].as_array().expect("a list of coins");
        Some(coins.iter().filter(|coin| coin["mature"] == true).map(|coin| self.coin(coin)).collect())
    }

    fn coin(&self, coin: &Value) -> NamedCoin {
        let number = |key: &str| coin[key].as_u64().unwrap_or_else(|| panic!("no {key} in {coin}"));
        let txid = coin["txid"].as_str().expect("a txid is text").parse().expect("it is hex");
        let index = u32::try_from(number("index")).expect("indexes are small");
        let output = Output { amount: Amount::from_grains(number("amount")), lock: self.lock() };
        let height = u32::try_from(number("height")).expect("heights are small");
        (OutPoint { txid, index }, Coin { output, height, coinbase: coin["coinbase"] == true })
    }

    /// Spends coins to outputs; what is left over is the fee.
    pub fn spend(&self, genesis: &BlockHash, coins: &[NamedCoin], outputs: Vec<Output>) -> Transaction {
        let inputs = coins.iter().map(|(outpoint, _)| *outpoint).collect();
        let spent: Vec<Coin> = coins.iter().map(|(_, coin)| *coin).collect();
        let mut transaction = CoinTransaction { inputs, outputs, witnesses: Vec::new() };
        let message = sighash(genesis, &transaction, &spent);
        let sign = |input: u32| self.pair.sign_schnorr_no_aux_rand(&message(input)).to_byte_array();
        let inputs = u32::try_from(coins.len()).expect("tests spend few coins");
        transaction.witnesses = (0..inputs).map(|input| Witness::Key(Signature::from(sign(input)))).collect();
        Transaction::Coin(transaction)
    }
}

/// Hands in a transaction.
///
/// # Errors
/// The node's refusal.
pub fn send(rpc: &Rpc, transaction: &Transaction) -> Result<Value, crate::RpcError> {
    rpc.try_call("coin_sendRawTransaction", json!([hex::encode(codec::encode(transaction))]))
}

/// Calls of one request: as many as a node takes by default.
const BATCH: usize = 100;

/// Hands in transactions, many in a request; answers as the node did, in their order.
///
/// # Panics
/// If the node does not answer.
pub fn send_all(rpc: &Rpc, transactions: &[Transaction]) -> Vec<Result<Value, crate::RpcError>> {
    let params = |transaction: &Transaction| json!([hex::encode(codec::encode(transaction))]);
    let send = |batch: &[Transaction]| {
        let answers = rpc.batch("coin_sendRawTransaction", batch.iter().map(params).collect());
        answers.expect("the node answers")
    };
    transactions.chunks(BATCH).flat_map(send).collect()
}

/// The chain's genesis hash.
///
/// # Panics
/// If the node does not say.
pub fn genesis(rpc: &Rpc) -> BlockHash {
    let info = rpc.call("chain_getInfo", json!([]));
    info["genesis"].as_str().expect("a hash is text").parse().expect("it is a hash")
}
