//! What changed since the last flush.

use alloy_primitives::map::{
    DefaultHashBuilder, HashMap,
    hash_map::{Drain, Entry},
};
use chain_core::trie::{Node, NodeChange, NodeKey};
use std::{hash::Hash, sync::Arc};

/// Values that differ from what is on disk. A value that comes and goes between two flushes leaves no trace.
#[derive(Debug)]
pub struct Changes<K, V> {
    changes: HashMap<K, Change<V>>,
}

/// A value on disk and now; `None` where there is none.
#[derive(Clone, Copy, Debug)]
struct Change<V> {
    disk: Option<V>,
    now: Option<V>,
}

impl<K, V> Default for Changes<K, V> {
    fn default() -> Self {
        Self { changes: HashMap::with_hasher(DefaultHashBuilder::default()) }
    }
}

impl<K: Eq + Hash, V: PartialEq> Changes<K, V> {
    /// The value now, if it differs from the one on disk.
    pub fn get(&self, key: &K) -> Option<Option<&V>> {
        self.changes.get(key).map(|change| change.now.as_ref())
    }

    /// Replaces a value. `before` is what it was, so the disk's if nothing changed since.
    pub fn set(&mut self, key: K, before: Option<V>, now: Option<V>) {
        match self.changes.entry(key) {
            Entry::Vacant(_) if before == now => {}
            Entry::Vacant(entry) => {
                entry.insert(Change { disk: before, now });
            }
            Entry::Occupied(entry) if entry.get().disk == now => {
                entry.remove();
            }
            Entry::Occupied(mut entry) => entry.get_mut().now = now,
        }
    }

    /// Bytes of memory, more or less.
    pub fn memory(&self) -> usize {
        // A hash table is filled to seven eighths at most, and on average to less.
        self.changes.len() * (size_of::<K>() + size_of::<Change<V>>()) * 3 / 2
    }

    /// Every key that changed and its value now.
    pub fn iter(&self) -> impl Iterator<Item = (&K, Option<&V>)> {
        self.changes.iter().map(|(key, change)| (key, change.now.as_ref()))
    }

    /// Takes every key and its value now.
    pub fn drain(&mut self) -> impl Iterator<Item = (K, Option<V>)> {
        self.changes.drain().map(|(key, change)| (key, change.now))
    }
}

/// Trie nodes written or removed since the last flush; `None` for the latter.
#[derive(Debug, Default)]
pub struct NodeChanges {
    nodes: HashMap<NodeKey, Option<Arc<Node>>>,
    bytes: usize,
}

impl NodeChanges {
    /// The node now, if it changed.
    pub fn get(&self, key: &NodeKey) -> Option<Option<&Arc<Node>>> {
        self.nodes.get(key).map(Option::as_ref)
    }

    /// Takes a change over.
    pub fn set(&mut self, change: &NodeChange) {
        let size = |node: &Option<Arc<Node>>| node.as_ref().map_or(0, |node| node.memory());
        self.bytes += size(&change.node);
        if let Some(old) = self.nodes.insert(change.key.clone(), change.node.clone()) {
            self.bytes -= size(&old);
        }
    }

    /// Bytes of memory, more or less.
    pub fn memory(&self) -> usize {
        self.bytes + self.nodes.len() * size_of::<(NodeKey, Option<Arc<Node>>)>() * 3 / 2
    }

    /// Every change.
    pub fn iter(&self) -> impl Iterator<Item = (&NodeKey, Option<&Arc<Node>>)> {
        self.nodes.iter().map(|(key, node)| (key, node.as_ref()))
    }

    /// Takes all changes.
    pub fn drain(&mut self) -> Drain<'_, NodeKey, Option<Arc<Node>>> {
        self.bytes = 0;
        self.nodes.drain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_comes_and_goes_leaves_no_trace() {
        let mut changes = Changes::default();
        changes.set(1, None, Some('a'));
        assert_eq!(changes.get(&1), Some(Some(&'a')));
        changes.set(1, Some('a'), None);
        assert_eq!(changes.get(&1), None);
        assert_eq!(changes.iter().count(), 0);
    }

    #[test]
    fn a_value_that_goes_and_comes_back_leaves_no_trace() {
        let mut changes = Changes::default();
        changes.set(1, Some('a'), None);
        assert_eq!(changes.get(&1), Some(None));
        changes.set(1, None, Some('b'));
        assert_eq!(changes.iter().collect::<Vec<_>>(), [(&1, Some(&'b'))]);
        changes.set(1, Some('b'), Some('a'));
        assert_eq!(changes.iter().count(), 0);
    }
}
