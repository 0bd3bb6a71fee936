//! One call of a running node's RPC. What answers may be anything: nothing of it is believed before it was looked at.

use cairn_client::{Cookie, Silence, make_plain};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

use crate::{cli::Ask, error::CommandError};

/// JSON-RPC 2.0: method not found.
const UNKNOWN_METHOD: i64 = -32601;

/// Longest message of another program that is shown, in letters.
const LONGEST_MESSAGE: usize = 1_000;

/// A connection is there within this time, or not at all.
const CONNECT: Duration = Duration::from_secs(5);

/// Timeout of a request: what these commands ask costs a node little work.
const ANSWER: Duration = Duration::from_secs(10);

/// Largest answer that is read: a block with its transactions' ids, a list of peers.
const MAX_ANSWER: u64 = 40 << 20;

impl Ask {
    /// Asks the node that the flags name.
    ///
    /// # Errors
    /// [`CommandError`] if it does not answer, or refuses.
    pub(super) fn call(&self, method: &'static str, params: Value) -> Result<Value, CommandError> {
        call(&self.node.rpc, self.node.cookie.as_deref(), method, params)
    }
}

/// Asks a node. All text of the answer is safe to show on a terminal.
///
/// # Errors
/// [`CommandError`] if it does not answer, refuses, or answers what no node does.
pub(super) fn call(
    url: &str,
    cookie: Option<&Path>,
    method: &'static str,
    params: Value,
) -> Result<Value, CommandError> {
    let answer = post(url, cookie, &json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))?;
    result(url, method, answer)
}

/// A method and its parameters.
pub(super) type Question = (&'static str, Value);

/// Asks a node several things in one request; the answers are in the order of the questions.
///
/// # Errors
/// As [`call`], if the request as a whole is not answered. What is wrong with one answer stands in its place.
pub(super) fn batch(
    url: &str,
    cookie: Option<&Path>,
    questions: &[Question],
) -> Result<Vec<Result<Value, CommandError>>, CommandError> {
    let request = |(id, (method, params)): (usize, &Question)| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    let answers = post(url, cookie, &questions.iter().enumerate().map(request).collect())?;
    let Value::Array(mut answers) = answers else {
        // An error that is that of all.
        let refused = result(url, "a batch", answers).err();
        return Err(refused.unwrap_or_else(|| stranger(url, "it does not answer batches")));
    };
    let mut answer_to =
        |(id, (method, _)): (usize, &Question)| match answers.iter().position(|answer| answer["id"] == id) {
            Some(at) => result(url, method, answers.swap_remove(at)),
            None => Err(stranger(url, &format!("it does not answer {method}"))),
        };
    Ok(questions.iter().enumerate().map(&mut answer_to).collect())
}

fn stranger(url: &str, reason: &str) -> CommandError {
    CommandError::NotANode { url: url.to_owned(), reason: reason.to_owned() }
}

/// What an answer says, if a node can say it.
fn result(url: &str, method: &str, mut answer: Value) -> Result<Value, CommandError> {
    make_plain(&mut answer);
    match answer.get("error").filter(|error| !error.is_null()) {
        // Every Cairn node has it.
        Some(error) if method == "chain_getInfo" && error["code"] == UNKNOWN_METHOD => {
            Err(stranger(url, "it does not know chain_getInfo: is it an Ethereum node?"))
        }
        Some(error) => {
            let message = error["message"].as_str().unwrap_or("an error without a message");
            let message = message.chars().take(LONGEST_MESSAGE).collect::<String>();
            // Some messages begin with the method.
            Err(CommandError::Refused(match message.starts_with(method) {
                true => message,
                false => format!("{method}: {message}"),
            }))
        }
        None => match answer.get_mut("result").map(Value::take) {
            Some(result) if is_sane(method, &result) => Ok(result),
            Some(_) => Err(stranger(url, &format!("its answer to {method} makes no sense"))),
            None => Err(stranger(url, "it does not speak JSON-RPC 2.0")),
        },
    }
}

fn post(url: &str, cookie: Option<&Path>, request: &Value) -> Result<Value, CommandError> {
    let agent = ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(ANSWER))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent("cairn-node")
        .build()
        .new_agent();
    let mut post = agent.post(url);
    if let Some(cookie) = Cookie::find(url, cookie).header()? {
        post = post.header("authorization", cookie);
    }
    let no_answer = |error: ureq::Error| match Silence::of(&error, CONNECT, ANSWER) {
        Silence::Unreachable(reason) => CommandError::NoAnswer { url: url.to_owned(), reason },
        Silence::Busy(seconds) => CommandError::Busy { url: url.to_owned(), seconds },
        Silence::NotANode(reason) => stranger(url, &reason),
    };
    let mut response = post.send_json(request).map_err(no_answer)?;
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string().map_err(no_answer)?;
    serde_json::from_str(&text).map_err(|_| CommandError::NotANode {
        url: url.to_owned(),
        reason: format!("HTTP status {status}, and no JSON"),
    })
}

/// Whether a result is what a node answers to the method, as far as the commands need it.
fn is_sane(method: &str, result: &Value) -> bool {
    let numbers = |names: &[&str]| names.iter().all(|name| result[name].is_u64());
    let is_hash = |name: &str| result[name].as_str().is_some_and(is_hash);
    // Heights and times have 32 bits.
    let small =
        |names: &[&str]| names.iter().all(|name| result[name].as_u64().is_some_and(|got| got <= u32::MAX.into()));
    match method {
        "chain_getInfo" => {
            let pool = &result["mempool"];
            let is_small = |value: &Value| value.is_null() || value.as_u64().is_some_and(|got| got <= u32::MAX.into());
            result["chain"].is_string()
                && small(&["height", "headers", "time"])
                && numbers(&["chainId", "baseFee"])
                && pool["transactions"].is_u64()
                && pool["bytes"].is_u64()
                && is_small(&result["pruneHeight"])
                && is_hash("bestHash")
        }
        "chain_getBlock" => small(&["height", "time"]) && is_hash("hash") && result["transactions"].is_array(),
        "coin_getTransaction" => result.is_null() || is_hash("txid"),
        "admin_peers" => result.as_array().is_some_and(|peers| peers.iter().all(is_peer)),
        "admin_nodeInfo" => {
            result["version"].is_string()
                && small(&["uptime"])
                && is_few(&result["clockPeers"])
                && result["clockOffset"].as_i64().is_none_or(|ahead| ahead.unsigned_abs() <= u32::MAX.into())
        }
        "web3_clientVersion" => result.is_string(),
        "net_peerCount" => result.as_str().is_some_and(is_few_in_hex),
        "miner_status" => {
            result["mining"].is_boolean()
                && is_few(&result["threads"])
                && small(&["blocks"])
                && result["hashrate"].as_f64().is_some_and(|rate| (0.0..1e18).contains(&rate))
        }
        "miner_setAddress" | "admin_stop" => *result == true,
        _ => true,
    }
}

/// What a machine has of peers or threads.
const FEW: u64 = 65_535;

fn is_few(value: &Value) -> bool {
    value.is_null() || value.as_u64().is_some_and(|got| got <= FEW)
}

fn is_few_in_hex(text: &str) -> bool {
    let digits = text.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16));
    matches!(digits, Some(Ok(got)) if got <= FEW)
}

fn is_peer(peer: &Value) -> bool {
    peer.is_object() && peer["height"].as_u64().is_none_or(|height| height <= u32::MAX.into())
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}
