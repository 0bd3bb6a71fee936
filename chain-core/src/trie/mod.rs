//! Ethereum's secure Merkle Patricia trie, incremental over stored nodes.
//!
//! Nodes are stored by their *path*, not by their hash: a write replaces the old node, so there is no garbage to
//! collect. An update reads only the nodes on the changed paths and returns a diff.

mod nibbles;
mod node;
mod proof;
#[cfg(test)]
mod tests;
mod update;

pub use nibbles::Nibbles;
pub use node::{Node, NodeError};
pub use proof::{ProofError, prove, verify_proof};
pub use update::{ordered_root, update, update_paths};

use alloy_primitives::{B256, b256};
use std::sync::Arc;

use crate::error::ViewError;

/// Root of a trie without entries: keccak-256 of the RLP of an empty string.
pub const EMPTY_ROOT: B256 = b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

/// Where a node is stored: which trie, and the path from its root.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeKey {
    /// keccak-256 of the address whose storage this is; `None` for the account trie.
    pub owner: Option<B256>,
    /// From the root to the node.
    pub path: Nibbles,
}

impl NodeKey {
    /// As a database key: kind, owner, packed path, its length. The nodes of one owner are together, by path.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + 32 + 32 + 1);
        match &self.owner {
            None => bytes.push(0),
            Some(owner) => {
                bytes.push(1);
                bytes.extend_from_slice(owner.as_slice());
            }
        }
        bytes.extend_from_slice(self.path.packed());
        bytes.push(self.path.len() as u8); // at most 64
        bytes
    }

    /// Parses a database key; `None` if it is malformed.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (owner, rest) = match bytes.split_first()? {
            (0, rest) => (None, rest),
            (1, rest) => rest.split_first_chunk::<32>().map(|(owner, rest)| (Some(B256::from(*owner)), rest))?,
            _ => return None,
        };
        let (len, packed) = rest.split_last()?;
        Some(Self { owner, path: Nibbles::from_packed(packed, usize::from(*len))? })
    }
}

/// A node that a block wrote or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeChange {
    /// Key of the node.
    pub key: NodeKey,
    /// The new node; `None` if it was removed.
    pub node: Option<Arc<Node>>,
}

/// One change of a leaf: the hashed key, and the new RLP value or `None` to remove it.
pub type LeafChange = (B256, Option<Vec<u8>>);

/// A node that its parent refers to is not stored: the database is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("trie node {} of {} is missing", .0.path, .0.owner.map_or("the accounts".to_owned(), |owner| owner.to_string()))]
pub struct MissingNode(pub NodeKey);

/// Reads the stored nodes of one state.
pub trait NodeReader {
    /// The node at a key, if there is one.
    ///
    /// # Errors
    /// [`ViewError`] if it cannot be read.
    fn node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError>;
}
