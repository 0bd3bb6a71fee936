//! Merkle proofs (`eth_getProof`).

use super::NodeReader;
use crate::state::ViewError;
use alloy_primitives::{B256, Bytes};

/// RLP of the nodes from the root towards a hashed key, whether or not it is there; none for an empty trie.
///
/// # Errors
/// [`ViewError`] if a node cannot be read.
pub fn prove(_reader: &dyn NodeReader, _owner: Option<B256>, _key: B256) -> Result<Vec<Bytes>, ViewError> {
    todo!()
}

/// A proof that does not prove anything about its key under its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not lead from the root to the key or to where it is missing")]
pub struct ProofError;

/// What a proof says of a hashed key: its value, or `None` that it is not there.
///
/// # Errors
/// [`ProofError`] if it says nothing.
pub fn verify_proof(_root: B256, _key: B256, _proof: &[Bytes]) -> Result<Option<Vec<u8>>, ProofError> {
    todo!()
}
