//! Numbers that a user gives to a benchmark, mostly to make it smaller.

use std::{ops::RangeInclusive, process};

/// The number that a variable of the environment sets. What it cannot be ends the process, with what it can be.
pub fn setting(name: &str, default: usize, range: RangeInclusive<usize>) -> usize {
    std::env::var_os(name).map_or(default, |text| argument(name, &text.to_string_lossy(), range))
}

/// A number that was given by a name. What it cannot be ends the process, with what it can be.
pub fn argument(name: &str, text: &str, range: RangeInclusive<usize>) -> usize {
    parse(name, text, range).unwrap_or_else(|reason| {
        eprintln!("error: {reason}");
        process::exit(2)
    })
}

fn parse(name: &str, text: &str, range: RangeInclusive<usize>) -> Result<usize, String> {
    let (least, most) = (range.start(), range.end());
    let expected = match *most {
        usize::MAX => format!("{least} or more"),
        most => format!("{least} to {most}"),
    };
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{name}={text}: expected a number, {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_out_of_its_range_is_refused_with_the_range() {
        assert_eq!(parse("BLOCKS", "20", 20..=usize::MAX), Ok(20));
        let refused = |text, range| parse("BLOCKS", text, range).unwrap_err();
        for text in ["0", "19", "", "-1", "many", "20.5"] {
            assert_eq!(refused(text, 20..=usize::MAX), format!("BLOCKS={text}: expected a number, 20 or more"));
        }
        assert_eq!(refused("300001", 1..=300_000), "BLOCKS=300001: expected a number, 1 to 300000");
    }
}
