//! The hash rate.

use std::{collections::VecDeque, time::Duration};

/// Hashes a second over the last ten seconds.
#[derive(Debug, Default)]
pub struct Meter {
    /// Times since some start, and hashes done until then.
    samples: VecDeque<(Duration, u64)>,
}

impl Meter {
    /// What the rate is taken over.
    const WINDOW: Duration = Duration::from_secs(10);

    /// Takes note of how many hashes were done until now, and answers with the rate. Call it once a second or so.
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
