//! JSON-RPC: latency and errors of each method.

use metrics::{Counter, Histogram};
use parking_lot::RwLock;
use std::{collections::HashMap, sync::Arc, time::Duration};

use super::Recorder;

/// The label of all methods that the node does not have: clients may make up as many as they like.
pub const METHODS_OTHER: &str = "other";

/// Handles of one method.
struct Method {
    took: Histogram,
    errors: Counter,
}

impl Method {
    fn new(recorder: &Recorder, method: &'static str) -> Self {
        Self {
            took: recorder.histogram("cairn_rpc_call_seconds", &[("method", method)]),
            errors: recorder.counter("cairn_rpc_errors_total", &[("method", method)]),
        }
    }
}

/// Handles of JSON-RPC. A method has series from its first call on: there are two hundred methods, and few are called.
pub struct Rpc {
    recorder: Arc<Recorder>,
    other: Method,
    methods: RwLock<HashMap<&'static str, Arc<Method>>>,
}

impl Rpc {
    pub(super) fn new(recorder: Arc<Recorder>) -> Self {
        Self { other: Method::new(&recorder, METHODS_OTHER), methods: RwLock::default(), recorder }
    }

    /// A call of a method of the table was answered.
    pub fn called(&self, method: &'static str, took: Duration, failed: bool) {
        let known = self.methods.read().get(method).cloned();
        let handles = known.unwrap_or_else(|| {
            let fresh = || Arc::new(Method::new(&self.recorder, method));
            self.methods.write().entry(method).or_insert_with(fresh).clone()
        });
        handles.took.record(took);
        handles.errors.increment(failed.into());
    }

    /// A call of a method that is not in the table, or not served.
    pub fn called_unknown(&self) {
        self.other.took.record(Duration::ZERO);
        self.other.errors.increment(1);
    }
}
