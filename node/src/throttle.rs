//! Token buckets, and log lines that strangers can provoke: a few, then one that counts the rest.

use std::time::{Duration, Instant};

/// Lines of one kind that are written at once.
const BURST: u32 = 5;
/// How often one more may be written.
const REFILL: Duration = Duration::from_secs(10);
/// The same, of [`Throttle::seldom`].
const SELDOM: Duration = Duration::from_secs(600);

/// So many at once, and one more after each period.
#[derive(Debug)]
pub struct Bucket {
    left: u32,
    most: u32,
    period: Duration,
    refilled: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(most: u32, period: Duration, now: Instant) -> Self {
        Self { left: most, most, period, refilled: now }
    }

    /// How many there are.
    pub fn left(&self, now: Instant) -> u32 {
        self.left.saturating_add(u32::try_from(self.earned(now)).unwrap_or(self.most)).min(self.most)
    }

    fn earned(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.refilled).as_secs() / self.period.as_secs()
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        if self.earned(now) > 0 {
            (self.left, self.refilled) = (self.left(now), now);
        }
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

/// Decides which lines are written.
#[derive(Debug)]
pub struct Throttle {
    bucket: Bucket,
    suppressed: u64,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { bucket: Bucket::new(BURST, REFILL, Instant::now()), suppressed: 0 }
    }
}

impl Throttle {
    /// For lines on a device that comes again every half a minute, for ever.
    pub fn seldom() -> Self {
        Self { bucket: Bucket::new(BURST, SELDOM, Instant::now()), suppressed: 0 }
    }

    /// Whether a line may be written now, and how many were not since the last, if any; `None` leaves it out.
    pub fn allow(&mut self, now: Instant) -> Option<Option<u64>> {
        if !self.bucket.take(now) {
            self.suppressed += 1;
            return None;
        }
        Some(Some(std::mem::take(&mut self.suppressed)).filter(|count| *count > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_is_counted_instead_of_written() {
        let mut throttle = Throttle::default();
        let start = throttle.bucket.refilled;
        assert_eq!((0..BURST).filter(|_| throttle.allow(start) == Some(None)).count(), BURST as usize);
        assert!((0..1_000).all(|_| throttle.allow(start).is_none()));
        assert_eq!(throttle.allow(start + REFILL), Some(Some(1_000)));
        assert_eq!(throttle.allow(start + REFILL), None);
    }
}
