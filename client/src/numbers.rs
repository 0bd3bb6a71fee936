//! Numbers as people read them.

use std::fmt::Display;

/// A count with its noun: `1 block`, `2 blocks`, `0 entries`.
pub fn counted(count: impl Display, noun: &str) -> String {
    let count = count.to_string();
    match noun.strip_suffix('y') {
        _ if count == "1" => format!("1 {noun}"),
        Some(stem) if !noun.ends_with("key") => format!("{count} {stem}ies"),
        _ if noun.ends_with("ss") => format!("{count} {noun}es"),
        _ => format!("{count} {noun}s"),
    }
}

/// Hashes a second, as in `12.34 MH/s`.
pub fn hash_rate(rate: f64) -> String {
    let units = [(1e12, "TH/s"), (1e9, "GH/s"), (1e6, "MH/s"), (1e3, "kH/s")];
    let (unit, name) = units.into_iter().find(|(unit, _)| rate >= *unit).unwrap_or((1.0, "H/s"));
    format!("{:.2} {name}", rate / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_none_is_plural() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "block")), ["0 blocks", "1 block", "2 blocks"]);
        assert_eq!([1, 21].map(|count| counted(count, "entry")), ["1 entry", "21 entries"]);
        assert_eq!(["key", "address"].map(|noun| counted(2, noun)), ["2 keys", "2 addresses"]);
    }

    #[test]
    fn a_hash_rate_has_the_unit_that_keeps_it_short() {
        let texts = [0.0, 999.0, 1_000.0, 1_390_000.0, 2.5e15].map(hash_rate);
        assert_eq!(texts, ["0.00 H/s", "999.00 H/s", "1.00 kH/s", "1.39 MH/s", "2500.00 TH/s"]);
    }
}
