//! What the node answers, as docs/rpc.md describes it. Unknown fields are ignored, so that nodes may say more.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::{
    hash::{BlockHash, TxId},
    transaction::coin::OutPoint,
    units::{Amount, Height},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::network::Network;

/// Answer of `chain_getInfo`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainInfo {
    /// Name of the chain.
    pub chain: String,
    pub chain_id: u64,
    /// Prefix of coin addresses.
    pub hrp: String,
    /// Hash of the genesis block.
    #[serde(with = "crate::text")]
    pub genesis: BlockHash,
    /// Time of the tip, in seconds since 1970.
    pub time: u64,
    /// Height of the tip.
    pub height: Height,
    /// Height of the best header known.
    pub headers: Height,
    /// Whether the node is still syncing.
    pub syncing: bool,
    /// Blocks before a coinbase's coins can be spent.
    pub coinbase_maturity: u32,
    pub target_interval: u32,
}

impl ChainInfo {
    /// The chain that the node is on.
    pub fn network(&self) -> Network {
        Network { name: self.chain.clone(), chain_id: self.chain_id, hrp: self.hrp.clone(), genesis: self.genesis }
    }
}

/// A page of `coin_getCoins`.
#[derive(Clone, Debug, Deserialize)]
pub struct CoinsPage {
    /// Coins of the page.
    pub coins: Vec<NodeCoin>,
    /// Where the next page starts.
    pub next: Option<Value>,
}

/// An unspent coin.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeCoin {
    /// The transaction that made it.
    #[serde(with = "crate::text")]
    pub txid: TxId,
    /// Which of its outputs.
    pub index: u32,
    /// What it is worth.
    pub amount: Amount,
    pub address: String,
    /// Height of the block that made it; nothing for one of the mempool.
    pub height: Option<Height>,
    /// Whether a coinbase made it.
    pub coinbase: bool,
    /// Whether the next block may spend it.
    pub mature: bool,
    /// The transaction of the mempool that spends it.
    #[serde(default, with = "crate::text::option")]
    pub spent_by: Option<TxId>,
}

impl NodeCoin {
    /// What names it.
    pub fn outpoint(&self) -> OutPoint {
        OutPoint { txid: self.txid, index: self.index }
    }
}

/// Answer of `coin_getBalance`, in grains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoinBalance {
    /// Mature coins of the chain.
    pub confirmed: Amount,
    /// Coins of coinbases below maturity.
    pub immature: Amount,
    /// Coins that the mempool makes.
    pub pending_in: Amount,
    /// Coins of the chain that the mempool spends.
    pub pending_out: Amount,
    pub coins: u64,
}

impl CoinBalance {
    /// Adds two balances; nothing if a sum does not fit.
    pub fn plus(self, other: Self) -> Option<Self> {
        Some(Self {
            confirmed: self.confirmed.add(other.confirmed).ok()?,
            immature: self.immature.add(other.immature).ok()?,
            pending_in: self.pending_in.add(other.pending_in).ok()?,
            pending_out: self.pending_out.add(other.pending_out).ok()?,
            coins: self.coins.checked_add(other.coins)?,
        })
    }
}

/// Answer of `coin_estimateFee`, in wei a unit of gas.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeeEstimate {
    /// Base fee of the next block.
    pub base_fee: u64,
    /// Most that it can be in the block after that.
    pub next_base_fee_max: u64,
    pub tip_per_gas: Tips,
    /// By how much a replacement must pay more.
    pub min_replacement_percent: u64,
}

/// Tips by urgency, in wei a unit of gas.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tips {
    pub slow: u64,
    /// Within a few blocks.
    pub normal: u64,
    /// In the next block.
    pub fast: u64,
}

/// Answer of `coin_getTransaction`, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TransactionStatus {
    /// Height of its block; nothing while in the mempool.
    pub height: Option<Height>,
    /// Blocks that contain or bury it.
    pub confirmations: u64,
    /// `false` for an account transaction that reverted.
    pub success: Option<bool>,
}

/// What a transaction of coins takes and pays.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TransactionDetails {
    pub gas: u64,
    /// Its fee in grains.
    pub fee: Option<Amount>,
    #[serde(default)]
    pub outputs: Vec<PaidOutput>,
}

/// An output of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PaidOutput {
    pub amount: Amount,
    pub address: String,
}

/// A page of a history.
#[derive(Clone, Debug, Deserialize)]
pub struct Page<T> {
    pub entries: Vec<T>,
    /// Where the next page starts.
    pub next: Option<Value>,
}

/// What every entry of a history says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct EntryHead {
    #[serde(with = "crate::text")]
    pub txid: TxId,
    /// Height of its block.
    pub height: Option<Height>,
    /// Time of its block.
    pub time: Option<u64>,
    /// Blocks that contain or bury it.
    pub confirmations: u64,
    /// What kind of transaction it is.
    pub kind: String,
}

/// What one transaction did to one address of coins.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct CoinEntry {
    /// Its kind is `coinbase`, `coin` or `withdrawal`.
    #[serde(flatten)]
    pub head: EntryHead,
    /// Grains paid to the address.
    pub received: Amount,
    /// Grains taken from it.
    pub sent: Amount,
}

impl Page<AccountEntry> {
    /// What entries of the mempool pay to the account.
    pub fn arriving(&self) -> U256 {
        let paid = self.entries.iter().filter(|entry| entry.head.height.is_none() && entry.direction == "in");
        paid.fold(U256::ZERO, |sum, entry| sum.saturating_add(entry.value_wei))
    }
}

/// What one transaction did to one account.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountEntry {
    /// Its kind is `transfer`, `call`, `create`, `deposit`, `withdrawal` or `reward`.
    #[serde(flatten)]
    pub head: EntryHead,
    /// `in`, `out` or `self`.
    pub direction: String,
    /// The value, in wei.
    #[serde(with = "crate::text")]
    pub value_wei: U256,
    /// The fee, in wei, where known.
    #[serde(default, with = "crate::text::option")]
    pub fee_wei: Option<U256>,
    /// `false` if it reverted.
    pub success: Option<bool>,
}

/// What the chain and the mempool say of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// Its balance in wei.
    pub balance: U256,
    /// Its transactions that are not mined yet.
    pub pending: u64,
}

/// A transaction that is tried without being sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// Who would send it.
    pub from: Address,
    /// Who would be called; none if a contract would be created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Address>,
    /// The value in wei.
    pub value: U256,
    /// Calldata, or the code that makes a contract.
    pub input: Bytes,
}

/// What came of an account transaction.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Gas that it used.
    pub gas_used: U256,
    /// Wei that it paid for each.
    pub effective_gas_price: U256,
    /// The contract that it made.
    pub contract_address: Option<Address>,
    /// Events that its code emitted.
    pub logs: Vec<Log>,
}

impl Receipt {
    /// What it paid for its gas, in wei.
    pub fn fee(&self) -> U256 {
        self.gas_used.saturating_mul(self.effective_gas_price)
    }
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Log {
    pub address: Address,
    /// What it can be found by; the first names the event.
    pub topics: Vec<B256>,
    pub data: Bytes,
}

/// How the outermost call of a mined transaction ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CallTrace {
    /// What went wrong; nothing if it succeeded.
    pub error: Option<String>,
    #[serde(default)]
    pub output: Bytes,
}
