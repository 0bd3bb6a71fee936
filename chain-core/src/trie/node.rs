//! Trie nodes and their RLP.

/// A stored node, held as its RLP: that is what is hashed, stored and given out in proofs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node(Box<[u8]>);

/// Bytes that are not the RLP of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the RLP of a trie node")]
pub struct NodeError;

impl Node {
    /// Reads a stored node.
    ///
    /// # Errors
    /// [`NodeError`] unless it is the RLP of exactly one node.
    pub fn from_bytes(_bytes: Vec<u8>) -> Result<Self, NodeError> {
        todo!()
    }

    /// The RLP.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes of memory that it takes behind an `Arc`, for caches that bound their size.
    pub fn memory(&self) -> usize {
        self.0.len() + 64
    }
}
