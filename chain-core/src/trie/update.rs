//! Batch update of a trie.

use super::{LeafChange, NodeChange, NodeReader};
use crate::state::ViewError;
use alloy_primitives::B256;

/// Applies sorted changes to the trie of `owner`; answers with the new root and the nodes that differ.
///
/// # Errors
/// [`ViewError`] if a node cannot be read.
pub fn update(
    _reader: &dyn NodeReader,
    _owner: Option<B256>,
    _changes: &[LeafChange],
) -> Result<(B256, Vec<NodeChange>), ViewError> {
    todo!()
}
