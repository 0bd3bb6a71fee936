//! Access lists and authorizations in a transaction object.

use alloy_primitives::{Address, B256, U256};
use chain_core::transaction::account::Authorization;
use serde_json::Value;

use crate::rpc::base::{
    error::{RpcResult, invalid},
    params::{Any, Param},
};

/// Most entries of a list. An authorization costs 25,000 gas, so that a block has room for fewer.
const MAX_ENTRIES: usize = 1_024;

/// EIP-2930's list in the `accessList` of the object of this name.
pub fn access_list(name: &str, given: Option<Any>) -> RpcResult<Vec<(Address, Vec<B256>)>> {
    let entry = |entry: &Value| {
        let keys = entry["storageKeys"].as_array().filter(|keys| keys.len() <= MAX_ENTRIES)?;
        Some((Address::parse(&entry["address"])?, keys.iter().map(B256::parse).collect::<Option<_>>()?))
    };
    list(given, entry)
        .ok_or_else(|| invalid(format!("{name}.accessList: expected an array of {{address, storageKeys}}")))
}

/// EIP-7702's list in the `authorizationList` of the object of this name.
pub(super) fn authorizations(name: &str, given: Option<Any>) -> RpcResult<Vec<Authorization>> {
    let entry = |entry: &Value| {
        // Libraries write signatures as quantities or as 32 bytes.
        let word = |key: &str| U256::from_str_radix(entry[key].as_str()?.strip_prefix("0x")?, 16).ok();
        let number = |key: &str| u64::try_from(word(key)?).ok();
        let y_parity = number("yParity").or_else(|| number("v").map(|v| if v >= 27 { v - 27 } else { v }))?;
        Some(Authorization {
            chain_id: word("chainId")?,
            address: Address::parse(&entry["address"])?,
            nonce: number("nonce")?,
            y_parity: u8::try_from(y_parity).ok()?,
            r: word("r")?,
            s: word("s")?,
        })
    };
    list(given, entry).ok_or_else(|| {
        invalid(format!("{name}.authorizationList: expected an array of {{chainId, address, nonce, yParity, r, s}}"))
    })
}

/// The entries of a list, if it is one and all are sound; none where none is given.
fn list<T>(given: Option<Any>, entry: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    let Some(Any(list)) = given else { return Some(Vec::new()) };
    list.as_array().filter(|entries| entries.len() <= MAX_ENTRIES)?.iter().map(entry).collect()
}
