//! What a transaction changed, as Parity's `stateDiff` shows it.

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde::Serialize;
use std::collections::BTreeMap;

use super::touched::{Change, Touched};

/// One value: unchanged, new, gone, or other than before.
#[derive(Serialize)]
enum Delta<T> {
    #[serde(rename = "=")]
    Same,
    #[serde(rename = "+")]
    Born(T),
    #[serde(rename = "-")]
    Died(T),
    #[serde(rename = "*")]
    Changed { from: T, to: T },
}

#[derive(Serialize)]
struct AccountDiff {
    balance: Delta<U256>,
    code: Delta<Bytes>,
    nonce: Delta<U64>,
    storage: BTreeMap<B256, Delta<B256>>,
}

/// What changed, by account.
#[derive(Serialize)]
pub struct StateDiff(BTreeMap<Address, AccountDiff>);

/// The accounts that are otherwise than before.
pub fn state_diff(touched: &Touched) -> StateDiff {
    let changed = touched.accounts().iter().filter_map(|(address, change)| Some((*address, diff(change)?)));
    StateDiff(changed.collect())
}

fn diff(change: &Change) -> Option<AccountDiff> {
    let Change { before, after, slots } = change;
    let existed = (!before.is_empty(), !after.is_empty());
    let storage: BTreeMap<_, _> = slots
        .iter()
        .filter(|(_, (from, to))| from != to)
        .map(|(key, (from, to))| (*key, delta(existed, *from, *to)))
        .collect();
    if before == after && storage.is_empty() {
        return None;
    }
    Some(AccountDiff {
        balance: delta(existed, before.balance, after.balance),
        code: delta(existed, before.code.clone(), after.code.clone()),
        nonce: delta(existed, U64::from(before.nonce), U64::from(after.nonce)),
        storage,
    })
}

fn delta<T: PartialEq>(existed: (bool, bool), from: T, to: T) -> Delta<T> {
    match existed {
        (false, true) => Delta::Born(to),
        (true, false) => Delta::Died(from),
        _ if from == to => Delta::Same,
        _ => Delta::Changed { from, to },
    }
}
