//! What a transaction touched, as geth's `prestateTracer` shows it.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use serde::Serialize;
use std::collections::BTreeMap;

use super::touched::{Change, Held, Touched};

/// Which of it is shown.
#[derive(Clone, Copy)]
pub struct PrestateConfig {
    /// What changed only, before and after.
    pub diff: bool,
    /// Accounts that did not exist, too.
    pub empty: bool,
    /// Whether code was recorded.
    pub code: bool,
}

/// An account, or what of it changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<U256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_hash: Option<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    storage: BTreeMap<B256, B256>,
}

type Accounts = BTreeMap<Address, Shown>;

/// The answer: accounts before, or what changed.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Prestate {
    /// Accounts and slots before.
    Before(Accounts),
    /// What changed.
    Diff { post: Accounts, pre: Accounts },
}

/// Shows what was touched.
pub fn prestate(touched: &Touched, config: PrestateConfig) -> Prestate {
    let all = touched.accounts().iter();
    if !config.diff {
        let shown = all.filter(|(_, change)| config.empty || !change.before.is_empty());
        let accounts = shown.map(|(address, change)| (*address, before(change, |_| true)));
        return Prestate::Before(accounts.collect());
    }
    let (mut pre, mut post) = (Accounts::new(), Accounts::new());
    for (address, change) in all {
        // What a SELFDESTRUCT deleted is before, and not after.
        if change.after.is_empty() && !change.before.is_empty() {
            pre.insert(*address, before(change, |_| true));
            continue;
        }
        let Some(after) = after(change, config.code) else { continue };
        post.insert(*address, after);
        if !change.before.is_empty() {
            pre.insert(*address, before(change, |(before, after)| before != after && !before.is_zero()));
        }
    }
    Prestate::Diff { post, pre }
}

fn before(change: &Change, shows: impl Fn(&(B256, B256)) -> bool) -> Shown {
    let Held { balance, nonce, code_hash, code } = &change.before;
    Shown {
        balance: Some(*balance),
        code: Some(code.clone()).filter(|code| !code.is_empty()),
        code_hash: Some(*code_hash).filter(|hash| *hash != KECCAK256_EMPTY),
        nonce: Some(*nonce).filter(|nonce| *nonce > 0),
        storage: change
            .slots
            .iter()
            .filter(|(_, slot)| shows(slot))
            .map(|(key, (before, _))| (*key, *before))
            .collect(),
    }
}

/// What an account has otherwise than before; `None` if nothing.
fn after(change: &Change, code: bool) -> Option<Shown> {
    let Change { before, after, slots } = change;
    let mut changed = slots.iter().filter(|(_, (before, after))| before != after).peekable();
    if before == after && changed.peek().is_none() {
        return None;
    }
    let has_other_code = before.code_hash != after.code_hash;
    Some(Shown {
        balance: Some(after.balance).filter(|balance| *balance != before.balance),
        code: (has_other_code && code).then(|| after.code.clone()),
        code_hash: has_other_code.then_some(after.code_hash),
        nonce: Some(after.nonce).filter(|nonce| *nonce != before.nonce),
        storage: changed.filter(|(_, (_, after))| !after.is_zero()).map(|(key, (_, after))| (*key, *after)).collect(),
    })
}
