//! The most that peers may make the engine remember.

use super::{PeerUsage, blocks, headers, peers, transactions};
use crate::engine::chain;

/// Requests that may be open with one peer: its status, headers, an announcement, its pool, news of finality, a block that
/// others wait for, runs of blocks, transactions.
const QUESTIONS: usize = 6 + blocks::PER_PEER + transactions::PER_PEER;

impl PeerUsage {
    /// The most that so many peers may amount to.
    pub fn most(peers: usize) -> Self {
        Self {
            peers,
            questions: peers * QUESTIONS + blocks::PARTIALS,
            wanted: peers * transactions::WANTED,
            orphans: transactions::ORPHANS,
            held: blocks::HELD,
            forms: blocks::FORMS,
            partials: blocks::PARTIALS,
            bodies: 2 * blocks::WINDOW as usize,
            origins: chain::ORIGINS,
            checkpoints: peers * headers::MOST_CHECKPOINTS,
            names: (peers + 1) * 2 * transactions::GENERATION + 2 * transactions::GENERATION,
            log: transactions::LOG,
            waiting: peers * peers::WAITING,
        }
    }
}
