//! Coin addresses as parameters.

use chain_core::{address, transaction::coin::Lock};
use serde_json::Value;
use std::collections::BTreeSet;

use super::{
    error::{RpcResult, invalid},
    params::param,
};

/// One address or several, as texts.
pub struct Addresses(pub Vec<String>);

/// Most addresses in one call.
pub const MAX_ADDRESSES: usize = 1_000;

/// The lock that a coin address of the chain stands for.
///
/// # Errors
/// -32602 for anything else.
pub fn lock_of(hrp: &str, text: &str) -> RpcResult<Lock> {
    address::parse_coin_address(hrp, text).map_err(|error| invalid(format!("address: {error}")))
}

impl Addresses {
    /// The locks that they stand for, each once.
    ///
    /// # Errors
    /// See [`lock_of`].
    pub fn locks(&self, hrp: &str) -> RpcResult<Vec<Lock>> {
        let mut known = BTreeSet::new();
        let mut locks = self.0.iter().map(|text| lock_of(hrp, text)).collect::<RpcResult<Vec<_>>>()?;
        locks.retain(|lock| known.insert(*lock));
        Ok(locks)
    }
}

param!(Addresses, "an address or an array of 1 to 1,000 addresses", |value| {
    let texts = match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) if (1..=MAX_ADDRESSES).contains(&items.len()) => {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>()?
        }
        _ => return None,
    };
    Some(Self(texts))
});
