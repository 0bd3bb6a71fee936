//! The node's JSON-RPC, as far as a wallet needs it.

mod cookie;
mod types;

use std::{cell::Cell, path::Path, time::Duration};

use alloy_primitives::{Address, Bytes, U256};
use chain_core::{
    hash::{BlockHash, TxId},
    units::Height,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use self::cookie::Cookie;
pub use self::types::{
    AccountEntry, AccountPage, CallTrace, ChainInfo, CoinBalance, CoinEntry, CoinPage, CoinsPage, FeeEstimate, Log,
    NodeCoin, Receipt, Tips, TransactionDetails, TransactionStatus, Trial,
};

/// Largest answer that is read: what a node sends at most, and some.
const MAX_ANSWER: u64 = 40 << 20;

/// Calls in one batch; a node takes 100.
const BATCH: usize = 100;

/// Addresses in one call; a node takes 1,000.
const ADDRESSES: usize = 1_000;

/// Pages that are read of one list before the node is taken for broken.
const PAGES: usize = 1_000;

/// Entries of an account's history among which those of the mempool are looked for: they come first.
const PENDING: u32 = 200;

/// Why a node does not answer as it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The address is no `http://host:port`.
    #[error("'{url}' is not the address of a node: {reason}")]
    BadUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody there.
    #[error("no node answers at {url}: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// What the system says.
        reason: String,
    },
    /// Somebody else answers there.
    #[error("what answers at {url} is no Cairn node: {reason}")]
    NotANode {
        /// Where.
        url: String,
        /// What shows it.
        reason: String,
    },
    /// The node refuses a call.
    #[error("the node refused {method}: {message}")]
    Refused {
        /// The method.
        method: String,
        /// JSON-RPC error code.
        code: i64,
        /// The node's words.
        message: String,
        /// `data.reason` of refused transactions.
        reason: Option<String>,
        /// What reverted code answered.
        output: Option<Bytes>,
    },
    /// An answer of the wrong shape.
    #[error("the node's answer to {method} makes no sense: {reason}")]
    BadAnswer {
        /// The method.
        method: String,
        /// What is wrong.
        reason: String,
    },
}

/// A node behind a URL.
pub struct Node {
    url: String,
    cookie: Cookie,
    agent: ureq::Agent,
    next_id: Cell<u64>,
}

#[derive(Deserialize)]
struct Answer {
    id: Value,
    result: Option<Value>,
    error: Option<AnswerError>,
}

#[derive(Deserialize)]
struct AnswerError {
    code: i64,
    message: String,
    data: Option<Value>,
}

impl Node {
    /// A node at `http://host:port`, and the file with its cookie if it is not where a node of this user leaves it; nothing
    /// is sent yet.
    ///
    /// # Errors
    /// [`NodeError::BadUrl`].
    pub fn new(url: &str, cookie: Option<&Path>) -> Result<Self, NodeError> {
        let bad = |reason: &str| NodeError::BadUrl { url: url.into(), reason: reason.into() };
        if url.starts_with("https://") {
            return Err(bad("this wallet speaks plain http; reach a distant node through a tunnel (ssh -L)"));
        }
        let uri: ureq::http::Uri = url.parse().map_err(|_| bad("it is no URL"))?;
        if uri.scheme_str() != Some("http") || uri.host().is_none_or(str::is_empty) {
            return Err(bad("write it like http://127.0.0.1:8545"));
        }
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(Duration::from_secs(60)))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent("cairn-wallet")
            .build()
            .new_agent();
        Ok(Self { url: url.into(), cookie: Cookie::find(url, cookie), agent, next_id: Cell::new(1) })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn post(&self, body: &Value) -> Result<Value, NodeError> {
        let not_a_node = |reason: String| NodeError::NotANode { url: self.url.clone(), reason };
        let mut post = self.agent.post(&self.url);
        if let Some(cookie) = self.cookie.header() {
            post = post.header("authorization", cookie);
        }
        let mut response = post.send_json(body).map_err(|error| self.transport(&error))?;
        let status = response.status();
        let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
        let text = text.map_err(|error| self.transport(&error))?;
        serde_json::from_str(&text).map_err(|_| match status.as_u16() {
            200 => not_a_node("its answer is no JSON".into()),
            403 => not_a_node(format!("it refuses this host name (HTTP 403: {})", text.trim())),
            code => not_a_node(format!("HTTP status {code}")),
        })
    }

    fn transport(&self, error: &ureq::Error) -> NodeError {
        let url = self.url.clone();
        match error {
            ureq::Error::Io(error) => NodeError::Unreachable { url, reason: error.to_string() },
            ureq::Error::ConnectionFailed | ureq::Error::HostNotFound | ureq::Error::Timeout(_) => {
                NodeError::Unreachable { url, reason: error.to_string() }
            }
            other => NodeError::NotANode { url, reason: other.to_string() },
        }
    }

    fn envelope(&self, method: &str, params: Value) -> Value {
        let id = self.next_id.replace(self.next_id.get() + 1);
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }

    /// Calls a method and reads its answer.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, NodeError> {
        let request = self.envelope(method, params);
        let answer: Answer = serde_json::from_value(self.post(&request)?).map_err(|_| NodeError::NotANode {
            url: self.url.clone(),
            reason: "it does not speak JSON-RPC 2.0".into(),
        })?;
        if answer.id != request["id"] && answer.error.is_none() {
            return Err(bad_answer(method, "it answers another call"));
        }
        read_answer(method, answer)
    }

    /// Calls one method with many parameters; answers come in their order.
    ///
    /// # Errors
    /// [`NodeError`]; one refused call refuses all.
    pub fn call_many<T: DeserializeOwned>(&self, method: &str, params: Vec<Value>) -> Result<Vec<T>, NodeError> {
        let mut results = Vec::with_capacity(params.len());
        for chunk in params.chunks(BATCH) {
            let requests: Vec<Value> = chunk.iter().map(|params| self.envelope(method, params.clone())).collect();
            let answers = self.post(&Value::Array(requests.clone()))?;
            let mut answers: Vec<Answer> =
                serde_json::from_value(answers).map_err(|_| bad_answer(method, "it is no list of answers"))?;
            for request in &requests {
                let position = answers.iter().position(|answer| answer.id == request["id"]);
                let position = position.ok_or_else(|| bad_answer(method, "an answer is missing"))?;
                results.push(read_answer(method, answers.swap_remove(position))?);
            }
        }
        Ok(results)
    }

    /// What the node says of its chain.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn info(&self) -> Result<ChainInfo, NodeError> {
        let info: ChainInfo = self.call("chain_getInfo", json!([])).map_err(|error| match error {
            NodeError::Refused { code: -32601, .. } => {
                let reason = "it does not know chain_getInfo; is it an Ethereum node?".into();
                NodeError::NotANode { url: self.url.clone(), reason }
            }
            other => other,
        })?;
        // The name becomes part of a path, the prefix part of addresses.
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if info.chain.is_empty() || info.chain.len() > 64 || !info.chain.chars().all(plain) {
            return Err(bad_answer("chain_getInfo", "that is no name of a chain"));
        }
        if !chain_core::address::is_valid_prefix(&info.hrp) {
            return Err(bad_answer("chain_getInfo", "that is no prefix of addresses"));
        }
        Ok(info)
    }

    /// All unspent coins of these addresses, those of the mempool included.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn coins(&self, addresses: &[String]) -> Result<Vec<NodeCoin>, NodeError> {
        let mut coins = Vec::new();
        for chunk in addresses.chunks(ADDRESSES) {
            let mut cursor = Value::Null;
            for page_number in 0.. {
                let options = json!({ "mempool": true, "cursor": cursor });
                let page: CoinsPage = self.call("coin_getCoins", json!([chunk, options]))?;
                coins.extend(page.coins);
                match page.next {
                    Some(next) if page_number < PAGES => cursor = next,
                    Some(_) => return Err(bad_answer("coin_getCoins", "its list has no end")),
                    None => break,
                }
            }
        }
        Ok(coins)
    }

    /// What these addresses hold together.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn coin_balance(&self, addresses: &[String]) -> Result<CoinBalance, NodeError> {
        let chunks = addresses.chunks(ADDRESSES).map(|chunk| json!([chunk])).collect();
        let parts: Vec<CoinBalance> = self.call_many("coin_getBalance", chunks)?;
        parts
            .into_iter()
            .try_fold(CoinBalance::default(), CoinBalance::plus)
            .ok_or_else(|| bad_answer("coin_getBalance", "the sum is more money than there can be"))
    }

    /// Has the node mine, and pay these two for its blocks.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn mine_for(&self, address: &str, account: &str, threads: Option<u32>) -> Result<(), NodeError> {
        self.call::<bool>("miner_setAddress", json!([address, account]))?;
        self.call::<bool>("miner_start", json!([threads])).map(drop)
    }

    /// Has the node stop mining.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn stop_mining(&self) -> Result<(), NodeError> {
        self.call::<bool>("miner_stop", json!([])).map(drop)
    }

    /// What gas costs.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn fees(&self) -> Result<FeeEstimate, NodeError> {
        self.call("coin_estimateFee", json!([]))
    }

    /// Hands in a transaction of any kind; answers its identifier.
    ///
    /// # Errors
    /// [`NodeError::Refused`] with the rule that it breaks.
    pub fn send(&self, encoded: &[u8]) -> Result<TxId, NodeError> {
        let text: String = self.call("coin_sendRawTransaction", json!([hex::encode(encoded)]))?;
        text.parse().map_err(|_| bad_answer("coin_sendRawTransaction", "it is no transaction id"))
    }

    /// What has become of a transaction; nothing if the node does not know it.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn transaction(&self, txid: &TxId) -> Result<Option<TransactionStatus>, NodeError> {
        self.call("coin_getTransaction", json!([txid.to_string()]))
    }

    /// What a transaction takes and pays; nothing if the node does not know it.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn details(&self, txid: &TxId) -> Result<Option<TransactionDetails>, NodeError> {
        self.call("coin_getTransaction", json!([txid.to_string()]))
    }

    /// Balance of an account in wei.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn balance(&self, account: &Address) -> Result<U256, NodeError> {
        self.call("eth_getBalance", json!([account.to_string(), "latest"]))
    }

    /// Nonce of an account's next transaction, the mempool included or not.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn nonce(&self, account: &Address, pending: bool) -> Result<u64, NodeError> {
        let tag = if pending { "pending" } else { "latest" };
        let nonce: U256 = self.call("eth_getTransactionCount", json!([account.to_string(), tag]))?;
        u64::try_from(nonce).map_err(|_| bad_answer("eth_getTransactionCount", "it does not fit in 64 bits"))
    }

    /// Whether each account ever sent or holds something, the mempool included.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn accounts_used(&self, accounts: &[Address]) -> Result<Vec<bool>, NodeError> {
        let params = |tag: &str| accounts.iter().map(|account| json!([account.to_string(), tag])).collect();
        let nonces: Vec<U256> = self.call_many("eth_getTransactionCount", params("pending"))?;
        let balances: Vec<U256> = self.call_many("eth_getBalance", params("latest"))?;
        Ok(nonces.iter().zip(&balances).map(|(nonce, balance)| !nonce.is_zero() || !balance.is_zero()).collect())
    }

    /// What transactions that wait for a block pay to an account; nothing if the node keeps no index.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn arriving(&self, account: &Address) -> Result<U256, NodeError> {
        let params = json!([account.to_string(), { "limit": PENDING }]);
        let page: AccountPage = match self.call("chain_getAccountHistory", params) {
            Err(NodeError::Refused { code: -32002, .. }) => return Ok(U256::ZERO),
            other => other?,
        };
        Ok(page.arriving())
    }

    /// Hash of the block at a height; nothing above the tip.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn block_hash(&self, height: Height) -> Result<Option<BlockHash>, NodeError> {
        match self.call::<String>("chain_getBlockHash", json!([height])) {
            Err(NodeError::Refused { code: -32001, .. }) => Ok(None),
            other => {
                let parsed = other?.parse().map_err(|_| bad_answer("chain_getBlockHash", "it is not a hash"));
                parsed.map(Some)
            }
        }
    }

    /// Gas that a transaction would need; nothing if the node does not estimate.
    ///
    /// # Errors
    /// [`NodeError::Refused`] if it would fail.
    pub fn estimate_gas(&self, trial: &Trial) -> Result<Option<u64>, NodeError> {
        let gas: U256 = match self.call("eth_estimateGas", json!([trial])) {
            Err(NodeError::Refused { code: -32601, .. }) => return Ok(None),
            other => other?,
        };
        u64::try_from(gas).map(Some).map_err(|_| bad_answer("eth_estimateGas", "it does not fit in 64 bits"))
    }

    /// What a transaction would answer at the tip. Nothing changes.
    ///
    /// # Errors
    /// [`NodeError::Refused`] with code 3 if it would revert.
    pub fn try_out(&self, trial: &Trial) -> Result<Bytes, NodeError> {
        self.call("eth_call", json!([trial, "latest"]))
    }

    /// What came of an account transaction, once it is mined.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn receipt(&self, txid: &TxId) -> Result<Option<Receipt>, NodeError> {
        self.call("eth_getTransactionReceipt", json!([format!("0x{txid}")]))
    }

    /// How the outermost call of a mined transaction ended.
    ///
    /// # Errors
    /// [`NodeError`], also if the node does not serve `debug`.
    pub fn trace(&self, txid: &TxId) -> Result<CallTrace, NodeError> {
        let options = json!({ "tracer": "callTracer", "tracerConfig": { "onlyTopCall": true } });
        self.call("debug_traceTransaction", json!([format!("0x{txid}"), options]))
    }

    /// Whether an account has code.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn has_code(&self, account: &Address) -> Result<bool, NodeError> {
        let code: Bytes = self.call("eth_getCode", json!([account.to_string(), "latest"]))?;
        Ok(!code.is_empty())
    }
}

fn bad_answer(method: &str, reason: &str) -> NodeError {
    NodeError::BadAnswer { method: method.into(), reason: reason.into() }
}

fn read_answer<T: DeserializeOwned>(method: &str, answer: Answer) -> Result<T, NodeError> {
    if let Some(error) = answer.error {
        let reason = error.data.as_ref().and_then(|data| data["reason"].as_str()).map(str::to_owned);
        let output = error.data.and_then(|data| data.as_str()?.parse().ok());
        let (method, message) = (method.to_owned(), printable(&error.message));
        return Err(NodeError::Refused { method, code: error.code, message, reason, output });
    }
    let result = answer.result.unwrap_or(Value::Null);
    serde_json::from_value(result).map_err(|error| bad_answer(method, &error.to_string()))
}

/// A node's words without what could move the cursor of a terminal, and not without end.
fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(1_000).collect()
}
