//! What the node measures of itself, as Prometheus reads it. `table` has every metric; the other files hold the handles that
//! hot paths record with. Of the node only names are known here; `monitor` asks for the rest when it is scraped.
//!
//! Without `--metrics` nothing is measured: [`on`] is `None`, which costs one load.

mod engine;
mod family;
mod net;
mod recorder;
mod rpc;
mod stratum;
mod table;
#[cfg(test)]
mod tests;

pub use engine::Stage;
pub use recorder::Recorder;
#[cfg(test)]
pub use table::{Metric, TABLE};

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use engine::Engine;
use net::Net;
use rpc::Rpc;
use stratum::Stratum;

/// Of this process. Set once, before the engine starts.
static METRICS: OnceLock<Metrics> = OnceLock::new();

/// Handles of all that is recorded as it happens.
pub struct Metrics {
    /// Where all values are.
    pub recorder: Arc<Recorder>,
    /// Chain, engine and mempool.
    pub engine: Engine,
    /// The network.
    pub net: Net,
    /// JSON-RPC.
    pub rpc: Rpc,
    /// Stratum.
    pub stratum: Stratum,
}

impl Metrics {
    /// All at zero.
    pub(crate) fn new() -> Self {
        let recorder = Arc::new(Recorder::new());
        Self {
            engine: Engine::new(&recorder),
            net: Net::new(&recorder),
            rpc: Rpc::new(recorder.clone()),
            stratum: Stratum::new(&recorder),
            recorder,
        }
    }
}

/// Measures from now on.
pub fn start() -> &'static Metrics {
    METRICS.get_or_init(Metrics::new)
}

/// Where to record, if the node measures.
pub fn on() -> Option<&'static Metrics> {
    METRICS.get()
}

/// Does a stage's work, and measures its time if the node measures.
pub fn timed<T>(stage: Stage, work: impl FnOnce() -> T) -> T {
    let Some(metrics) = on() else { return work() };
    let started = Instant::now();
    let result = work();
    metrics.engine.stage(stage, started.elapsed());
    result
}
