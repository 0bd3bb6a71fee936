//! A JSON-RPC client that knows nothing but JSON.

use serde_json::{Value, json};
use std::time::Duration;

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
    agent: ureq::Agent,
}

impl Rpc {
    /// A client for a node at this address.
    pub fn new(url: String) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(120)))
            .http_status_as_error(false)
            .build();
        Self { url, agent: config.into() }
    }

    /// Calls a method.
    ///
    /// # Errors
    /// The node's error, or code 0 if it does not answer.
    pub fn try_call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let none = |error: ureq::Error| RpcError { code: 0, message: error.to_string() };
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut response = self.agent.post(&self.url).send_json(&request).map_err(none)?;
        let body = response.body_mut().with_config().limit(64 << 20);
        let mut answer: Value = body.read_json().map_err(none)?;
        match answer.get("error") {
            Some(error) => Err(RpcError {
                code: error["code"].as_i64().unwrap_or_default(),
                message: error["message"].as_str().unwrap_or_default().to_owned(),
            }),
            None => Ok(answer["result"].take()),
        }
    }

    /// Calls a method that must succeed.
    ///
    /// # Panics
    /// If it does not.
    pub fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }
}
