//! What belongs to a wallet, by its keys and policies alone; files and nodes are not trusted with that.

use std::collections::{BTreeSet, HashMap};

use alloy_primitives::Address;
use chain_core::transaction::{
    coin::{KeyBytes, Lock},
    policy::{Policy, PolicyNode},
};
use serde::{Deserialize, Serialize};

use crate::keys::{Branch, IMPORTED, KeyError, KeyPath, PublicKeys};

/// Unused keys beyond the last used one that are looked at (BIP 44).
pub const GAP: u32 = 20;

/// How many keys of each branch have been handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Used {
    /// Addresses given to others.
    pub receive: u32,
    pub change: u32,
    pub policy: u32,
    pub accounts: u32,
}

/// A policy under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedPolicy {
    /// Chosen by the user.
    pub name: String,
    /// In its text form.
    #[serde(with = "crate::text")]
    pub policy: Policy,
}

impl Used {
    /// The branches of coin keys, each with the number of keys that were handed out.
    pub fn branches(self) -> [(Branch, u32); 3] {
        [(Branch::Receive, self.receive), (Branch::Change, self.change), (Branch::Policy, self.policy)]
    }

    /// Marks a key as used, so that it is not handed out again.
    pub fn mark(&mut self, branch: Branch, index: u32) {
        let count = match branch {
            Branch::Receive => &mut self.receive,
            Branch::Change => &mut self.change,
            Branch::Policy => &mut self.policy,
        };
        *count = (*count).max(index.saturating_add(1));
    }
}

/// A wallet's own keys, by key, and the policies that it keeps.
pub struct KeyTable {
    public: PublicKeys,
    coins: HashMap<KeyBytes, (Branch, u32)>,
    accounts: HashMap<Address, u32>,
    policies: HashMap<[u8; 32], String>,
}

/// What a lock is to the wallet, by what the wallet itself knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// One of its keys, which a restore finds again.
    Key(Branch),
    /// One of its accounts.
    Account,
    /// A policy that it keeps, by its name.
    Policy(&'a str),
    Foreign,
}

impl KeyTable {
    /// The keys of each branch that were used and the gap beyond, imported accounts with their numbers, and policies.
    pub fn new(
        public: &PublicKeys,
        used: Used,
        imported: &[Address],
        policies: &[NamedPolicy],
    ) -> Result<Self, KeyError> {
        let mut coins = HashMap::new();
        for (branch, count) in used.branches() {
            for index in 0..count.saturating_add(GAP) {
                coins.insert(public.coin_key(branch, index)?, (branch, index));
            }
        }
        let derived = (0..used.accounts.saturating_add(GAP)).map(|index| Ok((public.account(index)?, index)));
        let accounts =
            derived.chain(imported.iter().copied().zip(IMPORTED..).map(Ok)).collect::<Result<_, KeyError>>()?;
        let policies = policies.iter().map(|named| (named.policy.hash(), named.name.clone())).collect();
        Ok(Self { public: public.clone(), coins, accounts, policies })
    }

    /// The place of a key, if it is the wallet's. A hint beyond the table is followed if it is right.
    pub fn coin(&self, key: &KeyBytes, hint: Option<KeyPath>) -> Option<(Branch, u32)> {
        let hinted = || match hint {
            Some(KeyPath::Coin(branch, index)) => {
                (self.public.coin_key(branch, index).ok()? == *key).then_some((branch, index))
            }
            _ => None,
        };
        self.coins.get(key).copied().or_else(hinted)
    }

    /// Whether a key is one of the wallet's.
    pub fn has(&self, key: &KeyBytes) -> bool {
        self.coins.contains_key(key)
    }

    /// Which account an address is, if it is the wallet's.
    pub fn account(&self, address: &Address, hint: Option<KeyPath>) -> Option<u32> {
        let hinted = || match hint {
            Some(KeyPath::Account(index)) => (self.public.account(index).ok()? == *address).then_some(index),
            _ => None,
        };
        self.accounts.get(address).copied().or_else(hinted)
    }

    /// What a lock is to this wallet. A key beyond the table counts as foreign, though it can be derived: no restore looks
    /// for it, so an attacker who names it in a file could demand a ransom for what is paid there.
    pub fn owner(&self, lock: &Lock) -> Owner<'_> {
        let found = match lock {
            Lock::Key(key) => self.coins.get(key).map(|(branch, _)| Owner::Key(*branch)),
            Lock::Account(address) => self.accounts.get(address).map(|_| Owner::Account),
            Lock::Policy(hash) => self.policies.get(hash).map(|name| Owner::Policy(name)),
        };
        found.unwrap_or(Owner::Foreign)
    }

    /// Whether a lock pays a key or an account of this wallet.
    pub fn owns(&self, lock: &Lock) -> bool {
        matches!(self.owner(lock), Owner::Key(_) | Owner::Account)
    }
}

/// The keys of a policy, each once, in order.
pub fn policy_keys(policy: &Policy) -> Vec<KeyBytes> {
    let keys = policy.0.iter().filter_map(|node| match node {
        PolicyNode::Key(key) => Some(key),
        _ => None,
    });
    let mut seen = BTreeSet::new();
    keys.filter(|key| seen.insert(*key)).collect()
}

/// How many of its keys must sign a policy that is nothing but a number of different ones.
pub fn quorum(policy: &Policy) -> Option<usize> {
    let Some(PolicyNode::Threshold(needed, count)) = policy.0.iter().next() else { return None };
    let keys = policy_keys(policy).len();
    (keys == usize::from(count) && policy.0.iter().count() == keys + 1).then_some(needed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_many_must_sign_where_only_their_number_counts() {
        let [a, b, c] = [1, 2, 3].map(|byte| Policy::key(KeyBytes([byte; 32])));
        let two = Policy::threshold(2, [a.clone(), b.clone(), c.clone()]);
        assert_eq!((quorum(&two), quorum(&Policy::threshold(1, [a.clone(), b.clone()]))), (Some(2), Some(1)));
        let twice = Policy::threshold(2, [a.clone(), a.clone(), b.clone()]);
        let refund = Policy::threshold(1, [a.clone(), Policy::after(9)]);
        let nested = Policy::threshold(1, [two, b.clone()]);
        for policy in [&a, &twice, &refund, &nested, &Policy::or([a.clone(), b.clone()]), &Policy::after(9)] {
            assert_eq!(quorum(policy), None, "{policy:?}");
        }
    }
}
