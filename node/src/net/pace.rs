//! How much a peer may gossip. Each message is remembered for ten minutes, so that bytes which cost nothing would fill the memory.
//!
//! A burst is no offence: blocks pile up while a network is apart, and a chain whose difficulty still has to rise makes many a
//! second. Such bursts are bounded by work; what is sent beyond for long is made up.

use std::time::Instant;

/// Messages and bytes that a peer may send at once.
const MESSAGES: u64 = 16_384;
const BYTES: u64 = 256 << 20;
/// Messages and bytes that it may send each second for ever: chains are made for less than one block a second.
const MESSAGES_A_SECOND: u64 = 128;
const BYTES_A_SECOND: u64 = 8 << 20;

/// What a peer may send now.
#[derive(Debug)]
pub struct Pace {
    messages: u64,
    bytes: u64,
    /// Up to when it has earned.
    at: Instant,
}

impl Pace {
    /// That of a peer that has just come.
    pub fn new(now: Instant) -> Self {
        Self { messages: MESSAGES, bytes: BYTES, at: now }
    }

    /// It sends a message of so many bytes; returns whether it may.
    pub fn take(&mut self, now: Instant, bytes: usize) -> bool {
        let seconds = now.saturating_duration_since(self.at).as_secs();
        if seconds > 0 {
            self.messages = self.messages.saturating_add(seconds.saturating_mul(MESSAGES_A_SECOND)).min(MESSAGES);
            self.bytes = self.bytes.saturating_add(seconds.saturating_mul(BYTES_A_SECOND)).min(BYTES);
            self.at = now;
        }
        let left = self.messages.checked_sub(1).zip(self.bytes.checked_sub(bytes as u64));
        (self.messages, self.bytes) = left.unwrap_or((self.messages, self.bytes));
        left.is_some()
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
    fn a_chain_of_ninety_blocks_a_second_is_no_flood() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for second in 0..3_600 {
            let now = start + Duration::from_secs(second);
            assert!((0..90).all(|_| pace.take(now, 400)), "second {second}");
        }
    }
}
