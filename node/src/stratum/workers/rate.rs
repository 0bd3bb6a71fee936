//! A hash rate from shares: the difficulty of the last minutes, recent ones counting most.

/// Seconds after which a share counts a third.
const MEMORY: f64 = 300.0;
/// Hashes that difficulty 1 takes.
const HASHES: f64 = 4_294_967_296.0;
/// Nothing is said of fewer seconds: one share would be a rate.
const LEAST: f64 = 15.0;

/// What was found lately.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    since: u64,
    at: u64,
    sum: f64,
}

impl Rate {
    /// Nothing yet.
    pub fn new(now: u64) -> Self {
        Self { since: now, at: now, sum: 0.0 }
    }

    /// Notes a share.
    pub fn add(&mut self, difficulty: f64, now: u64) {
        self.sum = self.faded(now) + difficulty;
        self.at = self.at.max(now);
    }

    /// Hashes a second.
    pub fn hashes(&self, now: u64) -> f64 {
        let seen = (now.saturating_sub(self.since) as f64).max(LEAST);
        // What shares that came evenly since the beginning would add up to, one a second.
        let weight = MEMORY * (1.0 - (-seen / MEMORY).exp());
        self.faded(now) * HASHES / weight
    }

    fn faded(&self, now: u64) -> f64 {
        self.sum * (-(now.saturating_sub(self.at) as f64) / MEMORY).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_shares_are_their_rate_soon_and_later() {
        let mut rate = Rate::new(0);
        for second in (6..=3_600).step_by(6) {
            rate.add(2.0, second);
            if [60, 600, 3_600].contains(&second) {
                let expected = 2.0 / 6.0 * HASHES;
                assert!((rate.hashes(second) / expected - 1.0).abs() < 0.1, "after {second} s");
            }
        }
        assert!(rate.hashes(7_200) < 0.001 * HASHES, "it stopped an hour ago");
        assert!(Rate::new(5).hashes(5) < f64::EPSILON && Rate::default().hashes(0) < f64::EPSILON);
    }
}
