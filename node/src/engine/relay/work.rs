//! What peers make the engine do, counted rather than timed, so that a simulation repeats it; and what each may cost.
//!
//! A unit stands for about ten microseconds of the engine's thread. A question is paid for after it was answered, by what it
//! touched: an attacker looks for cheap bytes that buy dear work, and a price for each kind of question always misses some.

use crate::engine::{Engine, PeerId, Time};

/// Units that a peer may have saved up, and that it gets each second: a hundred peers together can take the whole thread.
pub(super) const BUDGET: i64 = 5_000;
const BUDGET_PER_SECOND: u64 = 1_000;

/// Questions over the budget that cost no points until it has recovered: an honest peer cannot know the price of a question,
/// and asks less once it is refused.
const FORGIVEN: u32 = 16;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerWork {
    /// Questions and messages taken in, weighed by kind.
    pub base: u64,
    /// Transactions of the pool that were hashed or looked up.
    pub leaves: u64,
    /// Bytes of blocks that were decoded.
    pub decoded: u64,
    /// Bytes that were read or encoded for answers.
    pub copied: u64,
    /// Rows that were read from the database.
    pub rows: u64,
    /// Questions that this node asked the peer.
    pub asked: u64,
}

impl PeerWork {
    /// What it costs; questions of our own cost a peer nothing.
    pub fn units(&self) -> u64 {
        self.base + self.leaves / 128 + self.decoded / 2_048 + self.copied / 16_384 + self.rows.div_ceil(4)
    }

    /// The most that one peer may cost in so many seconds. The last question may touch more than was left to pay for it: at most
    /// a walk over a pool of a million, or the largest block.
    pub fn most_units(seconds: u64) -> u64 {
        BUDGET.unsigned_abs() + seconds * BUDGET_PER_SECOND + 10_000
    }

    /// Adds other work.
    pub fn add(&mut self, other: &Self) {
        self.base += other.base;
        self.leaves += other.leaves;
        self.decoded += other.decoded;
        self.copied += other.copied;
        self.rows += other.rows;
        self.asked += other.asked;
    }
}

/// What a peer has left, and what it cost altogether.
#[derive(Debug)]
pub(super) struct Account {
    left: i64,
    at: Time,
    refused: u32,
    pub(super) total: PeerWork,
}

impl Account {
    pub(super) fn new(now: Time) -> Self {
        Self { left: BUDGET, at: now, refused: 0, total: PeerWork::default() }
    }

    /// Whether anything is left.
    pub(super) fn is_open(&mut self, now: Time) -> bool {
        let gained = now.since(self.at).saturating_mul(BUDGET_PER_SECOND) / 1_000;
        if gained > 0 {
            self.left = self.left.saturating_add_unsigned(gained).min(BUDGET);
            self.at = now;
        }
        if self.left == BUDGET {
            self.refused = 0;
        }
        self.left > 0
    }

    /// Notes that a question was refused; answers whether that happened too often.
    pub(super) fn refuse(&mut self) -> bool {
        self.refused = self.refused.saturating_add(1);
        self.refused > FORGIVEN
    }

    /// Takes the price of work that was done; what is not there is owed.
    pub(super) fn charge(&mut self, work: &PeerWork) {
        let before = self.total.units();
        self.total.add(work);
        let price = i64::try_from(self.total.units() - before).unwrap_or(i64::MAX);
        self.left = self.left.saturating_sub(price).max(-BUDGET);
    }
}

impl Engine {
    /// Holds work against the peer that it was done for.
    pub(super) fn charge(&mut self, peer: PeerId, work: &PeerWork) {
        if let Some(peer) = self.relay.peers.get_mut(&peer) {
            peer.account.charge(work);
        }
    }

    /// What each peer has cost since it connected.
    pub fn peer_work(&self) -> impl Iterator<Item = (PeerId, PeerWork)> {
        self.relay.peers.iter().map(|(id, peer)| (*id, peer.account.total))
    }
}
