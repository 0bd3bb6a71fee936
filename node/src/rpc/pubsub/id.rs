//! Ids of subscriptions and filters.

use crate::rpc::base::{RpcResult, internal, param};

/// An id, as a parameter.
pub struct Id(pub u128);

param!(Id, "an id as it was given out, such as \"0x\" and 32 hexadecimal digits", |value| {
    let digits = value.as_str()?.strip_prefix("0x").filter(|digits| (1..=32).contains(&digits.len()))?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(digits, 16).ok().map(Self)
});

/// A number that nobody guesses.
///
/// # Errors
/// If the system has no random numbers.
pub fn random_id() -> RpcResult<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| internal(format!("no random numbers: {error}")))?;
    Ok(u128::from_le_bytes(bytes))
}

/// An id as a client sees it: a quantity, without leading zeros.
pub fn show_id(id: u128) -> String {
    format!("0x{id:x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::base::Param;

    #[test]
    fn an_id_has_no_leading_zeros_and_is_read_back() {
        for (id, text) in [(0, "0x0"), (0xf, "0xf"), (u128::MAX, "0xffffffffffffffffffffffffffffffff")] {
            assert_eq!(show_id(id), text);
            assert_eq!(Id::parse(&text.into()).map(|read| read.0), Some(id));
        }
    }
}
