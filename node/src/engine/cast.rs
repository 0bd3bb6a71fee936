//! A vote as it is shown.

use chain_core::{
    finality::{Kind, Vote, pbft::View},
    hash::BlockHash,
};

/// A vote without its signature and proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    /// Whose.
    pub member: u8,
    /// Of which kind.
    pub kind: Kind,
    /// For which view; 0 of the last word, which needs none.
    pub view: View,
    /// For which block, if it is for one.
    pub hash: Option<BlockHash>,
}

impl Cast {
    /// What is shown of a vote.
    pub fn of(vote: &Vote) -> Self {
        let Vote { statement, signed, .. } = vote;
        Self { member: signed.member, kind: statement.kind(), view: statement.view(), hash: statement.hash() }
    }
}
