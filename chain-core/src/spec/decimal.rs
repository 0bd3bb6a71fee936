//! Exact amounts of CRN as decimal text.

use alloy_primitives::U256;

/// Parses `12.5` as a whole number of units, `10^decimals` of which are one CRN. `None` for anything but digits with at
/// most one point between them, for too many decimals, and for more than 256 bits.
pub(super) fn parse(text: &str, decimals: usize) -> Option<U256> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > decimals {
        return None;
    }
    U256::from_str_radix(&format!("{whole}{part:0<decimals$}"), 10).ok()
}

/// Formats the inverse of [`parse`], without trailing zeros.
pub(super) fn format(units: U256, decimals: usize) -> String {
    let digits = format!("{units:0>width$}", width = decimals + 1);
    let (whole, part) = digits.split_at(digits.len() - decimals);
    let part = part.trim_end_matches('0');
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_and_writes_amounts() {
        for (text, grains) in [("0", 0), ("5", 500_000_000), ("0.05", 5_000_000), ("12.34567891", 1_234_567_891)] {
            assert_eq!(parse(text, 8), Some(U256::from(grains)));
            assert_eq!(format(U256::from(grains), 8), text);
        }
        assert_eq!(parse("007.10", 8), Some(U256::from(710_000_000)));
        assert_eq!(parse("0.000000000000000001", 18), Some(U256::ONE));
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for text in ["", ".", ".5", "5.", "-1", "+1", "1e3", "1_000", "1,5", "1.2.3", " 1", "0.000000001", "٣"] {
            assert_eq!(parse(text, 8), None, "{text}");
        }
        assert_eq!(parse(&"9".repeat(80), 8), None);
    }

    proptest! {
        #[test]
        fn amounts_round_trip(limbs: [u64; 4], decimals in 1_usize..20) {
            let units = U256::from_limbs(limbs);
            prop_assert_eq!(parse(&format(units, decimals), decimals), Some(units));
        }
    }
}
