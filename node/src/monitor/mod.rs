//! What those who watch the node ask over HTTP: `/metrics` for Prometheus, `/health` and `/ready` for what restarts nodes
//! or sends them work.
//!
//! `collect` asks the parts of the node for what `metrics` does not record as it happens. Scrapes share one gathering, and
//! a connection lasts seconds, so that no number of them costs the node more than a few gatherings a second.

mod collect;
mod process;
mod server;

pub use server::serve;

use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, time::timeout};

use self::collect::PATIENCE;
use crate::{
    metrics::{self, Metrics},
    rpc::Context,
};

/// How long a gathering is served again.
const FRESH: Duration = Duration::from_millis(200);

/// Watches over one node.
pub struct Monitor {
    context: Arc<Context>,
    metrics: &'static Metrics,
    last: Mutex<Option<(Instant, Arc<str>)>>,
}

impl Monitor {
    /// Of a node that measures.
    pub fn new(context: Arc<Context>) -> Arc<Self> {
        Arc::new(Self { context, metrics: metrics::start(), last: Mutex::default() })
    }

    /// All metrics as text.
    async fn scrape(&self) -> Arc<str> {
        let mut last = self.last.lock().await;
        if let Some((_, text)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return text.clone();
        }
        let text: Arc<str> = collect::collect(&self.context, self.metrics).await.into();
        *last = Some((Instant::now(), text.clone()));
        text
    }

    /// Why the node is not alive, if it is not: its engine has failed, or does not answer.
    async fn unhealthy(&self) -> Option<String> {
        let engine = &self.context.engine;
        if let Some(failure) = engine.failure() {
            return Some(format!("the engine has failed: {failure}"));
        }
        match timeout(PATIENCE, engine.query(|_| ())).await {
            Ok(Ok(())) => None,
            Ok(Err(_)) => Some("the node is stopping".to_owned()),
            Err(_) => Some(format!("the engine does not answer within {} s", PATIENCE.as_secs())),
        }
    }

    /// Why the node is not of use to others yet, if it is not.
    async fn unready(&self) -> Option<String> {
        if let Some(reason) = self.unhealthy().await {
            return Some(reason);
        }
        let (info, mines) = (self.context.engine.chain_info(), self.context.mining.status().mining);
        if info.syncing {
            let of = info.sync.map_or(info.best_header, |sync| sync.highest);
            return Some(format!("syncing: at block {} of {of}", info.height));
        }
        let network = self.context.network.as_ref()?;
        match network.peer_count() {
            // Alone on purpose: its chain is the one that there is.
            0 if mines => None,
            0 => Some("no peers, and the node mines nothing".to_owned()),
            _ if !network.tried_to_sync() && !mines => Some("no peer has said yet where its chain stands".to_owned()),
            _ => None,
        }
    }
}

/// What `/health` or `/ready` says: whether all is well, and the reason if not.
fn verdict(reason: Option<String>, good: &str, bad: &str) -> (bool, Value) {
    match reason {
        None => (true, json!({ "status": good })),
        Some(reason) => (false, json!({ "status": bad, "reason": reason })),
    }
}

#[cfg(test)]
mod tests;
