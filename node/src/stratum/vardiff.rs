//! The difficulty of a miner: set so that a share comes every few seconds, whatever its hash rate.

use std::time::Duration;

use super::target;

/// Seconds between shares that are aimed at: often enough that a rate shows within a minute, and seldom enough that a thousand
/// miners cost the node nothing.
const APART: f64 = 6.0;
/// A difficulty is judged after so many shares, or so long.
const SHARES: u32 = 24;
const WINDOW: Duration = Duration::from_secs(60);
/// Without a share in that time it falls to a part, and it rises by no more than a factor at once.
const FALL: f64 = 4.0;
const RISE: f64 = 64.0;
/// Shares come by chance: what is off by less is left.
const TOLERANCE: f64 = 2.0;

/// The difficulty that a miner should have.
#[derive(Debug)]
pub struct Vardiff {
    difficulty: f64,
    since: Duration,
    shares: u32,
    /// Sum of their difficulties.
    work: f64,
}

impl Vardiff {
    /// Begins with a difficulty.
    pub fn new(difficulty: f64, now: Duration) -> Self {
        Self { difficulty: difficulty.clamp(target::LEAST, target::MOST), since: now, shares: 0, work: 0.0 }
    }

    /// What it is now.
    pub fn difficulty(&self) -> f64 {
        self.difficulty
    }

    /// Notes a share of this difficulty.
    pub fn share(&mut self, difficulty: f64) {
        self.shares += 1;
        self.work += difficulty;
    }

    /// Judges it when there is enough to judge; whether it changed.
    pub fn retarget(&mut self, now: Duration) -> bool {
        let took = now.saturating_sub(self.since);
        if self.shares < SHARES && took < WINDOW {
            return false;
        }
        let fitting = self.work / took.as_secs_f64().max(0.1) * APART;
        let next = fitting.clamp(self.difficulty / FALL, self.difficulty * RISE);
        let is_off = next > self.difficulty * TOLERANCE || next < self.difficulty / TOLERANCE;
        *self = Self::new(if is_off { next } else { self.difficulty }, now);
        is_off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The difficulty after some minutes of a miner that finds so much difficulty a second, evenly.
    fn settled(start: f64, rate: f64) -> f64 {
        let mut vardiff = Vardiff::new(start, Duration::ZERO);
        let (mut now, mut done) = (0.0, 0.0);
        while now < 1_200.0 {
            let step = ((vardiff.difficulty() - done) / rate).clamp(0.0, 1.0);
            (now, done) = (now + step, done + rate * step);
            if done >= vardiff.difficulty() * 0.999 {
                vardiff.share(vardiff.difficulty());
                done = 0.0;
            }
            vardiff.retarget(Duration::from_secs_f64(now));
        }
        vardiff.difficulty()
    }

    #[test]
    fn shares_come_every_few_seconds_at_any_hash_rate() {
        // A chip of 80 kH/s, a core, a Bitaxe, a machine of 100 TH/s.
        for hashes in [80e3, 1.5e6, 1.2e12, 1e14] {
            let rate = hashes / 4_294_967_296.0;
            for start in [0.000_01, 0.01, 1_000.0] {
                let apart = settled(start, rate) / rate;
                assert!((APART / TOLERANCE..=APART * TOLERANCE).contains(&apart), "{hashes} from {start}: {apart}");
            }
        }
    }

    #[test]
    fn a_few_shares_more_or_less_change_nothing() {
        let mut vardiff = Vardiff::new(1.0, Duration::ZERO);
        (0..16).for_each(|_| vardiff.share(1.0));
        assert!(!vardiff.retarget(Duration::from_secs(59)));
        assert!(!vardiff.retarget(Duration::from_secs(60)));
        assert!((vardiff.difficulty() - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_miner_that_finds_nothing_gets_easier_work_and_a_fast_one_harder_at_once() {
        let mut vardiff = Vardiff::new(1.0, Duration::ZERO);
        assert!(vardiff.retarget(Duration::from_secs(60)));
        assert!((vardiff.difficulty() - 0.25).abs() < f64::EPSILON);
        (0..SHARES).for_each(|_| vardiff.share(0.25));
        assert!(vardiff.retarget(Duration::from_secs(60)));
        assert!((vardiff.difficulty() - 16.0).abs() < f64::EPSILON);
    }

    #[test]
    fn no_suggestion_leaves_the_bounds() {
        for wild in [0.0, -5.0, 1e300, f64::INFINITY] {
            let mut vardiff = Vardiff::new(wild, Duration::ZERO);
            for second in 1..100 {
                vardiff.retarget(Duration::from_secs(60 * second));
                assert!((target::LEAST..=target::MOST).contains(&vardiff.difficulty()));
            }
        }
    }
}
