//! How much a peer may gossip. Each message is remembered for minutes, so that bytes which cost nothing would fill the memory.
//!
//! What was sent is counted by host and by key, as points are, so that another connection is no new budget.
//!
//! A burst is allowed: blocks pile up while a network is apart, and a chain whose difficulty still has to rise makes many a
//! second. Such bursts are bounded by work; what is sent beyond for long is made up.

use libp2p::PeerId;
use std::{collections::HashMap, net::IpAddr, time::Instant};

use super::{bans::Target, misbehaviour::targets};

/// Messages and bytes that a peer may send at once.
const MESSAGES: u64 = 16_384;
const BYTES: u64 = 256 << 20;
/// Messages and bytes that it may send each second for ever: chains are made for less than one block a second.
const MESSAGES_A_SECOND: u64 = 128;
const BYTES_A_SECOND: u64 = 8 << 20;
/// Most hosts and keys that are remembered. Beyond, those with the most left are forgotten.
const MOST: usize = 4_096;

/// What a host or key may send now.
#[derive(Debug)]
struct Pace {
    messages: u64,
    bytes: u64,
    /// Up to when it has earned.
    at: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { messages: MESSAGES, bytes: BYTES, at: now }
    }

    /// It sends a message of so many bytes; returns whether it may.
    fn take(&mut self, now: Instant, bytes: usize) -> bool {
        self.earn(now);
        let left = self.messages.checked_sub(1).zip(self.bytes.checked_sub(bytes as u64));
        (self.messages, self.bytes) = left.unwrap_or((self.messages, self.bytes));
        left.is_some()
    }

    fn earn(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs();
        if seconds > 0 {
            self.messages = self.messages.saturating_add(seconds.saturating_mul(MESSAGES_A_SECOND)).min(MESSAGES);
            self.bytes = self.bytes.saturating_add(seconds.saturating_mul(BYTES_A_SECOND)).min(BYTES);
            self.at = now;
        }
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.earn(now);
        (self.messages, self.bytes) == (MESSAGES, BYTES)
    }
}

/// What all hosts and keys may send.
#[derive(Debug, Default)]
pub struct Paces(HashMap<Target, Pace>);

impl Paces {
    /// A peer sends a message of so many bytes; returns whether it may.
    pub fn take(&mut self, peer: PeerId, ip: Option<IpAddr>, now: Instant, bytes: usize) -> bool {
        let mut may = true;
        for target in targets(peer, ip) {
            may &= self.0.entry(target).or_insert_with(|| Pace::new(now)).take(now, bytes);
        }
        if self.0.len() > MOST {
            self.0.retain(|_, pace| !pace.is_full(now));
        }
        // Not this one: it would come back with a new budget.
        let own: Vec<Target> = targets(peer, ip).collect();
        while self.0.len() > MOST {
            let others = self.0.iter().filter(|(target, _)| !own.contains(target));
            let Some(fullest) = others.max_by_key(|(_, pace)| pace.messages).map(|(target, _)| *target) else { break };
            self.0.remove(&fullest);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_is_free_and_a_flood_is_not() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert!((0..MESSAGES).all(|_| pace.take(start, 300)));
        assert!(!pace.take(start, 300));
        let later = start + Duration::from_secs(3);
        assert_eq!((0..1_000).filter(|_| pace.take(later, 300)).count() as u64, 3 * MESSAGES_A_SECOND);
        assert!(Pace::new(start).take(start, BYTES as usize));
        assert!(!Pace::new(start).take(start, BYTES as usize + 1));
    }

    #[test]
    fn a_host_that_connects_again_has_no_new_budget_and_others_have_their_own() {
        let (mut paces, now) = (Paces::default(), Instant::now());
        let keys: Vec<PeerId> = (0..64).map(|_| PeerId::random()).collect();
        let take = |paces: &mut Paces, number: u64, ip: &str| {
            paces.take(keys[number as usize % keys.len()], Some(ip.parse().unwrap()), now, 300)
        };
        assert!((0..MESSAGES).all(|number| take(&mut paces, number, "9.9.9.9")));
        assert!(!take(&mut paces, 7, "9.9.9.9"), "another key of the same host");
        assert!(take(&mut paces, 7, "8.8.8.8"));
        let same = PeerId::random();
        assert!((0..MESSAGES).all(|_| paces.take(same, None, now, 300)));
        assert!(!paces.take(same, Some("7.7.7.7".parse().unwrap()), now, 300), "the same key from another host");
    }

    #[test]
    fn what_is_remembered_of_hosts_is_bounded_and_those_who_sent_most_stay() {
        let (mut paces, now) = (Paces::default(), Instant::now());
        let worst = PeerId::random();
        assert!((0..MESSAGES).all(|_| paces.take(worst, None, now, 300)));
        let others: Vec<PeerId> = (0..MOST + 100).map(|_| PeerId::random()).collect();
        for other in &others {
            paces.take(*other, None, now, 300);
            assert!(paces.0.len() <= MOST);
        }
        assert!(!paces.take(worst, None, now, 300));
        assert!(paces.take(worst, None, now + Duration::from_secs(1), 300));
        // One more does not come back with a new budget each time, however many are remembered.
        let one = PeerId::random();
        assert!((0..MESSAGES).all(|_| paces.take(one, None, now, 300)));
        assert!(!paces.take(one, None, now, 300));
    }

    #[test]
    fn a_chain_of_ninety_blocks_a_second_is_no_flood() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for second in 0..3_600 {
            let now = start + Duration::from_secs(second);
            assert!((0..90).all(|_| pace.take(now, 400)), "second {second}");
        }
    }
}
