//! A set that remembers the last few thousand of whatever was put in.

use chain_core::hash::TxId;
use std::collections::HashSet;

/// Entries of one generation.
pub(super) const GENERATION: usize = 8_192;

/// Two generations of transaction names, cut to 64 bits: once the younger is full, the older is forgotten. At most about
/// 300 KiB.
#[derive(Debug, Default)]
pub(super) struct Known {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Known {
    /// Remembers a name; answers whether it is new.
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
