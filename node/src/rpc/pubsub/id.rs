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

/// An id as a client sees it.
pub fn show_id(id: u128) -> String {
    format!("0x{id:032x}")
}
