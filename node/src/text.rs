//! English for counts.

use std::fmt::Display;

/// A count with its noun: `1 block`, `2 blocks`, `0 blocks`.
pub fn count(number: impl Display, noun: &str) -> String {
    let number = number.to_string();
    let plural = match noun.strip_suffix('y') {
        _ if number == "1" => return format!("1 {noun}"),
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    };
    format!("{number} {plural}")
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn one_is_singular_and_none_is_plural() {
        assert_eq!([count(0, "block"), count(1, "block"), count(2, "block")], ["0 blocks", "1 block", "2 blocks"]);
        assert_eq!([count(1, "entry"), count(21, "entry")], ["1 entry", "21 entries"]);
    }
}
