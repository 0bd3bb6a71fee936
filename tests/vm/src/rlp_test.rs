//! Official RLPTests, through the decoder that the ledger uses.

use alloy_primitives::U256;
use alloy_rlp::{Error, Header};
use serde_json::Value;

use crate::lenient::bytes;

/// A string or a list.
#[derive(Debug, PartialEq, Eq)]
enum Item {
    String(Vec<u8>),
    List(Vec<Item>),
}

impl Item {
    /// Reads the item at the front of some bytes.
    fn decode(rest: &mut &[u8]) -> Result<Self, Error> {
        let header = Header::decode(rest)?;
        let (mut payload, after) = rest.split_at_checked(header.payload_length).ok_or(Error::InputTooShort)?;
        *rest = after;
        if !header.list {
            return Ok(Self::String(payload.to_vec()));
        }
        let mut items = Vec::new();
        while !payload.is_empty() {
            items.push(Self::decode(&mut payload)?);
        }
        Ok(Self::List(items))
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::String(bytes) => alloy_rlp::encode(&bytes[..]),
            Self::List(items) => {
                let payload: Vec<u8> = items.iter().flat_map(Self::encode).collect();
                let mut out = Vec::new();
                Header { list: true, payload_length: payload.len() }.encode(&mut out);
                out.extend(payload);
                out
            }
        }
    }

    /// What a test's `in` says: text, a number, `#` and decimal digits, or a list.
    fn of(value: &Value) -> Option<Self> {
        let number = |number: U256| Self::String(number.to_be_bytes_trimmed_vec());
        match value {
            Value::Array(items) => items.iter().map(Self::of).collect::<Option<_>>().map(Self::List),
            Value::Number(small) => small.as_u64().map(|small| number(U256::from(small))),
            Value::String(text) => match text.strip_prefix('#') {
                // Larger than any word of the ledger: its bytes are divided out.
                Some(digits) => big_endian(digits).map(Self::String),
                None => Some(Self::String(text.as_bytes().to_vec())),
            },
            _ => None,
        }
    }
}

/// A decimal number of any size as bytes, zeros in front left out.
fn big_endian(digits: &str) -> Option<Vec<u8>> {
    let mut little = Vec::new();
    for digit in digits.chars() {
        let mut carry = digit.to_digit(10)?;
        for byte in &mut little {
            let product = u32::from(*byte) * 10 + carry;
            *byte = product as u8; // the low byte
            carry = product >> 8;
        }
        if carry > 0 {
            little.push(carry as u8); // at most 10
        }
    }
    little.reverse();
    Some(little)
}

/// Checks a test; answers with what is wrong.
///
/// # Errors
/// What is wrong.
pub fn check(test: &Value) -> Result<(), String> {
    let encoded = bytes("out", &test["out"]).map_err(|error| error.to_string())?;
    let mut rest = &encoded[..];
    let decoded =
        Item::decode(&mut rest).and_then(|item| if rest.is_empty() { Ok(item) } else { Err(Error::UnexpectedLength) });
    match (test["in"].as_str(), decoded) {
        (Some("INVALID"), Ok(item)) => Err(format!("was read as {item:?}, but must be refused")),
        (Some("INVALID"), Err(_)) => Ok(()),
        (_, Err(error)) => Err(format!("was refused, but is valid: {error}")),
        (said, Ok(item)) => {
            let expected = if said == Some("VALID") { None } else { Item::of(&test["in"]) };
            match expected {
                Some(expected) if expected != item => Err(format!("read as {item:?}, expected {expected:?}")),
                None if said != Some("VALID") => Err("`in` is not understood".to_owned()),
                _ if item.encode() != encoded => Err("is written in other bytes".to_owned()),
                _ => Ok(()),
            }
        }
    }
}
