//! Evidence: a member signed two blocks where a correct one signs one.

use serde::{Deserialize, Serialize};

use super::{
    certificate::Certificate,
    error::FinalityError,
    signing::{Electorate, Signed, Verify},
    vote::{Statement, Vote},
};
use crate::{hash::BlockHash, units::Height};

/// Two votes of one member that no correct member signs both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// One vote.
    pub first: Vote,
    /// The other.
    pub second: Vote,
}

impl Evidence {
    /// The member that it names.
    pub fn member(&self) -> u8 {
        self.first.signed.member
    }

    /// Checks it, from cheap to expensive.
    ///
    /// # Errors
    /// [`FinalityError`] for the first thing that is wrong.
    pub fn check(&self, electorate: &Electorate, verify: &mut Verify) -> Result<(), FinalityError> {
        let Self { first, second } = self;
        if first.signed.member != second.signed.member {
            return Err(FinalityError::Members(first.signed.member, second.signed.member));
        }
        if !is_same_place(first, second) {
            return Err(FinalityError::Places);
        }
        if !contradict(first, second) {
            return Err(FinalityError::Agree);
        }
        first.check(electorate, verify)?;
        second.check(electorate, verify)
    }

    /// That of two checked votes, if there is any.
    pub fn of(first: &Vote, second: &Vote) -> Option<Self> {
        let is_one = first.signed.member == second.signed.member && is_same_place(first, second);
        (is_one && contradict(first, second)).then(|| Self { first: first.clone(), second: second.clone() })
    }

    /// That of two checked certificates for one height: it names at least f+1 members, since two quorums have so many in common.
    pub fn of_certificates(one: &Certificate, other: &Certificate) -> Vec<Self> {
        // FIN-4
        let vote = |certificate: &Certificate, signed: Signed| finalized(certificate.height, certificate.hash, signed);
        let signed_twice = one.signatures.iter().filter_map(|signed| {
            let second = other.signatures.iter().find(|second| second.member == signed.member)?;
            Self::of(&vote(one, *signed), &vote(other, *second))
        });
        signed_twice.collect()
    }
}

fn finalized(height: Height, hash: BlockHash, signed: Signed) -> Vote {
    Vote { height, statement: Statement::Finalize { hash }, signed }
}

fn is_same_place(first: &Vote, second: &Vote) -> bool {
    let place = |vote: &Vote| (vote.height, vote.statement.kind(), vote.statement.view());
    place(first) == place(second)
}

fn contradict(first: &Vote, second: &Vote) -> bool {
    match (first.statement.hash(), second.statement.hash()) {
        (Some(first), Some(second)) => first != second,
        _ => false,
    }
}
