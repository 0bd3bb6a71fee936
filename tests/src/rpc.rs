//! A JSON-RPC client that knows nothing but JSON.

use cairn_client::Cookie;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// What a node answered instead of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcError {
    /// JSON-RPC code; 0 if no answer came.
    pub code: i64,
    /// Its text.
    pub message: String,
}

/// A client of one node.
#[derive(Clone)]
pub struct Rpc {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// HOME of the node's user: its cookie is found there.
    pub home: PathBuf,
    agent: ureq::Agent,
}

impl Rpc {
    /// A client for a node at this address that was started with this HOME.
    pub fn new(url: String, home: &Path) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(120)))
            .http_status_as_error(false)
            .build();
        Self { url, home: home.to_owned(), agent: config.into() }
    }

    /// Calls a method.
    ///
    /// # Errors
    /// The node's error, or code 0 if it does not answer.
    pub fn try_call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        result(self.post(&request)?)
    }

    fn post(&self, request: &Value) -> Result<Value, RpcError> {
        let none = |error: ureq::Error| RpcError { code: 0, message: error.to_string() };
        let mut post = self.agent.post(&self.url);
        let port = self.url.rsplit(':').next().unwrap_or_default();
        let cookie = self.home.join(".cairn/cookies").join(port);
        if let Some(cookie) = Cookie::find(&self.url, Some(&cookie)).header().ok().flatten() {
            post = post.header("authorization", cookie);
        }
        let mut response = post.send_json(request).map_err(none)?;
        response.body_mut().with_config().limit(64 << 20).read_json().map_err(none)
    }

    /// Calls a method once with each of these parameters, all in one request; the answers are in their order.
    ///
    /// # Errors
    /// Code 0 if the node does not answer.
    ///
    /// # Panics
    /// If the answer is no batch.
    pub fn batch(&self, method: &str, params: Vec<Value>) -> Result<Vec<Result<Value, RpcError>>, RpcError> {
        let call = |(id, params)| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let mut answers = self.post(&params.into_iter().enumerate().map(call).collect())?;
        let answers = answers.as_array_mut().expect("a batch is answered by a list");
        answers.sort_by_key(|answer| answer["id"].as_u64());
        Ok(answers.iter_mut().map(|answer| result(answer.take())).collect())
    }

    /// Calls a method that must succeed.
    ///
    /// # Panics
    /// If it does not.
    pub fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }
}

/// The result of one answer.
fn result(mut answer: Value) -> Result<Value, RpcError> {
    match answer.get("error") {
        Some(error) => Err(RpcError {
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
        }),
        None => Ok(answer["result"].take()),
    }
}
