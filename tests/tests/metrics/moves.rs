//! How each documented metric is seen to take another value than its first.

use std::{collections::BTreeSet, fs};

use crate::{
    repository,
    scrape::{Film, Sums, documented},
};

/// What a metric moves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// On one real node, while a test of `scenes` has this happen.
    Scene(Scene),
    /// Fixed for the life of a process: a node with other settings has another value.
    Settings,
    /// Fixed for a build: its label is what `cairn-node --version` prints.
    Build,
    /// What no test can have a real node do: a unit test beside the code that records it, by file and name.
    Unit(&'static str, &'static str),
}

/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// It mines, and reorganises to the branch of a peer.
    Chain,
    /// It prunes; another waits for blocks that its peer has pruned.
    Prune,
    /// It is one of four members, and meets a faulty one, a contradicting certificate and the loss of all certificates.
    Finality,
    /// Its pool fills, and its database writes to the disk.
    Pool,
    /// Peers come and go; one has a wrong clock, one is banned.
    Network,
    /// Programs call it and subscribe.
    Rpc,
    /// It mines by itself and by stratum.
    Mining,
}

const STORE: How = How::Unit("node/src/monitor/tests.rs", "each_number_of_the_store_is_shown_under_its_name");

/// Every metric.
pub const MOVES: &[(&str, How)] = &[
    ("cairn_build_info", How::Build),
    ("cairn_chain_info", How::Settings),
    ("cairn_chain_height", How::Scene(Scene::Chain)),
    ("cairn_chain_headers_height", How::Scene(Scene::Chain)),
    ("cairn_chain_tip_timestamp_seconds", How::Scene(Scene::Chain)),
    ("cairn_chain_target_interval_seconds", How::Settings),
    ("cairn_chain_difficulty", How::Scene(Scene::Chain)),
    ("cairn_chain_base_fee_wei", How::Scene(Scene::Chain)),
    ("cairn_chain_syncing", How::Scene(Scene::Prune)),
    ("cairn_chain_pruned_height", How::Scene(Scene::Prune)),
    ("cairn_chain_blocks_connected_total", How::Scene(Scene::Chain)),
    ("cairn_chain_blocks_disconnected_total", How::Scene(Scene::Chain)),
    ("cairn_chain_reorg_depth_blocks", How::Scene(Scene::Chain)),
    ("cairn_finality_members", How::Settings),
    ("cairn_finality_height", How::Scene(Scene::Finality)),
    ("cairn_finality_timestamp_seconds", How::Scene(Scene::Finality)),
    ("cairn_finality_lag_blocks", How::Scene(Scene::Finality)),
    ("cairn_finality_usual_lag_blocks", How::Settings),
    ("cairn_finality_silent_below_height", How::Scene(Scene::Finality)),
    ("cairn_finality_alarm", How::Scene(Scene::Finality)),
    ("cairn_finality_accused_members", How::Scene(Scene::Finality)),
    ("cairn_engine_stage_seconds", How::Scene(Scene::Chain)),
    ("cairn_engine_event_seconds", How::Scene(Scene::Chain)),
    ("cairn_engine_queue_messages", How::Scene(Scene::Pool)),
    ("cairn_mempool_transactions", How::Scene(Scene::Pool)),
    ("cairn_mempool_pending_transactions", How::Scene(Scene::Pool)),
    ("cairn_mempool_gas", How::Scene(Scene::Pool)),
    ("cairn_mempool_bytes", How::Scene(Scene::Pool)),
    ("cairn_mempool_max_bytes", How::Settings),
    ("cairn_mempool_min_tip_wei", How::Scene(Scene::Pool)),
    ("cairn_mempool_added_total", How::Scene(Scene::Pool)),
    ("cairn_mempool_removed_total", How::Scene(Scene::Pool)),
    ("cairn_mempool_rejected_total", How::Scene(Scene::Pool)),
    ("cairn_store_column_bytes", How::Scene(Scene::Pool)),
    ("cairn_store_memtable_bytes", How::Scene(Scene::Chain)),
    ("cairn_store_cache_bytes", How::Scene(Scene::Pool)),
    ("cairn_store_cache_max_bytes", How::Settings),
    ("cairn_store_pending_compaction_bytes", STORE),
    ("cairn_store_running_compactions", STORE),
    ("cairn_store_running_flushes", STORE),
    ("cairn_store_writes_stopped", STORE),
    ("cairn_store_background_errors_total", STORE),
    ("cairn_store_disk_free_bytes", How::Scene(Scene::Pool)),
    ("cairn_net_peers", How::Scene(Scene::Network)),
    ("cairn_net_connections_total", How::Scene(Scene::Network)),
    ("cairn_net_disconnections_total", How::Scene(Scene::Network)),
    ("cairn_net_received_bytes_total", How::Scene(Scene::Network)),
    ("cairn_net_sent_bytes_total", How::Scene(Scene::Network)),
    ("cairn_net_message_bytes_total", How::Scene(Scene::Network)),
    ("cairn_net_offences_total", How::Scene(Scene::Network)),
    ("cairn_net_penalty_points_total", How::Scene(Scene::Network)),
    ("cairn_net_bans_total", How::Scene(Scene::Network)),
    ("cairn_net_banned", How::Scene(Scene::Network)),
    ("cairn_net_clock_offset_seconds", How::Scene(Scene::Network)),
    ("cairn_net_clock_peers", How::Scene(Scene::Network)),
    ("cairn_rpc_call_seconds", How::Scene(Scene::Rpc)),
    ("cairn_rpc_errors_total", How::Scene(Scene::Rpc)),
    ("cairn_rpc_subscriptions", How::Scene(Scene::Rpc)),
    ("cairn_mining_on", How::Scene(Scene::Mining)),
    ("cairn_mining_threads", How::Scene(Scene::Mining)),
    ("cairn_mining_hashes_per_second", How::Scene(Scene::Mining)),
    ("cairn_mining_blocks_total", How::Scene(Scene::Mining)),
    ("cairn_mining_templates_total", How::Scene(Scene::Mining)),
    ("cairn_stratum_workers", How::Scene(Scene::Mining)),
    ("cairn_stratum_hashes_per_second", How::Scene(Scene::Mining)),
    ("cairn_stratum_shares_total", How::Scene(Scene::Mining)),
    ("cairn_stratum_blocks_total", How::Scene(Scene::Mining)),
    ("cairn_process_cpu_seconds_total", How::Scene(Scene::Mining)),
    ("cairn_process_resident_memory_bytes", How::Scene(Scene::Pool)),
    ("cairn_process_virtual_memory_bytes", How::Scene(Scene::Pool)),
    ("cairn_process_threads", How::Scene(Scene::Mining)),
    ("cairn_process_open_fds", How::Scene(Scene::Rpc)),
    ("cairn_process_max_fds", How::Scene(Scene::Rpc)),
    ("cairn_process_start_timestamp_seconds", How::Settings),
    ("cairn_metrics_scrape_seconds", How::Scene(Scene::Chain)),
];

/// Names that move in one way.
fn by(how: How) -> impl Iterator<Item = &'static str> {
    MOVES.iter().filter(move |(_, by)| *by == how).map(|(name, _)| *name)
}

/// Scrapes on until everything that belongs to a scene has moved on one of its nodes.
///
/// # Panics
/// If that does not come about.
pub fn all_moved(scene: Scene, films: &mut [Film]) {
    for _ in 0..120 {
        let still = |name: &&str| !films.iter().any(|film| film.moved().contains(*name));
        if !by(How::Scene(scene)).any(|name| still(&name)) {
            return;
        }
        films.iter_mut().for_each(|film| _ = film.look());
    }
    let moved: BTreeSet<&String> = films.iter().flat_map(Film::moved).collect();
    let still: Vec<_> = by(How::Scene(scene)).filter(|name| !moved.contains(&(*name).to_owned())).collect();
    panic!("{scene:?}: did not move: {still:?}");
}

/// # Panics
/// If something that settings decide is the same on two nodes of other settings.
pub fn all_differ(one: &Sums, other: &Sums) {
    let differ = other.differ(one);
    let same: Vec<_> = by(How::Settings).filter(|name| !differ.contains(*name)).collect();
    assert!(same.is_empty(), "the same under other settings: {same:?}");
}

#[test]
fn every_documented_metric_has_its_way_to_move() {
    let named: BTreeSet<String> = MOVES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(named.len(), MOVES.len(), "a name stands twice");
    assert_eq!(named, documented(), "give a new metric its line in MOVES");
    for (name, how) in MOVES {
        if let How::Unit(file, test) = how {
            let text = fs::read_to_string(repository().join(file)).expect("the file is there");
            assert!(text.contains(&format!("fn {test}()")) && text.contains(name), "{name}: no {test} in {file}");
        }
    }
}
