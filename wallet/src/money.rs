//! Amounts as people write and read them.
//!
//! `1.5`, `1.5crn`, `150000000grains`; on the account side also `20gwei` and `7wei`. Nothing is rounded: an amount
//! with more decimals than its side of the ledger has is refused.

use alloy_primitives::U256;
use chain_core::units::{Amount, WEI_PER_GRAIN};

/// Decimals of a CRN in wei.
const WEI_DECIMALS: usize = 18;

/// Decimals of a grain in wei.
const GRAIN_DECIMALS: usize = 10;

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not digits with at most one point and a unit.
    #[error("'{0}' is not an amount: write it like 1.5, 1.5crn or 150000000grains")]
    Malformed(String),
    #[error("'{0}' is negative")]
    Negative(String),
    #[error("'{text}' has too many decimals: {unit} has at most {most} here")]
    TooFine { text: String, unit: &'static str, most: usize },
    /// Less than a grain, in a unit that is smaller.
    #[error("'{0}' is not a whole number of grains, the smallest amount of coins: a grain is 10 gwei")]
    PartOfGrain(String),
    #[error("'{0}' is more money than there can be")]
    TooLarge(String),
    #[error("an amount of zero sends nothing")]
    Zero,
}

/// Units that may follow a number, with their decimals in wei.
const UNITS: [(&str, usize); 5] = [("grains", 10), ("grain", 10), ("gwei", 9), ("crn", 18), ("wei", 0)];

/// Reads an amount of coins: a positive whole number of grains.
///
/// # Errors
/// [`MoneyError`] for anything else.
pub fn parse_grains(text: &str) -> Result<Amount, MoneyError> {
    let wei = parse_scaled(text, GRAIN_DECIMALS)?;
    Amount::from_wei_exact(wei).ok_or_else(|| MoneyError::TooLarge(text.into()))
}

/// Reads an amount on the account side: a positive whole number of wei.
///
/// # Errors
/// [`MoneyError`] for anything else.
pub fn parse_wei(text: &str) -> Result<U256, MoneyError> {
    parse_scaled(text, 0)
}

/// Reads a price of gas in gwei, as in `1.5`, into wei. Zero is fine.
///
/// # Errors
/// [`MoneyError`] for anything else.
pub fn parse_gwei(text: &str) -> Result<u64, MoneyError> {
    let number = text.trim();
    let number = number.strip_suffix("gwei").unwrap_or(number).trim_end();
    let wei = scaled(text, number, "gwei", 9, 0)?;
    u64::try_from(wei).map_err(|_| MoneyError::TooLarge(text.into()))
}

/// Reads a number with its unit into wei, of which the last `coarse` digits must be zero.
fn parse_scaled(text: &str, coarse: usize) -> Result<U256, MoneyError> {
    let lower = text.trim().to_ascii_lowercase();
    let (number, unit, decimals) = UNITS
        .iter()
        .find_map(|(unit, decimals)| Some((lower.strip_suffix(unit)?.trim_end(), *unit, *decimals)))
        .unwrap_or((lower.as_str(), "CRN", WEI_DECIMALS));
    let wei = scaled(text, number, if unit == "crn" { "CRN" } else { unit }, decimals, coarse)?;
    if wei.is_zero() { Err(MoneyError::Zero) } else { Ok(wei) }
}

fn scaled(text: &str, number: &str, unit: &'static str, decimals: usize, coarse: usize) -> Result<U256, MoneyError> {
    if number.starts_with('-') {
        return Err(MoneyError::Negative(text.into()));
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) || number.ends_with('.') {
        return Err(MoneyError::Malformed(text.into()));
    }
    let most = decimals.saturating_sub(coarse);
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > most && fraction.len() <= decimals && decimals < coarse {
        return Err(MoneyError::PartOfGrain(text.into()));
    }
    if fraction.len() > most {
        return Err(MoneyError::TooFine { text: text.into(), unit, most });
    }
    let digits = format!("{whole}{fraction:0<decimals$}");
    let wei = digits.trim_start_matches('0');
    if wei.len() > 60 {
        return Err(MoneyError::TooLarge(text.into()));
    }
    let wei = U256::from_str_radix(if wei.is_empty() { "0" } else { wei }, 10)
        .map_err(|_| MoneyError::TooLarge(text.into()))?;
    // Units smaller than what the ledger counts, such as wei for coins.
    if coarse == GRAIN_DECIMALS && decimals < coarse && !(wei % U256::from(WEI_PER_GRAIN)).is_zero() {
        return Err(MoneyError::PartOfGrain(text.into()));
    }
    Ok(wei)
}

/// A sum that stays at the most that an amount can be: what is claimed beyond that is found out when it is spent.
pub fn saturating_sum(amounts: impl IntoIterator<Item = Amount>) -> Amount {
    Amount::from_grains(amounts.into_iter().fold(0, |sum, amount| sum.saturating_add(amount.grains())))
}

/// Shows wei in CRN: eight decimals, more only where the amount has them.
pub fn show_wei(wei: U256) -> String {
    let one = U256::from(10u64).pow(U256::from(WEI_DECIMALS));
    let (whole, rest) = wei.div_rem(one);
    let digits = format!("{:0>18}", rest.to_string());
    let kept = digits.trim_end_matches('0').len().max(8);
    format!("{whole}.{}", &digits[..kept])
}

/// Shows a price of gas in gwei without trailing zeros.
pub fn show_gwei(wei: U256) -> String {
    let (whole, rest) = wei.div_rem(U256::from(1_000_000_000u64));
    if rest.is_zero() {
        return format!("{whole} gwei");
    }
    let digits = format!("{:0>9}", rest.to_string());
    format!("{whole}.{} gwei", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fine(text: &str, unit: &'static str, most: usize) -> MoneyError {
        MoneyError::TooFine { text: text.into(), unit, most }
    }

    #[test]
    fn reads_every_way_to_write_an_amount_of_coins() {
        for (text, grains) in [
            ("1.5", 150_000_000),
            ("1.5crn", 150_000_000),
            (" 1.5 CRN ", 150_000_000),
            ("150000000grains", 150_000_000),
            ("1grain", 1),
            (".5", 50_000_000),
            ("0.00000001", 1),
            ("0.000000010000", 1),
            ("007", 700_000_000),
            ("10000000000wei", 1),
            ("10gwei", 1),
            ("184467440737.09551615", u64::MAX),
        ] {
            assert_eq!(parse_grains(text), Ok(Amount::from_grains(grains)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_an_amount_of_coins() {
        for text in ["", "crn", ".", "1.", "1,5", "1.2.3", "1e8", "0x10", "１", "1 5", "1.5btc", "+1", "NaN"] {
            assert_eq!(parse_grains(text), Err(MoneyError::Malformed(text.into())), "{text}");
        }
        assert_eq!(parse_grains("-1"), Err(MoneyError::Negative("-1".into())));
        assert_eq!(parse_grains("0"), Err(MoneyError::Zero));
        assert_eq!(parse_grains("0.0grains"), Err(MoneyError::Zero));
        assert_eq!(parse_grains("0.000000001"), Err(fine("0.000000001", "CRN", 8)));
        assert_eq!(parse_grains("1.5grains"), Err(fine("1.5grains", "grains", 0)));
        for text in ["1gwei", "11gwei", "1.5gwei", "9999999999wei"] {
            assert_eq!(parse_grains(text), Err(MoneyError::PartOfGrain(text.into())));
        }
        for text in ["184467440737.09551616", &"9".repeat(80)] {
            assert_eq!(parse_grains(text), Err(MoneyError::TooLarge(text.into())));
        }
    }

    #[test]
    fn reads_amounts_of_accounts_to_the_last_wei() {
        assert_eq!(parse_wei("0.000000000000000001"), Ok(U256::from(1)));
        assert_eq!(parse_wei("1wei"), Ok(U256::from(1)));
        assert_eq!(parse_wei("20gwei"), Ok(U256::from(20_000_000_000u64)));
        assert_eq!(parse_wei("0.5wei"), Err(fine("0.5wei", "wei", 0)));
        assert_eq!(parse_wei("0.0000000000000000001"), Err(fine("0.0000000000000000001", "CRN", 18)));
    }

    #[test]
    fn reads_prices_of_gas() {
        assert_eq!(parse_gwei("0"), Ok(0));
        assert_eq!(parse_gwei("1.5"), Ok(1_500_000_000));
        assert_eq!(parse_gwei("1.5gwei"), Ok(1_500_000_000));
        assert_eq!(parse_gwei("0.0000000001"), Err(fine("0.0000000001", "gwei", 9)));
        assert_eq!(parse_gwei("99999999999999"), Err(MoneyError::TooLarge("99999999999999".into())));
    }

    #[test]
    fn shows_wei_and_gwei() {
        assert_eq!(show_wei(U256::ZERO), "0.00000000");
        assert_eq!(show_wei(U256::from(1)), "0.000000000000000001");
        assert_eq!(show_wei(U256::from(1_500_000_000_000_000_000u64)), "1.50000000");
        assert_eq!(show_gwei(U256::from(1_000_000_000u64)), "1 gwei");
        assert_eq!(show_gwei(U256::from(1_125_000_000u64)), "1.125 gwei");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(grains in 1u64.., wei in 1u128..) {
            prop_assert_eq!(parse_grains(&Amount::from_grains(grains).to_string()), Ok(Amount::from_grains(grains)));
            prop_assert_eq!(parse_wei(&show_wei(U256::from(wei))), Ok(U256::from(wei)));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = (parse_grains(&text), parse_wei(&text), parse_gwei(&text));
        }
    }
}
