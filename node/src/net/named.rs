//! A node that the operator named.

use libp2p::{Multiaddr, PeerId};
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};
use tokio::task::AbortHandle;

use super::address;

/// Waits between attempts.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Most hosts that one name stands for.
const HOSTS: usize = 16;
/// How often the log says that it cannot be reached.
const COMPLAIN: Duration = Duration::from_secs(600);

/// A node that the operator named.
#[derive(Clone, Debug)]
pub struct Named {
    /// Tells it from the others.
    pub number: u64,
    /// Where it is, without its key.
    pub address: Multiaddr,
    /// The key that it must have, if the operator said so.
    pub given: Option<PeerId>,
    /// The key that it had when it was connected last.
    pub learnt: Option<PeerId>,
    /// Hosts that its address stands for.
    pub hosts: Vec<IpAddr>,
    /// Whether to stay connected with it, rather than to begin with it.
    pub stay: bool,
    wait: Duration,
    next: Instant,
    complained: Option<Instant>,
    /// The look-up of its name.
    lookup: Option<AbortHandle>,
}

impl Named {
    /// A node to dial at once.
    pub fn new(number: u64, address: Multiaddr, stay: bool) -> Self {
        let (address, given) = address::split(address);
        let next = Instant::now();
        Self {
            number,
            address,
            given,
            learnt: None,
            hosts: Vec::new(),
            stay,
            wait: FIRST_WAIT,
            next,
            complained: None,
            lookup: None,
        }
    }

    /// Its name, or its address, stands for these.
    pub fn is_at(&mut self, addresses: &[Multiaddr]) {
        self.hosts = addresses.iter().take(HOSTS).filter_map(address::ip).map(address::host).collect();
    }

    /// The key to expect.
    pub fn peer(&self) -> Option<PeerId> {
        self.given.or(self.learnt)
    }

    /// Dials it at once again, and stays from now on if `stay`.
    pub fn hurry(&mut self, stay: bool) {
        (self.wait, self.next) = (FIRST_WAIT, Instant::now());
        self.stay |= stay;
    }

    /// Its name is looked up: it is not due before this ends.
    pub fn looks_up(&mut self, lookup: AbortHandle) {
        self.lookup = Some(lookup);
    }

    /// Whether it is time to dial it; if so, the next time is a longer wait away.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let due = self.next <= now && self.lookup.as_ref().is_none_or(AbortHandle::is_finished);
        if due {
            self.next = now + self.wait;
            self.wait = (self.wait * 2).min(LONGEST_WAIT);
        }
        due
    }

    /// It was connected, and is of this chain.
    pub fn met(&mut self) {
        (self.wait, self.complained) = (FIRST_WAIT, None);
    }

    /// Waits as long as it ever does before the next attempt.
    pub fn rest(&mut self, now: Instant) {
        self.leave_alone(now + LONGEST_WAIT);
    }

    /// Is not dialled before this time.
    pub fn leave_alone(&mut self, until: Instant) {
        (self.wait, self.next) = (LONGEST_WAIT, until);
    }

    /// Says in the log that it cannot be reached: at the first failure, and then from time to time.
    pub fn complain(&mut self, reason: &str, now: Instant) {
        if self.complained.is_some_and(|at| now.saturating_duration_since(at) < COMPLAIN) {
            return;
        }
        self.complained = Some(now);
        let address = &self.address;
        tracing::warn!(%address, "cannot connect to the node that was named: {reason}; trying again from time to time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Named {
        Named::new(1, text.parse().unwrap(), true)
    }

    #[test]
    fn attempts_become_rarer_until_it_is_met() {
        let mut node = named("/ip4/1.2.3.4/tcp/5");
        let mut now = node.next;
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(node.is_due(now));
            now += Duration::from_secs(wait);
            assert!(!node.is_due(now - Duration::from_millis(1)));
        }
        node.met();
        assert!(node.is_due(now));
        assert!(node.is_due(now + FIRST_WAIT));
    }

    #[tokio::test]
    async fn a_name_is_not_looked_up_while_it_is_being_looked_up() {
        let mut node = named("/dns4/a.example/tcp/5");
        let lookup = tokio::spawn(std::future::pending::<()>());
        node.looks_up(lookup.abort_handle());
        node.hurry(true);
        assert!(!node.is_due(node.next));
        lookup.abort();
        assert!(lookup.await.unwrap_err().is_cancelled());
        assert!(node.is_due(node.next));
    }

    #[test]
    fn an_unreachable_node_is_named_in_the_log_once_in_ten_minutes() {
        let mut node = named("/dns4/a.example/tcp/5");
        let now = Instant::now();
        node.complain("why", now);
        assert_eq!(node.complained, Some(now));
        node.complain("why", now + COMPLAIN / 2);
        assert_eq!(node.complained, Some(now), "not again");
        node.complain("why", now + COMPLAIN);
        assert_eq!(node.complained, Some(now + COMPLAIN));
        node.met();
        assert_eq!(node.complained, None, "the next failure is news");
    }
}
