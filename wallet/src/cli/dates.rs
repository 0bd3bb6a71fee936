//! Days and times as people write them, in UTC.

use cairn_client::{DAY, civil, days_of};
pub use cairn_client::{unix as now, utc as show};

/// Reads a day, as its first second since 1970, or a number of seconds since 1970.
///
/// # Errors
/// What a date looks like.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is not a date: write it as 2026-11-28, or in seconds since 1970");
    if !text.contains('-') {
        return text.parse().map_err(|_| wrong());
    }
    let parts = text.split('-').map(|part| part.parse::<u64>().map_err(|_| wrong())).collect::<Result<Vec<_>, _>>()?;
    let [year, month, day] = parts[..] else { return Err(wrong()) };
    if !(1970..=9_999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return Err(wrong());
    }
    let days = days_of(year, month, day);
    // There is no 30th of February.
    if civil(days) == (year, month, day) { Ok(days * DAY) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for day in (0..2_900_000).step_by(97) {
            let (year, month, date) = civil(day);
            assert_eq!(parse(&format!("{year}-{month}-{date}")), Ok(day * DAY));
        }
        assert_eq!(parse("1764310859"), Ok(1_764_310_859));
        for wrong in
            ["", "yesterday", "2026-02-30", "2026-13-01", "2026-00-01", "1969-12-31", "2026-1", "2026-1-1-1", "-5"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
