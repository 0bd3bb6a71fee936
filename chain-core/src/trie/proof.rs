//! Merkle proofs (`eth_getProof`).

use super::{
    EMPTY_ROOT, MissingNode, Nibbles, NodeKey, NodeReader,
    node::{NodeError, Reference, Shape, Step},
};
use crate::error::ViewError;
use alloy_primitives::{B256, Bytes, keccak256};
use std::sync::Arc;

/// RLP of the nodes from the root towards a hashed key, whether or not it exists; none for an empty trie. Inline nodes
/// are not listed separately.
///
/// # Errors
/// [`ViewError`] if a node cannot be read.
pub fn prove(reader: &dyn NodeReader, owner: Option<B256>, key: B256) -> Result<Vec<Bytes>, ViewError> {
    let key = Nibbles::of_key(&key);
    let mut proof = Vec::new();
    let mut place = NodeKey { owner, path: Nibbles::default() };
    let Some(root) = reader.node(&place)? else {
        return Ok(proof);
    };
    let mut shape = Shape::decode(root.as_bytes()).map_err(|error| ViewError(Arc::new(error)))?;
    proof.push(Bytes::copy_from_slice(root.as_bytes()));
    while let Step::Child(further, child) = shape.step(&key.skip(place.path.len())) {
        place.path = key.take(place.path.len() + further);
        let decoded = match &child {
            Reference::Hash(_) => {
                let missing = || ViewError(Arc::new(MissingNode(place.clone())));
                let node = reader.node(&place)?.ok_or_else(missing)?;
                proof.push(Bytes::copy_from_slice(node.as_bytes()));
                Shape::decode(node.as_bytes())
            }
            Reference::Inline { len, rlp } => Shape::decode(&rlp[..usize::from(*len)]),
            Reference::Empty => Err(NodeError),
        };
        shape = decoded.map_err(|error| ViewError(Arc::new(error)))?;
    }
    Ok(proof)
}

/// A proof that is invalid for its key and root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not lead from the root to the key or to where it is missing")]
pub struct ProofError;

impl From<NodeError> for ProofError {
    fn from(_: NodeError) -> Self {
        Self
    }
}

/// Verifies a proof; returns the value of the hashed key, or `None` if it does not exist.
///
/// # Errors
/// [`ProofError`] if a node is missing, altered or superfluous.
pub fn verify_proof(root: B256, key: B256, proof: &[Bytes]) -> Result<Option<Vec<u8>>, ProofError> {
    if root == EMPTY_ROOT && proof.is_empty() {
        return Ok(None);
    }
    let mut rest = Nibbles::of_key(&key);
    let mut nodes = proof.iter();
    let mut reference = Reference::Hash(root);
    let value = loop {
        let shape = match &reference {
            Reference::Hash(hash) => {
                let node = nodes.next().filter(|node| keccak256(node) == *hash).ok_or(ProofError)?;
                Shape::decode(node)?
            }
            Reference::Inline { len, rlp } => Shape::decode(&rlp[..usize::from(*len)])?,
            Reference::Empty => return Err(ProofError),
        };
        match shape.step(&rest) {
            Step::Value(value) => break Some(value.to_vec()),
            Step::Absent => break None,
            Step::Child(further, child) => {
                rest = rest.skip(further);
                reference = child;
            }
        }
    };
    if nodes.next().is_some() { Err(ProofError) } else { Ok(value) }
}
