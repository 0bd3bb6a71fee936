//! Values in the json of official tests, which several tools wrote: hex of any length or decimal, with or without prefix.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::units::Gas;
use serde_json::Value;

/// What cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Something has to be there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// It is there, but is no value of its kind.
    #[error("{field} is not {kind}: {got}")]
    Value {
        /// Which.
        field: &'static str,
        /// What it should be.
        kind: &'static str,
        /// What it is.
        got: String,
    },
    /// A number that no transaction or block has room for.
    #[error("{field} does not fit: {got}")]
    TooLarge {
        /// Which.
        field: &'static str,
        /// What it is.
        got: String,
    },
}

fn malformed(field: &'static str, kind: &'static str, value: &Value) -> Malformed {
    let mut got = value.to_string();
    got.truncate(got.char_indices().nth(80).map_or(got.len(), |(end, _)| end));
    Malformed::Value { field, kind, got }
}

/// A field that may be missing, `null` or empty.
pub fn optional<'a>(object: &'a Value, field: &str) -> Option<&'a Value> {
    object.get(field).filter(|value| !value.is_null() && value.as_str() != Some(""))
}

/// A field that has to be there.
///
/// # Errors
/// [`Malformed::Missing`].
pub fn required<'a>(object: &'a Value, field: &'static str) -> Result<&'a Value, Malformed> {
    object.get(field).filter(|value| !value.is_null()).ok_or(Malformed::Missing(field))
}

/// The digits of a number, and their base.
fn digits(text: &str) -> (&str, u64) {
    let text = text.trim();
    let text = text.strip_prefix("0x:bigint ").unwrap_or(text);
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => (text, 10),
        None => (text, 16),
    }
}

/// A number of at most 256 bits; nothing is zero.
///
/// # Errors
/// [`Malformed`] if it is none.
pub fn word(field: &'static str, value: &Value) -> Result<U256, Malformed> {
    if let Some(number) = value.as_u64() {
        return Ok(U256::from(number));
    }
    let text = value.as_str().ok_or_else(|| malformed(field, "a number", value))?;
    let (digits, radix) = digits(text);
    if digits.is_empty() {
        return Ok(U256::ZERO);
    }
    U256::from_str_radix(digits, radix).map_err(|_| match digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Malformed::TooLarge { field, got: text.to_owned() },
        false => malformed(field, "a number", value),
    })
}

/// A number of at most 64 bits.
///
/// # Errors
/// [`Malformed`] if it is none.
pub fn number(field: &'static str, value: &Value) -> Result<u64, Malformed> {
    u64::try_from(word(field, value)?).map_err(|_| Malformed::TooLarge { field, got: value.to_string() })
}

/// An amount of gas; what is beyond 64 bits counts as all that there is.
///
/// # Errors
/// [`Malformed`] if it is no number.
pub fn gas(field: &'static str, value: &Value) -> Result<Gas, Malformed> {
    word(field, value).map(|gas| gas.saturating_to())
}

/// Bytes in hex, an odd digit standing for a byte of its own.
///
/// # Errors
/// [`Malformed`] if it is no hex.
pub fn bytes(field: &'static str, value: &Value) -> Result<Bytes, Malformed> {
    let text = value.as_str().ok_or_else(|| malformed(field, "bytes", value))?.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let even = if digits.len() % 2 == 0 { digits.to_owned() } else { format!("0{digits}") };
    hex::decode(even).map(Bytes::from).map_err(|_| malformed(field, "bytes", value))
}

/// Exactly so many bytes, zeros in front left out or not.
fn fixed<const N: usize>(field: &'static str, value: &Value, kind: &'static str) -> Result<[u8; N], Malformed> {
    let bytes = bytes(field, value)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let significant = &bytes[zeros.min(bytes.len().saturating_sub(N))..];
    let start = N.checked_sub(significant.len()).ok_or_else(|| malformed(field, kind, value))?;
    let mut out = [0; N];
    out[start..].copy_from_slice(significant);
    Ok(out)
}

/// An address.
///
/// # Errors
/// [`Malformed`] if it is none.
pub fn address(field: &'static str, value: &Value) -> Result<Address, Malformed> {
    fixed(field, value, "an address").map(Address::new)
}

/// A hash.
///
/// # Errors
/// [`Malformed`] if it is none.
pub fn hash(field: &'static str, value: &Value) -> Result<B256, Malformed> {
    fixed(field, value, "a hash").map(B256::new)
}

/// The items of a list; none where there is no list.
pub fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The entries of an object whose keys are words, as in storage.
///
/// # Errors
/// [`Malformed`] for a key or value that is none.
pub fn slots(field: &'static str, value: Option<&Value>) -> Result<Vec<(U256, U256)>, Malformed> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.map(|(key, value)| Ok((word(field, &Value::from(key.as_str()))?, word(field, value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_read_in_every_form_that_tools_write() {
        let forms =
            [json!("0x10"), json!("0x0000010"), json!("16"), json!(16), json!("0x:bigint 0x10"), json!(" 0x10")];
        for form in forms {
            assert_eq!(number("n", &form), Ok(16), "{form}");
        }
        assert_eq!(word("n", &json!("0x")), Ok(U256::ZERO));
        assert_eq!(word("n", &json!("")), Ok(U256::ZERO));
        let zeros = format!("0x{}1", "0".repeat(80));
        assert_eq!(word("n", &json!(zeros)), Ok(U256::ONE));
    }

    #[test]
    fn numbers_that_do_not_fit_are_told_from_what_is_no_number() {
        let large = format!("0x1{}", "0".repeat(64));
        assert_eq!(word("n", &json!(large)), Err(Malformed::TooLarge { field: "n", got: large.clone() }));
        let bigint = format!("0x:bigint {large}");
        assert!(matches!(word("n", &json!(bigint)), Err(Malformed::TooLarge { .. })));
        assert!(matches!(number("n", &json!("0x10000000000000000")), Err(Malformed::TooLarge { .. })));
        assert!(matches!(word("n", &json!("0xgg")), Err(Malformed::Value { .. })));
        assert!(matches!(word("n", &json!([])), Err(Malformed::Value { .. })));
        assert_eq!(gas("n", &json!("0x10000000000000000")), Ok(Gas::MAX));
    }

    #[test]
    fn bytes_may_lack_a_digit_or_the_prefix() {
        assert_eq!(bytes("b", &json!("0x123")).unwrap(), Bytes::from(vec![1, 0x23]));
        assert_eq!(bytes("b", &json!("ff")).unwrap(), Bytes::from(vec![0xff]));
        assert_eq!(address("a", &json!("0x5")).unwrap(), Address::with_last_byte(5));
        let padded = format!("0x{}{}", "00".repeat(12), "07".repeat(20));
        assert_eq!(address("a", &json!(padded)).unwrap(), Address::repeat_byte(7));
        assert!(address("a", &json!(format!("0x{}", "07".repeat(21)))).is_err());
    }
}
