//! The node's JSON-RPC, as far as a miner needs it.

use std::{path::Path, time::Duration};

use cairn_client::{Cookie, CookieError, Silence, fault, make_plain, plain};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::template::{Request, Submitted, Template};
use crate::{Solution, StartError};

/// Why a request to a node failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The address is not an `http://host:port`.
    #[error("'{0}' is not the address of a node; write it like http://127.0.0.1:8545")]
    BadUrl(String),
    /// No connection.
    #[error(
        "no node answers at {url} ({reason}): start one, such as `cairn-node --chain local`, or name another with --rpc URL"
    )]
    Unreachable {
        /// The URL.
        url: String,
        /// The system's error.
        reason: String,
    },
    /// Something listens there, and does not answer.
    #[error(
        "the server at {url} did not answer within {seconds} s; what listens there is busy, or no node: wait, or name another with --rpc URL"
    )]
    Busy {
        /// The URL.
        url: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The server is not a Cairn node.
    #[error(
        "what answers at {url} is not a Cairn node ({reason}): name the node's RPC with --rpc URL; its port is 8545 unless changed"
    )]
    NotANode {
        /// The URL.
        url: String,
        /// The evidence.
        reason: String,
    },
    /// The node returned an error.
    #[error("the node refuses: {message}")]
    Refused {
        /// JSON-RPC error code.
        code: i64,
        /// The node's message.
        message: String,
        /// A machine-readable reason such as `stale` or `invalid`.
        reason: Option<String>,
    },
    /// The node does not accept whom its blocks are to pay.
    #[error("the node refuses {flag} {value}: {reason}; `cairn-wallet address` shows yours")]
    Payout {
        /// The flag that named it.
        flag: &'static str,
        /// What was given.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// The cookie file that the user named cannot be read. A node that starts later may write it.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// A local failure: there are not enough threads.
    #[error("{0}: see --threads")]
    Threads(String),
    /// A local failure: the output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(String),
    /// A malformed response.
    #[error(
        "the node's answer to {method} makes no sense ({reason}): is {url} the RPC of a Cairn node of this version? --rpc URL names another"
    )]
    BadAnswer {
        /// The URL.
        url: String,
        /// The method.
        method: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl From<StartError> for NodeError {
    fn from(error: StartError) -> Self {
        Self::Threads(error.to_string())
    }
}

/// A connection is there within this time, or not at all.
const CONNECT: Duration = Duration::from_secs(5);

/// Timeout of a request: longer than the node's limit for a long poll.
pub(super) const ANSWER: Duration = Duration::from_secs(60);

/// JSON-RPC codes of temporary failures: server error, internal error, limit exceeded.
const PASSING: [i64; 3] = [-32000, -32603, -32005];

/// The cookie is missing or wrong.
const UNAUTHORIZED: i64 = 4100;

/// JSON-RPC 2.0: invalid parameters, method not found.
const INVALID_PARAMS: i64 = -32602;
const UNKNOWN_METHOD: i64 = -32601;

/// Maximum length of a node's message that is shown, in characters.
const LONGEST_MESSAGE: usize = 1_000;

/// Maximum size of a response, in bytes.
const MAX_ANSWER: u64 = 40 << 20;

impl NodeError {
    /// Whether a retry may succeed.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } | Self::NotANode { .. } | Self::Cookie(_) => true,
            Self::Refused { code, .. } => PASSING.contains(code),
            Self::BadUrl(_) | Self::Payout { .. } | Self::Threads(_) | Self::BadAnswer { .. } | Self::Output(_) => {
                false
            }
        }
    }

    /// Whether the block was stale.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Refused { reason: Some(reason), .. } if reason == "stale")
    }
}

/// A node behind a URL.
#[derive(Clone, Debug)]
pub struct Node {
    url: String,
    cookie: Cookie,
    agent: ureq::Agent,
}

#[derive(Deserialize)]
struct Answer {
    result: Option<Value>,
    error: Option<AnswerError>,
}

#[derive(Deserialize)]
struct AnswerError {
    code: i64,
    message: String,
    #[serde(default)]
    data: Value,
}

impl Node {
    /// A node at `http://host:port`, and the file with its secret if that is not in the default place. Sends nothing
    /// yet.
    ///
    /// # Errors
    /// [`NodeError::BadUrl`].
    pub fn new(url: &str, cookie: Option<&Path>) -> Result<Self, NodeError> {
        let bad = || NodeError::BadUrl(url.to_owned());
        let uri: ureq::http::Uri = url.parse().map_err(|_| bad())?;
        if uri.scheme_str() != Some("http") || uri.host().is_none_or(str::is_empty) {
            return Err(bad());
        }
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(ANSWER))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent("cairn-miner")
            .build()
            .new_agent();
        Ok(Self { url: url.to_owned(), cookie: Cookie::find(url, cookie), agent })
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Requests a template; with a long-poll id, waits for a better one than that.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn template(&self, request: &Request, than: Option<&str>) -> Result<Template, NodeError> {
        const METHOD: &str = "miner_getTemplate";
        let answer = self.call(METHOD, json!([request.to_json(than)])).map_err(|error| blamed(request, error))?;
        Template::read(answer).map_err(|reason| self.bad_answer(METHOD, reason))
    }

    /// Submits a block.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn submit(&self, solution: &Solution) -> Result<Submitted, NodeError> {
        let (header, coinbase) = (hex::encode(solution.header.to_bytes()), hex::encode(&solution.coinbase));
        self.call("miner_submit", json!([solution.work.id, header, coinbase]))
    }

    fn call<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, NodeError> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let header = self.cookie.header()?;
        let mut answer = self.ask(&request, header.as_deref())?;
        // A restarted node has another cookie.
        let fresh = self.cookie.header()?;
        if answer.error.as_ref().is_some_and(|error| error.code == UNAUTHORIZED) && fresh != header {
            answer = self.ask(&request, fresh.as_deref())?;
        }
        if let Some(AnswerError { code, message, data }) = answer.error {
            let reason = data["reason"].as_str().map(str::to_owned);
            let message = match code {
                UNKNOWN_METHOD => format!("it does not know {method}; is it a Cairn node? --rpc URL names another"),
                _ => message.chars().take(LONGEST_MESSAGE).collect(),
            };
            return Err(NodeError::Refused { code, message, reason });
        }
        serde_json::from_value(answer.result.unwrap_or_default())
            .map_err(|error| self.bad_answer(method, fault(&error)))
    }

    fn ask(&self, request: &Value, cookie: Option<&str>) -> Result<Answer, NodeError> {
        serde_json::from_value(self.post(request, cookie)?)
            .map_err(|_| self.not_a_node("it does not speak JSON-RPC 2.0".into()))
    }

    fn post(&self, body: &Value, cookie: Option<&str>) -> Result<Value, NodeError> {
        let transport = |error: ureq::Error| self.transport(&error);
        let mut post = self.agent.post(&self.url);
        if let Some(cookie) = cookie {
            post = post.header("authorization", cookie);
        }
        let mut response = post.send_json(body).map_err(transport)?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string().map_err(transport)?;
        let mut answer =
            serde_json::from_str(&text).map_err(|_| self.not_a_node(format!("HTTP status {status}, and no JSON")))?;
        make_plain(&mut answer);
        Ok(answer)
    }

    fn transport(&self, error: &ureq::Error) -> NodeError {
        let url = self.url.clone();
        match Silence::of(error, CONNECT, ANSWER) {
            Silence::Unreachable(reason) => NodeError::Unreachable { url, reason },
            Silence::Busy(seconds) => NodeError::Busy { url, seconds },
            Silence::NotANode(reason) => NodeError::NotANode { url, reason },
        }
    }

    fn bad_answer(&self, method: &'static str, reason: String) -> NodeError {
        NodeError::BadAnswer { url: self.url.clone(), method, reason }
    }

    fn not_a_node(&self, reason: String) -> NodeError {
        NodeError::NotANode { url: self.url.clone(), reason }
    }
}

/// A refusal of a parameter, by the flag that it came from.
fn blamed(request: &Request, error: NodeError) -> NodeError {
    let NodeError::Refused { code: INVALID_PARAMS, message, .. } = &error else { return error };
    let message = message.strip_prefix("request.").unwrap_or(message);
    let flags = [("address: ", "--address", &request.address), ("account: ", "--account", &request.account)];
    let found = flags.into_iter().find_map(|(prefix, flag, value)| {
        let value = plain(value.as_ref()?);
        Some(NodeError::Payout { flag, value, reason: message.strip_prefix(prefix)?.to_owned() })
    });
    found.unwrap_or(error)
}
