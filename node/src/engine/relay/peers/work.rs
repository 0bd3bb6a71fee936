//! What peers make the engine do, counted rather than timed, so that a simulation repeats it; and what each may cost.
//!
//! A unit stands for about ten microseconds of the engine's thread. A request is charged after it was served, by what it
//! touched: an attacker looks for cheap bytes that cause expensive work, and a price for each kind of request always misses some.

use std::collections::BTreeMap;

use crate::engine::{Payer, Time};

/// Milliseconds between two times at which the pool is told to one peer, and to all peers of one owner.
pub(crate) const POOL_AGAIN: u64 = 60_000;

/// Units that one payer may have saved up, and gets each second: a hundred of them together can take the whole thread.
const BUDGET: i64 = 5_000;
const BUDGET_PER_SECOND: u64 = 1_000;

/// Budgets of those who have left that are remembered until they have recovered, which takes ten seconds. An attacker with more
/// hosts than this gets a fresh one for each, as it would without leaving.
const LEFT: usize = 1_024;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerWork {
    /// Requests and messages received, weighed by kind.
    pub base: u64,
    /// Transactions of the pool that were hashed or looked up.
    pub leaves: u64,
    /// Bytes of blocks that were decoded.
    pub decoded: u64,
    /// Bytes that were read or encoded for answers.
    pub copied: u64,
    /// Rows that were read from the database.
    pub rows: u64,
    /// Requests that this node sent to the peer.
    pub asked: u64,
}

impl PeerWork {
    /// What it costs; requests of our own cost a peer nothing.
    pub fn units(&self) -> u64 {
        self.base + self.leaves / 128 + self.decoded / 2_048 + self.copied / 16_384 + self.rows.div_ceil(4)
    }

    /// The most that one peer may cost in so many seconds. The last request may touch more than was left to pay for it: at most
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

/// The budget of one payer.
#[derive(Debug)]
struct Account {
    left: i64,
    at: Time,
    /// When the pool was last told to it.
    pool: Option<Time>,
    /// Its connections.
    peers: usize,
}

impl Account {
    fn new(now: Time) -> Self {
        Self { left: BUDGET, at: now, pool: None, peers: 0 }
    }

    fn recover(&mut self, now: Time) {
        let gained = now.since(self.at).saturating_mul(BUDGET_PER_SECOND) / 1_000;
        if gained > 0 {
            self.left = self.left.saturating_add_unsigned(gained).min(BUDGET);
            self.at = now;
        }
    }

    /// Whether it differs from one that was never used.
    fn is_used(&mut self, now: Time) -> bool {
        self.recover(now);
        self.left < BUDGET || self.has_heard_pool(now)
    }

    fn has_heard_pool(&self, now: Time) -> bool {
        self.pool.is_some_and(|at| now.since(at) < POOL_AGAIN)
    }
}

/// The budgets of all payers. One that connects again finds its own as it left it: else a new connection would get what the old
/// one was refused.
#[derive(Debug, Default)]
pub(super) struct Accounts(BTreeMap<Payer, Account>);

impl Accounts {
    /// One more connection.
    pub(super) fn connected(&mut self, payer: Payer, now: Time) {
        self.0.entry(payer).or_insert_with(|| Account::new(now)).peers += 1;
    }

    /// A connection ended.
    pub(super) fn disconnected(&mut self, payer: Payer, now: Time) {
        if let Some(account) = self.0.get_mut(&payer) {
            account.peers = account.peers.saturating_sub(1);
        }
        self.0.retain(|_, account| account.peers > 0 || account.is_used(now));
        let left = || self.0.iter().filter(|(_, account)| account.peers == 0);
        if left().count() > LEFT
            && let Some(fullest) = left().max_by_key(|(_, account)| account.left).map(|(payer, _)| *payer)
        {
            self.0.remove(&fullest);
        }
    }

    /// When something is left; `now` if it is.
    pub(super) fn opens_at(&self, payer: Payer, now: Time) -> Time {
        let Some(account) = self.0.get(&payer) else { return now };
        let owed = u64::try_from(1 - account.left).unwrap_or_default();
        account.at.after(owed * 1_000 / BUDGET_PER_SECOND).max(now)
    }

    /// Whether anything is left.
    pub(super) fn is_open(&self, payer: Payer, now: Time) -> bool {
        self.opens_at(payer, now) == now
    }

    /// Takes the price of work that was done; what is not there is owed.
    pub(super) fn charge(&mut self, payer: Payer, price: u64, now: Time) {
        if let Some(account) = self.0.get_mut(&payer) {
            account.recover(now);
            account.left = account.left.saturating_sub(i64::try_from(price).unwrap_or(i64::MAX)).max(-BUDGET);
        }
    }

    /// Whether the pool was told to it lately.
    pub(super) fn has_heard_pool(&self, payer: Payer, now: Time) -> bool {
        self.0.get(&payer).is_some_and(|account| account.has_heard_pool(now))
    }

    /// The pool is told to it now.
    pub(super) fn hears_pool(&mut self, payer: Payer, now: Time) {
        if let Some(account) = self.0.get_mut(&payer) {
            account.pool = Some(now);
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_of_those_who_left_are_few() {
        let (mut accounts, now) = (Accounts::default(), Time(0));
        for payer in 0..5_000 {
            accounts.connected(Payer(payer), now);
            accounts.hears_pool(Payer(payer), now);
            assert!(accounts.has_heard_pool(Payer(payer), now));
            accounts.disconnected(Payer(payer), now);
            assert!(accounts.len() <= 1_024);
        }
        accounts.connected(Payer(9_999), now);
        accounts.disconnected(Payer(9_999), now.after(60_000));
        assert_eq!(accounts.len(), 0, "what has recovered is forgotten");
    }
}
