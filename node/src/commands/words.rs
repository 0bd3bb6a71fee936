//! How commands write what a node says: times, sizes, its miner.

use cairn_client::{counted, hash_rate};
use indicatif::HumanCount;
use serde_json::Value;

/// Seconds, in the two largest units.
pub(super) fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A whole number with its thousands apart: `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}

/// A number in three digits with the prefix of its size: `8.39 M`.
pub(super) fn scaled(number: f64) -> String {
    const PREFIXES: [&str; 8] = ["", "k", "M", "G", "T", "P", "E", "Z"];
    let (mut number, mut prefix) = (number, 0);
    // What is rounded to 1000 belongs to the next prefix.
    while number >= 999.5 && prefix + 1 < PREFIXES.len() {
        (number, prefix) = (number / 1e3, prefix + 1);
    }
    let decimals = match number {
        _ if prefix == 0 && number.fract() == 0.0 => 0,
        99.95.. => 0,
        9.995.. => 1,
        _ => 2,
    };
    format!("{number:.decimals$} {}", PREFIXES[prefix])
}

/// A count of bytes: `277 B`, `3.40 kB`.
pub(super) fn bytes(number: u64) -> String {
    format!("{}B", scaled(number as f64))
}

/// What the node's own miner does.
pub(super) fn mining(miner: &Value) -> String {
    let threads = || counted(miner["threads"].as_u64().unwrap_or_default(), "thread");
    match miner["mining"].as_bool() {
        Some(true) if miner["waiting"].is_string() => {
            format!("waiting on {}: {}", threads(), miner["waiting"].as_str().unwrap_or_default())
        }
        Some(true) => format!(
            "{} on {}, {} since the start",
            hash_rate(miner["hashrate"].as_f64().unwrap_or_default()),
            threads(),
            counted(miner["blocks"].as_u64().unwrap_or_default(), "block"),
        ),
        Some(false) if miner["automine"] == true => "a block for each transaction, and on evm_mine".to_owned(),
        Some(false) => "off (start the node with --mine, or mine with cairn-miner)".to_owned(),
        None => "not told".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_prefix_of_their_size() {
        assert_eq!([0.0, 7.0, 999.0, 1_000.0].map(scaled), ["0 ", "7 ", "999 ", "1.00 k"]);
        assert_eq!([1.5, 9_999.0, 99_960.0, 999_600.0].map(scaled), ["1.50 ", "10.0 k", "100 k", "1.00 M"]);
        assert_eq!([8_388_607.0, 3e13, 2e24].map(scaled), ["8.39 M", "30.0 T", "2000 Z"]);
        assert_eq!([f64::NAN, f64::INFINITY].map(scaled), ["NaN ", "inf Z"]);
        assert_eq!([0, 277, 3_400, u64::MAX].map(bytes), ["0 B", "277 B", "3.40 kB", "18.4 EB"]);
    }

    #[test]
    fn thousands_are_set_apart() {
        let expected = ["0", "999", "1,000", "123,456", "18,446,744,073,709,551,615"];
        assert_eq!([0, 999, 1_000, 123_456, u64::MAX].map(grouped), expected);
    }
}
