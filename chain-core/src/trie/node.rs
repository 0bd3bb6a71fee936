//! Trie nodes and their RLP.

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node;
