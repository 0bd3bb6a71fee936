//! Numbers as tools for development chains send them: quantities, padded or not, integers, decimal strings.

use alloy_primitives::U256;
use serde_json::Value;

use crate::rpc::base::param;

/// A number of at most 256 bits.
pub struct Word(pub U256);

/// A number that fits in 32 bits: a time, or how many blocks.
pub struct Small(pub u32);

param!(Word, "a number of at most 256 bits, as in \"0x1b4\", \"436\" or 436", |value| word(value).map(Self));
param!(Small, "an integer from 0 to 2^32-1 or such a quantity", |value| u32::try_from(word(value)?).ok().map(Self));

fn word(value: &Value) -> Option<U256> {
    let text = match value {
        Value::Number(number) => return number.as_u64().map(U256::from),
        other => other.as_str()?,
    };
    let (digits, radix, most) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16, 64),
        None => (text, 10, 78),
    };
    let fits = |byte: u8| if radix == 16 { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
    if digits.is_empty() || digits.len() > most || !digits.bytes().all(fits) {
        return None;
    }
    U256::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_of_every_tool_are_read_and_nothing_else() {
        let word = |value: Value| word(&value);
        for same in [json!(436), json!("436"), json!("0x1b4"), json!("0x00000001b4")] {
            assert_eq!(word(same), Some(U256::from(436)));
        }
        assert_eq!(word(json!(format!("0x{}", "f".repeat(64)))), Some(U256::MAX));
        assert_eq!(word(json!(U256::MAX.to_string())), Some(U256::MAX));
        let odd = [json!(-1), json!(1.5), json!(""), json!("0x"), json!("-1"), json!("1e3"), json!("0xg"), json!([])];
        for odd in odd.into_iter().chain([json!(format!("0x1{}", "0".repeat(64))), json!("9".repeat(78)), json!("1_0")])
        {
            assert_eq!(word(odd.clone()), None, "{odd}");
        }
    }
}
