//! What the node says at one time. All text is safe to show.

use serde_json::Value;

use super::event::Event;
use crate::error::CommandError;

/// How fast blocks come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Over how many blocks.
    pub blocks: u64,
    /// Seconds for each.
    pub interval: f64,
    /// Hashes a second of all miners, from the work of these blocks; `None` if their times do not allow it.
    pub hash_rate: Option<f64>,
}

/// What is shown. A node that does not tell something to everybody answers `null` there, or why not.
pub struct Snapshot {
    /// When, in seconds since 1970.
    pub at: u64,
    /// `chain_getInfo`
    pub chain: Value,
    /// `chain_getFinality`
    pub finality: Value,
    /// `chain_getNextBlocks`
    pub next: Value,
    /// `miner_status`
    pub miner: Value,
    /// `miner_getStats`
    pub stratum: Value,
    /// `miner_getWorkers`
    pub workers: Value,
    /// `admin_nodeInfo`
    pub node: Value,
    /// `admin_peers`
    pub peers: Result<Value, String>,
    /// How many peers there are.
    pub peer_count: Option<u64>,
    /// `web3_clientVersion`
    pub version: Value,
    /// How fast blocks come.
    pub pace: Option<Pace>,
    /// What happened since the last.
    pub events: Vec<Event>,
    /// What the node logged since the last, for those who have its cookie.
    pub log: Option<Vec<Event>>,
}

/// A snapshot, or why there is none.
pub type Answer = Result<Snapshot, CommandError>;
