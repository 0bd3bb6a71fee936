//! The hash rate.

use std::{collections::VecDeque, time::Duration};

/// Hashes per second over the last ten seconds.
#[derive(Debug, Default)]
pub struct Meter {
    /// Times, and the hashes done until then.
    samples: VecDeque<(Duration, u64)>,
}

impl Meter {
    /// Period of the average.
    const WINDOW: Duration = Duration::from_secs(10);

    /// Records the number of hashes done until now, and returns the rate. Call it about once per second.
    pub fn record(&mut self, now: Duration, hashes: u64) -> f64 {
        self.samples.push_back((now, hashes));
        while self.samples.get(1).is_some_and(|(time, _)| *time + Self::WINDOW <= now) {
            self.samples.pop_front();
        }
        let (since, before) = self.samples[0];
        let seconds = now.saturating_sub(since).as_secs_f64();
        if seconds > 0.0 { hashes.saturating_sub(before) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn counts_hashes_a_second() {
        let mut meter = Meter::default();
        assert_eq!(meter.record(seconds(0), 0), 0.0);
        assert_eq!(meter.record(seconds(2), 200), 100.0);
        assert_eq!(meter.record(seconds(4), 600), 150.0);
    }

    #[test]
    fn forgets_what_is_older_than_its_window() {
        let mut meter = Meter::default();
        for second in 0..=20 {
            meter.record(seconds(second), 1_000 * second);
        }
        for second in 21..=30 {
            meter.record(seconds(second), 20_000);
        }
        assert_eq!(meter.record(seconds(31), 20_000), 0.0);
        assert!(meter.samples.len() <= 12);
    }

    #[test]
    fn two_looks_at_one_instant_are_no_division_by_zero() {
        let mut meter = Meter::default();
        meter.record(seconds(5), 10);
        assert_eq!(meter.record(seconds(5), 20), 0.0);
    }
}
