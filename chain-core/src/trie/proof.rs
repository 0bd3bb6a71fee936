//! Merkle proofs (`eth_getProof`).

use super::NodeReader;
use crate::state::ViewError;
use alloy_primitives::{B256, Bytes};

/// RLP of the nodes from the root towards a key, whether or not it is there.
///
/// # Errors
/// [`ViewError`] if a node cannot be read.
pub fn prove(_reader: &dyn NodeReader, _owner: Option<B256>, _key: B256) -> Result<Vec<Bytes>, ViewError> {
    todo!()
}
