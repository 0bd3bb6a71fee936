//! Every metric: the one list that the recorder, `docs/metrics.md` and the tests of dashboards and alerts read.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows, from zero at the start of the node.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts samples in buckets up to these bounds.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, which ends with the unit and, of a counter, `_total`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it is.
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(
    name: &'static str,
    buckets: &'static [f64],
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Histogram(buckets), labels, help }
}

/// A stage of a block takes microseconds to seconds.
const WORK: &[f64] = &[0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];
/// A call takes longer, and there are many methods.
const CALLS: &[f64] = &[0.001, 0.01, 0.1, 1.0, 10.0];
const DEPTHS: &[f64] = &[1.0, 2.0, 3.0, 6.0, 10.0, 20.0, 50.0, 100.0];

/// All metrics, by part of the node.
pub const TABLE: &[Metric] = &[
    gauge("cairn_build_info", &["version"], "1; the label has release and commit."),
    gauge("cairn_chain_info", &["chain", "genesis"], "1; the labels say which chain the node follows."),
    gauge("cairn_chain_height", &[], "Height of the tip."),
    gauge(
        "cairn_chain_headers_height",
        &[],
        "Height of the header with the most work, whether or not its block is there.",
    ),
    gauge("cairn_chain_tip_timestamp_seconds", &[], "Time of the tip's header, in Unix time."),
    gauge("cairn_chain_target_interval_seconds", &[], "Time between blocks that the difficulty aims at."),
    gauge("cairn_chain_difficulty", &[], "Difficulty of the next block: hashes that it takes on average."),
    gauge("cairn_chain_base_fee_wei", &[], "Base fee of the next block, for a unit of gas."),
    gauge("cairn_chain_syncing", &[], "1 while blocks are fetched or connected that others have."),
    gauge("cairn_chain_pruned_height", &[], "Height up to which blocks were pruned; 0 if none were."),
    counter("cairn_chain_blocks_connected_total", &[], "Blocks that joined the active chain."),
    counter(
        "cairn_chain_blocks_disconnected_total",
        &[],
        "Blocks that a reorganisation took off the active chain (orphaned).",
    ),
    histogram("cairn_chain_reorg_depth_blocks", DEPTHS, &[], "Blocks that each reorganisation disconnected."),
    gauge(
        "cairn_finality_members",
        &[],
        "Members that finalize blocks of this chain; 0 on a chain without finality, as all of these.",
    ),
    gauge("cairn_finality_height", &[], "Height of the newest certificate that is followed; 0 before there is one."),
    gauge(
        "cairn_finality_timestamp_seconds",
        &[],
        "Time of the header of its block, in Unix time; that of the genesis block before.",
    ),
    gauge("cairn_finality_lag_blocks", &[], "Blocks of the chain above that block."),
    gauge("cairn_finality_usual_lag_blocks", &[], "How many there are at most while members vote: interval and depth."),
    gauge(
        "cairn_finality_silent_below_height",
        &[],
        "Height below which this node's member is silent, until the checkpoint before is known to be final; 0 if it votes.",
    ),
    gauge("cairn_finality_alarm", &[], "1 if a certificate was not followed, or contradicts another."),
    gauge("cairn_finality_accused_members", &[], "Members that evidence names."),
    histogram(
        "cairn_engine_stage_seconds",
        WORK,
        &["stage"],
        "Time of the stages of a block, and of making templates.",
    ),
    histogram(
        "cairn_engine_event_seconds",
        WORK,
        &["event"],
        "Time that the engine's thread takes for an event. Its sum is how long the thread was busy.",
    ),
    gauge(
        "cairn_engine_queue_messages",
        &["queue"],
        "Messages that wait for the engine: of peers, and of the rest of the node (local).",
    ),
    gauge("cairn_mempool_transactions", &["kind"], "Transactions of the mempool, by kind."),
    gauge("cairn_mempool_pending_transactions", &[], "Transactions that the next block could take."),
    gauge("cairn_mempool_gas", &[], "Gas of all transactions: exact for coins, the gas limits for accounts."),
    gauge("cairn_mempool_bytes", &[], "Memory that the mempool takes."),
    gauge("cairn_mempool_max_bytes", &[], "Memory that it may take (--mempool.size)."),
    gauge("cairn_mempool_min_tip_wei", &[], "Least tip for a unit of gas that is taken now."),
    counter("cairn_mempool_added_total", &[], "Transactions that the mempool took."),
    counter("cairn_mempool_removed_total", &["reason"], "Transactions that left the mempool, by reason."),
    counter(
        "cairn_mempool_rejected_total",
        &["reason"],
        "Transactions that the mempool refused, by reason; those of peers, too.",
    ),
    gauge(
        "cairn_store_column_bytes",
        &["column"],
        "Size of a column on the disk, in tables and files of large values.",
    ),
    gauge("cairn_store_memtable_bytes", &[], "Rows that are in RocksDB's log and memory only."),
    gauge("cairn_store_cache_bytes", &[], "Use of RocksDB's block cache."),
    gauge("cairn_store_cache_max_bytes", &[], "Size of RocksDB's block cache."),
    gauge("cairn_store_pending_compaction_bytes", &[], "Estimate of what compaction has to rewrite."),
    gauge("cairn_store_running_compactions", &[], "Compactions that run."),
    gauge("cairn_store_running_flushes", &[], "Flushes of RocksDB's memory that run."),
    gauge("cairn_store_writes_stopped", &[], "1 while RocksDB makes writers wait for compaction."),
    counter("cairn_store_background_errors_total", &[], "Failures of RocksDB's background work."),
    gauge("cairn_store_disk_free_bytes", &[], "Room on the disk of the data directory; absent for a chain in memory."),
    gauge("cairn_net_peers", &["direction"], "Connected peers, by who opened the connection."),
    counter("cairn_net_connections_total", &["direction"], "Peers that connected."),
    counter("cairn_net_disconnections_total", &[], "Peers that left or were disconnected."),
    counter("cairn_net_received_bytes_total", &[], "Bytes that came from peers, without what encryption adds."),
    counter("cairn_net_sent_bytes_total", &[], "Bytes that went to peers, without what encryption adds."),
    counter(
        "cairn_net_message_bytes_total",
        &["direction", "message"],
        "Bytes of messages of Cairn's own protocols by kind; what identify, Kademlia and ping take is in the totals alone. \
         Gossip counts a block once, however many peers it goes to.",
    ),
    counter("cairn_net_offences_total", &["offence"], "What peers did wrong."),
    counter("cairn_net_penalty_points_total", &[], "Points that peers got for it; at 100 a peer is banned."),
    counter("cairn_net_bans_total", &[], "Peers that were banned for it."),
    gauge("cairn_net_banned", &[], "Bans in force."),
    gauge(
        "cairn_net_clock_offset_seconds",
        &[],
        "How far the median of the peers' clocks is ahead of this machine's; 0 without peers.",
    ),
    gauge("cairn_net_clock_peers", &[], "Peers whose clocks are compared."),
    histogram(
        "cairn_rpc_call_seconds",
        CALLS,
        &["method"],
        "Time of JSON-RPC calls; its count is how many there were. A method is here from its first call on; unknown ones are \"other\".",
    ),
    counter("cairn_rpc_errors_total", &["method"], "Calls that were answered with an error."),
    gauge("cairn_rpc_subscriptions", &[], "Open subscriptions over WebSocket."),
    gauge("cairn_mining_on", &[], "1 while this node's own miner is switched on."),
    gauge("cairn_mining_threads", &[], "Threads that the miner uses, or would."),
    gauge("cairn_mining_hashes_per_second", &[], "Hash rate of the miner."),
    counter("cairn_mining_blocks_total", &[], "Blocks that the miner found."),
    counter(
        "cairn_mining_templates_total",
        &[],
        "Block templates given to miners of all kinds; cairn_engine_stage_seconds counts those that were built.",
    ),
    gauge("cairn_stratum_workers", &[], "Workers that are connected by stratum."),
    gauge("cairn_stratum_hashes_per_second", &[], "Their hash rate, by their shares."),
    counter("cairn_stratum_shares_total", &["outcome"], "Shares, by what became of them."),
    counter("cairn_stratum_blocks_total", &[], "Blocks that stratum miners found."),
    counter("cairn_process_cpu_seconds_total", &[], "CPU time of the process, in whole seconds."),
    gauge("cairn_process_resident_memory_bytes", &[], "Memory of the process that is in RAM."),
    gauge("cairn_process_virtual_memory_bytes", &[], "Address space of the process."),
    gauge("cairn_process_threads", &[], "Threads of the process."),
    gauge("cairn_process_open_fds", &[], "Open files and sockets."),
    gauge("cairn_process_max_fds", &[], "Files and sockets that may be open."),
    gauge("cairn_process_start_timestamp_seconds", &[], "When the process started, in Unix time."),
    histogram("cairn_metrics_scrape_seconds", WORK, &[], "Time to gather a scrape, of those before this one."),
];
