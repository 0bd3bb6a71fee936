//! Trie nodes that differ from those on disk.

use alloy_primitives::map::{HashMap, hash_map::Drain};
use chain_core::trie::{Node, NodeChange, NodeKey};
use std::sync::Arc;

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
