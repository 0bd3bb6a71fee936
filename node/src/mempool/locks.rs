//! Which transactions of the pool concern a lock.

use alloy_primitives::map::{HashMap, hash_map::Entry};
use chain_core::transaction::coin::Lock;
use std::collections::BTreeSet;

use super::types::Slot;

/// Most locks have one transaction in the pool, some have thousands.
#[derive(Debug)]
enum Slots {
    One(Slot),
    Many(BTreeSet<Slot>),
}

/// Coin transactions by the locks that they pay to or spend from.
#[derive(Debug, Default)]
pub(crate) struct LockIndex {
    slots: HashMap<Lock, Slots>,
}

impl LockIndex {
    /// Adds a transaction; again, for all that it matters.
    pub(crate) fn insert(&mut self, lock: Lock, slot: Slot) {
        match self.slots.entry(lock) {
            Entry::Vacant(vacant) => {
                vacant.insert(Slots::One(slot));
            }
            Entry::Occupied(mut occupied) => match occupied.get_mut() {
                Slots::One(other) if *other == slot => {}
                Slots::One(other) => *occupied.get_mut() = Slots::Many(BTreeSet::from([*other, slot])),
                Slots::Many(slots) => {
                    slots.insert(slot);
                }
            },
        }
    }

    /// Removes a transaction, if it is there.
    pub(crate) fn remove(&mut self, lock: Lock, slot: Slot) {
        let Entry::Occupied(mut occupied) = self.slots.entry(lock) else { return };
        let empty = match occupied.get_mut() {
            Slots::One(other) => *other == slot,
            Slots::Many(slots) => {
                slots.remove(&slot);
                slots.is_empty()
            }
        };
        if empty {
            occupied.remove();
        }
    }

    /// The transactions of a lock.
    pub(crate) fn get(&self, lock: &Lock) -> Vec<Slot> {
        match self.slots.get(lock) {
            None => Vec::new(),
            Some(Slots::One(slot)) => vec![*slot],
            Some(Slots::Many(slots)) => slots.iter().copied().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_core::transaction::coin::KeyBytes;

    #[test]
    fn keeps_each_transaction_once() {
        let (a, b) = (Lock::Key(KeyBytes([1; 32])), Lock::Policy([1; 32]));
        let mut index = LockIndex::default();
        for (lock, slot) in [(a, 7), (a, 7), (b, 7), (a, 3), (a, 9)] {
            index.insert(lock, slot);
        }
        assert_eq!(index.get(&a), [3, 7, 9]);
        index.remove(a, 7);
        index.remove(a, 7);
        assert_eq!((index.get(&a), index.get(&b)), (vec![3, 9], vec![7]));
        for slot in [3, 9, 9] {
            index.remove(a, slot);
        }
        assert!(index.slots.len() == 1 && index.get(&a).is_empty());
    }
}
