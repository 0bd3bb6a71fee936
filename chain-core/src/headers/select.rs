//! What is known of each block, and which tip to follow.

use super::{Executed, HeaderTree};
use crate::hash::BlockHash;

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Only its header.
    HeaderOnly,
    /// Its body is stored, not yet executed.
    BodyStored,
    /// It was executed and keeps every rule.
    Valid,
    /// It, or an ancestor, breaks a rule.
    Invalid,
}

impl HeaderTree {
    /// The header with the most work that is not known to be invalid: where to sync to.
    pub fn best_header(&self) -> BlockHash {
        todo!()
    }

    /// The block with the most work whose branch has all its bodies stored and none known to be invalid: where to
    /// connect to. First seen wins a tie.
    pub fn candidate(&self) -> BlockHash {
        todo!()
    }

    /// Records that the body of a known block is stored.
    pub fn mark_body(&mut self, _hash: &BlockHash) {
        todo!()
    }

    /// Records that a known block was executed; its body is stored.
    pub fn mark_valid(&mut self, _hash: &BlockHash, _executed: Executed) {
        todo!()
    }

    /// Records that a known block breaks a rule; answers with it and all its descendants, which are as invalid.
    pub fn mark_invalid(&mut self, _hash: &BlockHash) -> Vec<BlockHash> {
        todo!()
    }

    /// Makes a block win ties from now on: the stored tip, after loading.
    pub fn prefer(&mut self, _hash: &BlockHash) {
        todo!()
    }
}
