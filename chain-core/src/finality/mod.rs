//! Finality over proof of work: members named by the chain spec sign checkpoints, and the best chain is the one with the most
//! work among those through the newest certificate.
//!
//! [`pbft`] is how they agree on one block for each checkpoint; [`Vote`] is what they sign meanwhile; [`Certificate`] is what
//! remains, and all that others need. A member that signs two blocks where a correct one signs one is named by [`Evidence`].
//! Knows no chain: whether a block exists, is deep enough or on the right branch is for the node.

mod certificate;
mod evidence;
pub mod pbft;
mod signing;
#[cfg(test)]
mod tests;
mod vote;

pub use certificate::{Certificate, CertificateError};
pub use evidence::{Evidence, EvidenceError};
pub use signing::{Electorate, Signed};
pub use vote::{Change, Lock, Statement, Vote, VoteError};
