//! How many bytes of blocks may be in flight: what this node's own line carries in good time.
//!
//! With more than that on its way from many peers at once, everything comes too late to count, and is asked for again.

use crate::engine::Time;

/// Bytes at first, at least and at most.
const FIRST: usize = 2 << 20;
const LEAST: usize = 64 << 10;
const MOST: usize = 32 << 20;

/// Milliseconds in which blocks come in good time; after twice as many they are overdue. Requests end after 30 s.
const GOOD: u64 = 8_000;

/// Bytes that may be in flight, as far as can be estimated.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: usize,
    /// When blocks last came in good time.
    good: Time,
    halved: Time,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: FIRST, good: Time(0), halved: Time(0) }
    }
}

impl Budget {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// So many bytes came that were asked for at a time.
    pub(super) fn delivered(&mut self, bytes: usize, asked: Time, now: Time) {
        let took = now.since(asked);
        if took < GOOD {
            (self.bytes, self.good) = (self.bytes.saturating_add(bytes).min(MOST), now);
        } else if took >= 2 * GOOD {
            self.late(now);
        }
    }

    /// Blocks came late or not at all. If none comes in good time, too much is in flight, and no peer is to blame.
    pub(super) fn late(&mut self, now: Time) {
        if now.since(self.good.max(self.halved)) >= GOOD {
            (self.bytes, self.halved) = ((self.bytes / 2).max(LEAST), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_by_what_comes_in_good_time_and_is_halved_once_in_a_while_if_nothing_does() {
        let mut budget = Budget::default();
        budget.delivered(FIRST, Time(10_000), Time(10_000 + GOOD - 1));
        assert_eq!(budget.bytes(), 2 * FIRST);
        // A peer that is late on purpose changes nothing while others deliver.
        budget.delivered(FIRST, Time(0), Time(20_000));
        budget.late(Time(20_000));
        assert_eq!(budget.bytes(), 2 * FIRST);
        let since = 10_000 + GOOD - 1;
        budget.delivered(FIRST, Time(since), Time(since + 2 * GOOD - 1));
        assert_eq!(budget.bytes(), 2 * FIRST, "neither soon nor late");
        (0..9).for_each(|_| budget.late(Time(since + 2 * GOOD)));
        assert_eq!(budget.bytes(), FIRST);
        (4..100).for_each(|times| budget.late(Time(since + times * GOOD)));
        assert_eq!(budget.bytes(), LEAST);
        (0..20).for_each(|_| budget.delivered(FIRST, Time(since), Time(since)));
        assert_eq!(budget.bytes(), MOST);
    }
}
