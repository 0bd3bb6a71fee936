//! Batch update of a trie.

use super::{LeafChange, NodeChange, NodeReader};
use crate::state::ViewError;
use alloy_primitives::B256;

/// Applies changes to the trie of `owner`; answers with the new root and the nodes that differ.
///
/// Every key is changed at most once. Sorted changes are quickest.
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

/// Root of the trie of a list: value by RLP of its index, as in a block's receipts.
pub fn ordered_root<T: AsRef<[u8]>>(_values: &[T]) -> B256 {
    todo!()
}
