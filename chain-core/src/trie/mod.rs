//! Ethereum's secure Merkle Patricia trie, incremental over stored nodes.
//!
//! Nodes are stored by their *path*, not by their hash: a write replaces what stood there, so nothing has to be
//! collected later. An update reads only the nodes on the changed paths and answers with a diff.

mod nibbles;
mod node;
mod proof;
mod update;

pub use nibbles::Nibbles;
pub use node::Node;
pub use proof::prove;
pub use update::update;

use alloy_primitives::{B256, b256};
use std::sync::Arc;

use crate::state::ViewError;

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

/// A node that a block wrote or removed.
#[derive(Clone, Debug)]
pub struct NodeChange {
    /// Where.
    pub key: NodeKey,
    /// The new node; `None` where there is none any more.
    pub node: Option<Arc<Node>>,
}

/// One change of a leaf: the hashed key, and the new RLP value or `None` to remove it.
pub type LeafChange = (B256, Option<Vec<u8>>);

/// Reads the stored nodes of one state.
pub trait NodeReader {
    /// The node at a key, if there is one.
    ///
    /// # Errors
    /// [`ViewError`] if it cannot be read.
    fn node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError>;
}
