//! What a scrape asks the parts of the node for: all that they know anyway, and nothing that reads the chain.

use cairn_client::unix;
use chain_core::work::pow;
use std::time::{Duration, Instant};
use tokio::time::timeout;

use super::process::Process;
use crate::{
    disk,
    metrics::{Metrics, Recorder},
    rpc::Context,
    store::Usage,
    version::VERSION,
};

/// How long the engine and the network may take to answer; their longest turn takes a fraction of it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Gathers everything and returns it as text.
pub async fn collect(context: &std::sync::Arc<Context>, metrics: &'static Metrics) -> String {
    let began = Instant::now();
    network(context, &metrics.recorder).await;
    finality(context, &metrics.recorder).await;
    let context = context.clone();
    let gathered = tokio::task::spawn_blocking(move || {
        let recorder = &metrics.recorder;
        let took = recorder.histogram("cairn_metrics_scrape_seconds", &[]);
        node(&context, recorder);
        chain(&context, recorder);
        mempool(&context, recorder);
        store(&context, recorder);
        mining(&context, recorder);
        process(&context, recorder);
        let text = recorder.render();
        took.record(began.elapsed());
        text
    });
    // It fails when the node stops.
    gathered.await.unwrap_or_default()
}

fn node(context: &Context, recorder: &Recorder) {
    recorder.set("cairn_build_info", &[("version", VERSION)], 1.0);
    let genesis = context.genesis.to_string();
    recorder.set("cairn_chain_info", &[("chain", &context.spec.name), ("genesis", &genesis)], 1.0);
    recorder.set("cairn_rpc_subscriptions", &[], context.subscribers.len() as f64);
    recorder.set("cairn_engine_queue_messages", &[("queue", "local")], context.engine.queued() as f64);
}

fn chain(context: &Context, recorder: &Recorder) {
    let info = context.engine.chain_info();
    let difficulty: f64 = pow::target(info.next_bits).map(pow::work).unwrap_or_default().into();
    let set = |name, value: f64| recorder.set(name, &[], value);
    set("cairn_chain_height", info.height.into());
    set("cairn_chain_headers_height", info.best_header.into());
    set("cairn_chain_tip_timestamp_seconds", info.header.time.into());
    set("cairn_chain_target_interval_seconds", context.spec.target_interval.into());
    set("cairn_chain_difficulty", difficulty);
    set("cairn_chain_base_fee_wei", info.next_base_fee as f64);
    set("cairn_chain_syncing", info.syncing.into());
    set("cairn_chain_pruned_height", info.pruned.into());
}

fn mempool(context: &Context, recorder: &Recorder) {
    let pool = context.engine.mempool_stats();
    let set = |name, value: f64| recorder.set(name, &[], value);
    let accounts = pool.transactions.saturating_sub(pool.coins);
    recorder.set("cairn_mempool_transactions", &[("kind", "coin")], pool.coins as f64);
    recorder.set("cairn_mempool_transactions", &[("kind", "account")], accounts as f64);
    set("cairn_mempool_pending_transactions", pool.pending as f64);
    set("cairn_mempool_gas", pool.gas as f64);
    set("cairn_mempool_bytes", pool.bytes as f64);
    set("cairn_mempool_max_bytes", pool.max_bytes as f64);
    set("cairn_mempool_min_tip_wei", pool.min_tip as f64);
}

fn store(context: &Context, recorder: &Recorder) {
    record(&context.reader.usage(), recorder);
    // A disk that does not say how full it is leaves the last value.
    if let Some(free) = context.node.datadir.as_ref().and_then(|folder| disk::free(folder).ok()) {
        recorder.set("cairn_store_disk_free_bytes", &[], free as f64);
    }
}

/// What the database says of itself.
pub fn record(usage: &Usage, recorder: &Recorder) {
    let set = |name, value: u64| recorder.set(name, &[], value as f64);
    for (column, bytes) in &usage.columns {
        recorder.set("cairn_store_column_bytes", &[("column", column.name())], *bytes as f64);
    }
    set("cairn_store_memtable_bytes", usage.memtables);
    set("cairn_store_cache_bytes", usage.cache);
    set("cairn_store_cache_max_bytes", usage.cache_limit);
    set("cairn_store_pending_compaction_bytes", usage.pending_compaction);
    set("cairn_store_running_compactions", usage.compactions);
    set("cairn_store_running_flushes", usage.flushes);
    set("cairn_store_writes_stopped", usage.stopped.into());
    recorder.count("cairn_store_background_errors_total", &[], usage.errors);
}

/// A node without a network has no peers and no traffic.
async fn network(context: &Context, recorder: &Recorder) {
    let (mut counts, mut clock, mut traffic) = ((0, 0, 0), None, (0, 0));
    if let Some(network) = &context.network {
        // One that does not answer is stopping.
        counts = timeout(PATIENCE, network.counts()).await.ok().and_then(Result::ok).unwrap_or_default();
        clock = network.clock_offset();
        traffic = (network.traffic().received(), network.traffic().sent());
    }
    let (inbound, outbound, banned) = counts;
    let (ahead, of) = clock.unwrap_or_default();
    recorder.set("cairn_net_peers", &[("direction", "inbound")], inbound as f64);
    recorder.set("cairn_net_peers", &[("direction", "outbound")], outbound as f64);
    recorder.set("cairn_net_banned", &[], banned as f64);
    recorder.set("cairn_net_clock_offset_seconds", &[], ahead as f64);
    recorder.set("cairn_net_clock_peers", &[], of as f64);
    recorder.count("cairn_net_received_bytes_total", &[], traffic.0);
    recorder.count("cairn_net_sent_bytes_total", &[], traffic.1);
}

/// A chain without finality has no members, and nothing that lags.
async fn finality(context: &Context, recorder: &Recorder) {
    // An engine that does not answer is stopping.
    let info = context.engine.query(|engine| engine.chain().finality_info());
    let info = timeout(PATIENCE, info).await.ok().and_then(Result::ok).flatten();
    let info = info.as_ref();
    let set = |name, value: f64| recorder.set(name, &[], value);
    let height = info.and_then(|info| info.newest.as_ref()).map_or(0, |newest| newest.height);
    let lag = info.map_or(0, |_| context.engine.chain_info().height.saturating_sub(height));
    let usual = context.spec.finality.as_ref().map_or(0, |rules| rules.interval + rules.depth);
    set("cairn_finality_members", info.map_or(0, |info| info.members.len()) as f64);
    set("cairn_finality_height", height.into());
    set("cairn_finality_timestamp_seconds", info.map_or(0, |info| info.time).into());
    set("cairn_finality_lag_blocks", lag.into());
    set("cairn_finality_usual_lag_blocks", usual.into());
    let silent = info.and_then(|info| info.silent_below).unwrap_or_default();
    set("cairn_finality_silent_below_height", silent.into());
    set("cairn_finality_alarm", info.is_some_and(|info| info.alarm.is_some()).into());
    set("cairn_finality_accused_members", info.map_or(0, |info| info.evidence.len()) as f64);
}

fn mining(context: &Context, recorder: &Recorder) {
    let status = context.mining.status();
    let set = |name, value: f64| recorder.set(name, &[], value);
    set("cairn_mining_on", status.mining.into());
    set("cairn_mining_threads", status.threads as f64);
    set("cairn_mining_hashes_per_second", status.hashrate);
    recorder.count("cairn_mining_blocks_total", &[], status.blocks);
    let (workers, rate) = context.workers.at_work(unix());
    set("cairn_stratum_workers", workers as f64);
    set("cairn_stratum_hashes_per_second", rate);
}

fn process(context: &Context, recorder: &Recorder) {
    let process = Process::now();
    let set = |name, value: u64| recorder.set(name, &[], value as f64);
    recorder.count("cairn_process_cpu_seconds_total", &[], process.cpu_seconds);
    set("cairn_process_resident_memory_bytes", process.resident);
    set("cairn_process_virtual_memory_bytes", process.virtual_memory);
    set("cairn_process_threads", process.threads);
    set("cairn_process_open_fds", process.open_fds);
    set("cairn_process_max_fds", process.max_fds);
    let started = unix().saturating_sub(context.node.started.elapsed().as_secs());
    set("cairn_process_start_timestamp_seconds", started);
}
