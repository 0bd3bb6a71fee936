//! The last few thousand transactions that each peer has or that were announced to it.

use chain_core::hash::TxId;
use std::collections::{BTreeMap, HashSet};

use crate::engine::PeerId;

/// Entries of one generation.
pub(in crate::engine::relay) const GENERATION: usize = 8_192;

/// Two generations of transaction names, cut to 64 bits: once the younger is full, the older is forgotten. At most about
/// 300 KiB.
#[derive(Debug, Default)]
pub(super) struct Known {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Known {
    /// Remembers a name; returns whether it is new.
    pub(super) fn insert(&mut self, txid: &TxId) -> bool {
        let word = word(txid);
        if self.old.contains(&word) || !self.young.insert(word) {
            return false;
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        true
    }

    /// Whether a name is remembered.
    pub(super) fn contains(&self, txid: &TxId) -> bool {
        let word = word(txid);
        self.young.contains(&word) || self.old.contains(&word)
    }

    /// Forgets a name.
    pub(super) fn remove(&mut self, txid: &TxId) {
        let word = word(txid);
        self.young.remove(&word);
        self.old.remove(&word);
    }

    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

/// Transactions that each peer has or that were announced to it.
#[derive(Debug, Default)]
pub(in crate::engine::relay) struct Names(BTreeMap<PeerId, Known>);

impl Names {
    pub(super) fn connect(&mut self, id: PeerId) {
        self.0.insert(id, Known::default());
    }

    pub(super) fn disconnect(&mut self, id: PeerId) {
        self.0.remove(&id);
    }

    /// Notes that a peer has a transaction; returns whether that is new.
    pub(super) fn insert(&mut self, id: PeerId, txid: &TxId) -> bool {
        self.0.get_mut(&id).is_some_and(|known| known.insert(txid))
    }

    /// Forgets which peers have a transaction.
    pub(in crate::engine::relay) fn remove(&mut self, txid: &TxId) {
        self.0.values_mut().for_each(|known| known.remove(txid));
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(Known::len).sum()
    }
}

fn word(txid: &TxId) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|index| txid.0[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u32) -> TxId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        TxId(bytes)
    }

    #[test]
    fn remembers_the_last_ones_and_never_more_than_two_generations() {
        let mut known = Known::default();
        for number in 0..100_000 {
            assert!(known.insert(&name(number)));
            assert!(!known.insert(&name(number)));
            assert!(known.len() <= 2 * GENERATION);
        }
        assert!(known.contains(&name(99_999 - GENERATION as u32)));
        assert!(!known.contains(&name(0)));
    }
}
