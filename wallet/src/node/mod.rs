//! The node's JSON-RPC, as far as a wallet needs it.

mod calls;
pub mod types;

use std::{cell::Cell, path::Path, time::Duration};

use alloy_primitives::Bytes;
use cairn_client::{Cookie, CookieError, Silence};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

pub use self::types::{
    AccountEntry, AccountState, CallTrace, ChainInfo, CoinBalance, CoinEntry, CoinsPage, EntryHead, FeeEstimate, Log,
    NodeCoin, Page, Receipt, TransactionDetails, TransactionStatus, Trial,
};
use crate::input::{bounded, fault, from_json};

/// How a distant node is reached: keys never leave the wallet, but amounts, nonces and fees could be changed on the way.
pub const TUNNEL: &str = "ssh -N -L 8545:127.0.0.1:8545 HOST";

/// Largest answer that is read: what a node sends at most, and some.
const MAX_ANSWER: u64 = 40 << 20;

/// Calls in one batch: what a node takes unless its owner set `--http.max-batch`.
const BATCH: usize = 100;

/// What a node answers to a batch of too many calls or too large an answer, and to any batch where they are off.
const BATCH_REFUSED: [i64; 3] = [-32010, -32011, -32005];

/// A connection is there within this time, or not at all.
const CONNECT: Duration = Duration::from_secs(5);

/// Timeout of a request, unless the user names one.
const ANSWER: Duration = Duration::from_secs(30);

/// The same of the first request: its answer costs a node no work, so that a wrong --rpc is found sooner.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// Why a node does not answer as it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    #[error("'{url}' is not the address of a node: {reason}")]
    BadUrl { url: String, reason: String },
    #[error("no node answers at {url}: {reason}")]
    Unreachable {
        url: String,
        reason: String,
        /// Whether a connection was there, and no answer came.
        listens: bool,
    },
    #[error("what answers at {url} is not a Cairn node: {reason}")]
    NotANode { url: String, reason: String },
    /// The cookie file that the user names.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    #[error("the node refused{}", refusal(.method, .message))]
    Refused { method: String, code: i64, message: String, reason: Option<String>, output: Option<Bytes> },
    #[error("the node's answer to {method} is malformed: {reason}")]
    BadAnswer { method: String, reason: String },
}

/// JSON-RPC code of a transaction that the node judged and did not take.
const REJECTED: i64 = -32003;

/// JSON-RPC code of a question that a node without an index cannot answer.
pub const NO_INDEX: i64 = -32002;

impl NodeError {
    /// Why the node judged a transaction and did not take it, in the words that programs compare.
    pub fn verdict(&self) -> Option<&str> {
        match self {
            Self::Refused { code: REJECTED, reason, .. } => reason.as_deref(),
            _ => None,
        }
    }

    /// Whether the node has the transaction already.
    pub fn is_known(&self) -> bool {
        self.verdict() == Some("known")
    }

    /// Whether a refusal of a node that is not behind says that the transaction can never be mined. A full pool, a fee that is too
    /// low now, funds that may come, or an internal error say no such thing.
    pub fn is_final(&self) -> bool {
        matches!(self.verdict(), Some("invalid" | "missing" | "conflict" | "nonce"))
    }

    /// Whether a refusal says that the transaction was judged and not taken. Any other error, also of JSON-RPC, leaves open
    /// whether it arrived.
    pub fn is_definite(&self) -> bool {
        let judged = ["invalid", "conflict", "missing", "nonce", "funds", "fee", "full", "policy"];
        self.verdict().is_some_and(|reason| judged.contains(&reason))
    }
}

/// Many messages of nodes begin with the method.
fn refusal(method: &str, message: &str) -> String {
    if message.starts_with(method) { format!(": {message}") } else { format!(" {method}: {message}") }
}

/// JSON-RPC code of a call that needs the node's cookie (EIP-1193).
pub const UNAUTHORIZED: i64 = 4100;

/// A node behind a URL.
#[derive(Clone)]
pub struct Node {
    url: String,
    cookie: Cookie,
    agent: ureq::Agent,
    /// Timeout of a request.
    timeout: Duration,
    /// Timeout of the first request, which asks who answers there.
    first_timeout: Duration,
    next_id: Cell<u64>,
    /// Calls in one batch, as far as the node is known.
    batch: Cell<usize>,
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
    /// is sent yet. Each answer may take as long as `timeout`; without one, 30 s, and the first 10 s.
    pub fn new(url: &str, cookie: Option<&Path>, timeout: Option<Duration>) -> Result<Self, NodeError> {
        let bad = |reason: &str| NodeError::BadUrl { url: url.into(), reason: reason.into() };
        if url.starts_with("https://") {
            return Err(bad(&format!(
                "this wallet speaks plain http. Reach a distant node through a tunnel, `{TUNNEL}`, and use --rpc \
                 http://127.0.0.1:8545"
            )));
        }
        let uri: ureq::http::Uri = url.parse().map_err(|_| bad("it is not a URL"))?;
        if uri.scheme_str() != Some("http") || uri.host().is_none_or(str::is_empty) {
            return Err(bad("write it like http://127.0.0.1:8545"));
        }
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent("cairn-wallet")
            .build()
            .new_agent();
        let cookie = Cookie::find(url, cookie);
        let (timeout, first_timeout) = (timeout.unwrap_or(ANSWER), timeout.unwrap_or(FIRST_ANSWER));
        let (next_id, batch) = (Cell::new(1), Cell::new(BATCH));
        Ok(Self { url: url.into(), cookie, agent, timeout, first_timeout, next_id, batch })
    }

    /// Whether what is sent stays on this machine.
    pub fn is_on_this_machine(&self) -> bool {
        let uri: Option<ureq::http::Uri> = self.url.parse().ok();
        uri.as_ref().and_then(|uri| uri.host()).is_some_and(cairn_client::is_local)
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn post(&self, body: &Value, timeout: Duration) -> Result<Value, NodeError> {
        let not_a_node = |reason: String| NodeError::NotANode { url: self.url.clone(), reason };
        let transport = |error: ureq::Error| self.transport(&error, timeout);
        let mut request = self.agent.post(&self.url).config().timeout_global(Some(timeout)).build();
        if let Some(cookie) = self.cookie.header()? {
            request = request.header("authorization", cookie);
        }
        let mut response = request.send_json(body).map_err(transport)?;
        let status = response.status();
        let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
        let text = text.map_err(transport)?;
        from_json(text.as_bytes()).map_err(|_| match status.as_u16() {
            200 => not_a_node("its answer is not JSON".into()),
            403 => not_a_node(format!("it refuses this host name (HTTP 403: {})", bounded(text.trim()))),
            code => not_a_node(format!("HTTP status {code}")),
        })
    }

    fn transport(&self, error: &ureq::Error, timeout: Duration) -> NodeError {
        let url = self.url.clone();
        match Silence::of(error, CONNECT, timeout) {
            Silence::Unreachable(reason) => NodeError::Unreachable { url, reason, listens: false },
            Silence::Busy(seconds) => NodeError::Unreachable {
                url,
                reason: format!("the server did not answer within {seconds} s (see --timeout)"),
                listens: true,
            },
            Silence::NotANode(reason) => NodeError::NotANode { url, reason },
        }
    }

    fn envelope(&self, method: &str, params: Value) -> Value {
        let id = self.next_id.replace(self.next_id.get() + 1);
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }

    /// Calls a method and reads its answer.
    pub fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, NodeError> {
        read_result(method, self.call_within(self.timeout, method, params)?)
    }

    fn call_within(&self, timeout: Duration, method: &str, params: Value) -> Result<Value, NodeError> {
        let request = self.envelope(method, params);
        let answer: Answer = serde_json::from_value(self.post(&request, timeout)?).map_err(|_| {
            NodeError::NotANode { url: self.url.clone(), reason: "it does not speak JSON-RPC 2.0".into() }
        })?;
        if answer.id != request["id"] && answer.error.is_none() {
            return Err(bad_answer(method, "it answers another request"));
        }
        read_answer(method, answer)
    }

    /// Calls one method with many parameters; answers come in their order.
    ///
    /// # Errors
    /// [`NodeError`]; one refused call refuses all.
    pub fn call_many<T: DeserializeOwned>(&self, method: &str, params: Vec<Value>) -> Result<Vec<T>, NodeError> {
        let results = self.batch(params.into_iter().map(|params| (method, params)).collect())?;
        results.into_iter().map(|result| read_result(method, result)).collect()
    }

    /// Makes many calls with as few requests as the node allows; results come in the order of the calls.
    fn batch(&self, calls: Vec<(&str, Value)>) -> Result<Vec<Value>, NodeError> {
        let mut results = Vec::with_capacity(calls.len());
        let mut rest = &calls[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.batch.get().min(rest.len()));
            if let [(method, params)] = now {
                results.push(self.call_within(self.timeout, method, params.clone())?);
                rest = later;
                continue;
            }
            let requests = now.iter().map(|(method, params)| self.envelope(method, params.clone())).collect::<Vec<_>>();
            let answers = self.post(&Value::Array(requests.clone()), self.timeout)?;
            if answers["error"]["code"].as_i64().is_some_and(|code| BATCH_REFUSED.contains(&code)) {
                self.batch.set((now.len() / 2).max(1));
                continue;
            }
            results.extend(read_batch(now[0].0, &requests, answers)?);
            rest = later;
        }
        Ok(results)
    }
}

fn bad_answer(method: &str, reason: &str) -> NodeError {
    NodeError::BadAnswer { method: method.into(), reason: bounded(reason) }
}

/// Answers of a batch in the order of its requests.
fn read_batch(method: &str, requests: &[Value], answers: Value) -> Result<Vec<Value>, NodeError> {
    if answers["error"].is_object() {
        let answer = serde_json::from_value(answers).map_err(|error| bad_answer(method, &fault(&error)))?;
        return read_answer(method, answer).map(|_| Vec::new());
    }
    let mut answers: Vec<Answer> =
        serde_json::from_value(answers).map_err(|_| bad_answer(method, "it is not a list of answers"))?;
    let of = |request: &Value| {
        let position = answers.iter().position(|answer| answer.id == request["id"]);
        let position = position.ok_or_else(|| bad_answer(method, "an answer is missing"))?;
        read_answer(request["method"].as_str().unwrap_or(method), answers.swap_remove(position))
    };
    requests.iter().map(of).collect()
}

fn read_result<T: DeserializeOwned>(method: &str, result: Value) -> Result<T, NodeError> {
    serde_json::from_value(result).map_err(|error| bad_answer(method, &fault(&error)))
}

fn read_answer(method: &str, answer: Answer) -> Result<Value, NodeError> {
    if let Some(error) = answer.error {
        let reason = error.data.as_ref().and_then(|data| data["reason"].as_str()).map(bounded);
        let output = error.data.and_then(|data| data.as_str()?.parse().ok());
        let (method, message) = (method.to_owned(), bounded(&error.message));
        return Err(NodeError::Refused { method, code: error.code, message, reason, output });
    }
    Ok(answer.result.unwrap_or(Value::Null))
}
