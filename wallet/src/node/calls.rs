//! The calls that a wallet makes.

use alloy_primitives::{Address, Bytes, U256};
use chain_core::{
    hash::{BlockHash, TxId},
    units::Height,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    AccountEntry, AccountState, CallTrace, ChainInfo, CoinBalance, CoinsPage, FeeEstimate, NO_INDEX, Node, NodeCoin,
    NodeError, Page, Receipt, TransactionStatus, Trial, bad_answer, read_result,
};

/// Addresses in one call; a node takes 1,000.
const ADDRESSES: usize = 1_000;

/// Entries of a history in one answer; a node gives at most so many.
const PAGE: usize = 1_000;

/// Entries of an account's history among which those of the mempool are looked for: they come first.
const PENDING: u32 = 200;

/// Most that a replacement may have to pay more than what it replaces, in percent: nodes ask for 10. More is a node that
/// would have its users overpay.
const MAX_REPLACEMENT_PERCENT: u64 = 1_000;

/// Pages that are read of one list before the node is taken for broken.
const PAGES: usize = 1_000;

impl Node {
    /// What the node says of its chain.
    pub fn info(&self) -> Result<ChainInfo, NodeError> {
        let info = self.call_within(self.first_timeout, "chain_getInfo", json!([])).map_err(|error| match error {
            NodeError::Refused { code: -32601, .. } => {
                let reason = "it does not know chain_getInfo; is it an Ethereum node?".into();
                NodeError::NotANode { url: self.url.clone(), reason }
            }
            other => other,
        })?;
        // Every Cairn node answers this one.
        let stranger = |reason: &str| NodeError::NotANode {
            url: self.url.clone(),
            reason: format!("its answer to chain_getInfo makes no sense: {reason}"),
        };
        let info = read_result("chain_getInfo", info);
        let info: ChainInfo = info.map_err(|error| match error {
            NodeError::BadAnswer { reason, .. } => stranger(&reason),
            other => other,
        })?;
        // The name becomes part of a path, the prefix part of addresses.
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if info.chain.is_empty() || info.chain.len() > 64 || !info.chain.chars().all(plain) {
            return Err(stranger("it is not the name of a chain"));
        }
        if !chain_core::address::is_valid_prefix(&info.hrp) {
            return Err(stranger("it is not a prefix of addresses"));
        }
        Ok(info)
    }

    /// The newest entries of each address that are wanted, at most `most` each, newest first. Nothing behind an entry that
    /// is too old is asked for.
    pub fn entries<T: DeserializeOwned>(
        &self,
        method: &str,
        addresses: &[String],
        most: usize,
        wanted: &dyn Fn(&T) -> bool,
        too_old: &dyn Fn(&T) -> bool,
    ) -> Result<Vec<Vec<T>>, NodeError> {
        let limit = most.clamp(1, PAGE);
        let mut found: Vec<Vec<T>> = addresses.iter().map(|_| Vec::new()).collect();
        let mut open: Vec<(usize, Value)> = (0..addresses.len()).map(|index| (index, Value::Null)).collect();
        for _ in 0..PAGES {
            let params =
                open.iter().map(|(index, cursor)| json!([addresses[*index], { "limit": limit, "cursor": cursor }]));
            let pages: Vec<Page<T>> = self.call_many(method, params.collect())?;
            let mut next = Vec::new();
            for ((index, _), page) in open.into_iter().zip(pages) {
                let last = page.entries.last().is_none_or(too_old);
                found[index].extend(page.entries.into_iter().filter(wanted));
                match page.next {
                    Some(cursor) if !last && found[index].len() < most => next.push((index, cursor)),
                    _ => found[index].truncate(most),
                }
            }
            if next.is_empty() {
                return Ok(found);
            }
            open = next;
        }
        Err(bad_answer(method, "its list does not end"))
    }

    /// Whether a refusal may also say that the transaction is mined: a node without an index does not know that, only that the
    /// coins are gone or the nonce is used.
    pub fn may_be_mined(&self, txid: &TxId, error: &NodeError) -> Result<bool, NodeError> {
        if error.verdict() == Some("invalid") {
            return Ok(false);
        }
        match self.transaction(txid) {
            Err(NodeError::Refused { code: NO_INDEX, .. }) => Ok(true),
            other => Ok(other?.is_some_and(|status| status.confirmations > 0)),
        }
    }

    /// All unspent coins of these addresses, those of the mempool included.
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
                    Some(_) => return Err(bad_answer("coin_getCoins", "its list does not end")),
                    None => break,
                }
            }
        }
        Ok(coins)
    }

    /// What these addresses hold together.
    pub fn coin_balance(&self, addresses: &[String]) -> Result<CoinBalance, NodeError> {
        let chunks = addresses.chunks(ADDRESSES).map(|chunk| json!([chunk])).collect();
        let parts: Vec<CoinBalance> = self.call_many("coin_getBalance", chunks)?;
        parts
            .into_iter()
            .try_fold(CoinBalance::default(), CoinBalance::plus)
            .ok_or_else(|| bad_answer("coin_getBalance", "the sum is more money than there can be"))
    }

    /// Starts mining on the node, with these payout addresses.
    pub fn mine_for(&self, address: &str, account: &str, threads: Option<u32>) -> Result<(), NodeError> {
        self.call::<bool>("miner_setAddress", json!([address, account]))?;
        self.call::<bool>("miner_start", json!([threads])).map(drop)
    }

    /// Stops mining on the node.
    pub fn stop_mining(&self) -> Result<(), NodeError> {
        self.call::<bool>("miner_stop", json!([])).map(drop)
    }

    /// What gas costs.
    pub fn fees(&self) -> Result<FeeEstimate, NodeError> {
        let estimate: FeeEstimate = self.call("coin_estimateFee", json!([]))?;
        let percent = estimate.min_replacement_percent;
        if percent > MAX_REPLACEMENT_PERCENT {
            let reason = format!(
                "it asks that a replacement pay {percent} % more; at most {MAX_REPLACEMENT_PERCENT} % is believed"
            );
            return Err(bad_answer("coin_estimateFee", &reason));
        }
        Ok(estimate)
    }

    /// Broadcasts a transaction; returns its id.
    ///
    /// # Errors
    /// [`NodeError::Refused`] with the rule that it breaks.
    pub fn send(&self, encoded: &[u8]) -> Result<TxId, NodeError> {
        let text: String = self.call("coin_sendRawTransaction", json!([hex::encode(encoded)]))?;
        text.parse().map_err(|_| bad_answer("coin_sendRawTransaction", "it is not a transaction id"))
    }

    /// What has become of a transaction; nothing if the node does not know it.
    pub fn transaction(&self, txid: &TxId) -> Result<Option<TransactionStatus>, NodeError> {
        self.details(txid)
    }

    /// The same, but nothing also if the node keeps no index and cannot tell.
    pub fn found(&self, txid: &TxId) -> Result<Option<TransactionStatus>, NodeError> {
        match self.transaction(txid) {
            Err(NodeError::Refused { code: NO_INDEX, .. }) => Ok(None),
            other => other,
        }
    }

    /// What the node says of a transaction, as far as it is asked; nothing if the node does not know it.
    pub fn details<T: DeserializeOwned>(&self, txid: &TxId) -> Result<Option<T>, NodeError> {
        self.call("coin_getTransaction", json!([txid.to_string()]))
    }

    /// Balance of an account in wei.
    pub fn balance(&self, account: &Address) -> Result<U256, NodeError> {
        self.call("eth_getBalance", json!([account.to_string(), "latest"]))
    }

    /// Nonce of an account's next transaction, the mempool included or not.
    pub fn nonce(&self, account: &Address, pending: bool) -> Result<u64, NodeError> {
        let tag = if pending { "pending" } else { "latest" };
        let nonce: U256 = self.call("eth_getTransactionCount", json!([account.to_string(), tag]))?;
        u64::try_from(nonce).map_err(|_| bad_answer("eth_getTransactionCount", "it does not fit in 64 bits"))
    }

    /// Balances and nonces of accounts.
    pub fn account_states(&self, accounts: &[Address]) -> Result<Vec<AccountState>, NodeError> {
        const COUNT: &str = "eth_getTransactionCount";
        let calls = accounts.iter().map(ToString::to_string).flat_map(|account| {
            let with = |tag: &str| json!([account, tag]);
            [("eth_getBalance", with("latest")), (COUNT, with("latest")), (COUNT, with("pending"))]
        });
        let results = self.batch(calls.collect())?;
        let number = |result: &Value| read_result::<U256>("eth_getBalance", result.clone());
        let state = |results: &[Value]| -> Result<AccountState, NodeError> {
            let [balance, nonce, pending] = [number(&results[0])?, number(&results[1])?, number(&results[2])?];
            Ok(AccountState { balance, pending: pending.saturating_sub(nonce).saturating_to() })
        };
        results.chunks_exact(3).map(state).collect()
    }

    /// Whether each account ever sent or holds something, the mempool included.
    pub fn accounts_used(&self, accounts: &[Address]) -> Result<Vec<bool>, NodeError> {
        let params = |tag: &str| accounts.iter().map(|account| json!([account.to_string(), tag])).collect();
        let nonces: Vec<U256> = self.call_many("eth_getTransactionCount", params("pending"))?;
        let balances: Vec<U256> = self.call_many("eth_getBalance", params("latest"))?;
        Ok(nonces.iter().zip(&balances).map(|(nonce, balance)| !nonce.is_zero() || !balance.is_zero()).collect())
    }

    /// What transactions that wait for a block pay to each account; nothing if the node keeps no index.
    pub fn arriving(&self, accounts: &[Address]) -> Result<Vec<U256>, NodeError> {
        let params = accounts.iter().map(|account| json!([account.to_string(), { "limit": PENDING }])).collect();
        let pages: Vec<Page<AccountEntry>> = match self.call_many("chain_getAccountHistory", params) {
            Err(NodeError::Refused { code: NO_INDEX, .. }) => return Ok(vec![U256::ZERO; accounts.len()]),
            other => other?,
        };
        Ok(pages.iter().map(Page::arriving).collect())
    }

    /// Hash of the block at a height; nothing above the tip.
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

    /// Calls a contract at the tip (`eth_call`).
    ///
    /// # Errors
    /// [`NodeError::Refused`] with code 3 if it would revert.
    pub fn try_out(&self, trial: &Trial) -> Result<Bytes, NodeError> {
        self.call("eth_call", json!([trial, "latest"]))
    }

    /// What came of an account transaction, once it is mined.
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
    pub fn has_code(&self, account: &Address) -> Result<bool, NodeError> {
        let code: Bytes = self.call("eth_getCode", json!([account.to_string(), "latest"]))?;
        Ok(!code.is_empty())
    }
}
