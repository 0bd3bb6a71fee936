//! The state of a search, as text or JSON.

use std::time::Duration;

use cairn_client::hash_rate;
use chain_core::{U256, units::Height, work::pow};
use serde_json::{Value, json};

use crate::{Miner, temperature, work::difficulty};

/// The state of the search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Hashes per second of each thread.
    pub hash_rates: Vec<f64>,
    /// Height of the block that is searched.
    pub height: Height,
    /// Its target; zero before the first work.
    pub target: U256,
    /// The lowest hash so far.
    pub best: Option<U256>,
    /// Temperature of the processor.
    pub celsius: Option<f64>,
    /// Since the start.
    pub elapsed: Duration,
}

impl Status {
    /// What a miner does now.
    pub fn of(miner: &Miner, (height, target): (Height, U256), elapsed: Duration) -> Self {
        let (hash_rates, best) = (miner.hash_rates(), miner.best());
        Self { hash_rates, height, target, best, celsius: temperature::celsius(), elapsed }
    }

    fn hash_rate(&self) -> f64 {
        self.hash_rates.iter().sum()
    }

    /// Difficulty of the best hash, as pools count it: 1 is that of Bitcoin's first block.
    fn best_difficulty(&self) -> Option<f64> {
        self.best.map(difficulty)
    }

    /// Expected seconds to a block. `None` without a hash rate or work.
    fn block_seconds(&self) -> Option<f64> {
        let rate = self.hash_rate();
        (rate > 0.0 && self.target > U256::ZERO).then(|| f64::from(pow::work(self.target)) / rate)
    }

    /// The line of text, with these totals.
    pub fn line(&self, totals: &str) -> String {
        let threads = self.hash_rates.len();
        let mut parts = vec![hash_rate(self.hash_rate())];
        if threads > 1 {
            parts[0] += &format!(" ({} a thread)", hash_rate(self.hash_rate() / threads as f64));
        }
        parts.push(format!("height {}", self.height));
        parts.extend(self.block_seconds().map(|seconds| format!("a block in {}", long_time(seconds))));
        parts.extend(self.best_difficulty().map(|best| format!("best {}", short(best))));
        parts.push(totals.to_owned());
        parts.extend(self.celsius.map(|celsius| format!("{celsius:.0} °C")));
        parts.push(clock(self.elapsed));
        parts.join("  ")
    }

    /// The event, with the fields of these totals.
    pub fn json(&self, mut totals: Value) -> Value {
        totals["event"] = "status".into();
        totals["hashrate"] = json!(self.hash_rate());
        totals["threadHashrates"] = json!(self.hash_rates);
        totals["height"] = json!(self.height);
        totals["bestDifficulty"] = json!(self.best_difficulty());
        totals["blockSeconds"] = json!(self.block_seconds());
        totals["celsius"] = json!(self.celsius);
        totals["seconds"] = json!(self.elapsed.as_secs());
        totals
    }
}

/// As in `0.0123`, `12.3` or `4.56 M`: a difficulty.
fn short(number: f64) -> String {
    let units = [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")];
    match units.into_iter().find(|(unit, _)| number >= *unit) {
        Some((unit, name)) => format!("{:.2}{name}", number / unit),
        None if number >= 1.0 => format!("{number:.1}"),
        None => format!("{number:.4}"),
    }
}

/// As in `0.3 s`, `12 min` or `3.4 years`.
fn long_time(seconds: f64) -> String {
    let units = [(31_557_600.0, "years"), (86_400.0, "days"), (3_600.0, "h"), (60.0, "min")];
    let (unit, name) = units.into_iter().find(|(unit, _)| seconds >= 2.0 * unit).unwrap_or((1.0, "s"));
    let digits = usize::from(seconds / unit < 10.0);
    format!("{:.digits$} {name}", seconds / unit)
}

/// As in `1:02:03`.
fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_rates_and_times() {
        assert_eq!(hash_rate(0.0), "0.00 H/s");
        assert_eq!(hash_rate(999.0), "999.00 H/s");
        assert_eq!(hash_rate(12_345_678.0), "12.35 MH/s");
        assert_eq!(hash_rate(2.5e14), "250.00 TH/s");
        assert_eq!(clock(Duration::from_secs(3_723)), "1:02:03");
        assert_eq!([0.01234, 12.34, 4_560_000.0].map(short), ["0.0123", "12.3", "4.56 M"]);
        assert_eq!([0.25, 119.0, 120.0, 1e5, 1e10].map(long_time), ["0.2 s", "119 s", "2.0 min", "28 h", "317 years"]);
    }
}
