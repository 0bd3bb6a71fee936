//! Finality over proof of work: members named by the chain spec sign checkpoints, and the best chain is the one with the most
//! work among those through the newest certificate.
//!
//! [`pbft`] is how they agree on one block for each checkpoint; [`Vote`] is what they sign meanwhile; [`Certificate`] is what
//! remains, and all that others need. A member that signs two blocks where a correct one signs one is named by [`Evidence`].
//! Knows no chain: whether a block exists, is deep enough or on the right branch is for the node.

mod certificate;
mod error;
mod evidence;
pub mod pbft;
mod signing;
#[cfg(test)]
mod tests;
mod vote;

pub use certificate::Certificate;
pub use error::FinalityError;
pub use evidence::Evidence;
pub use signing::{Electorate, Signed, Verify, verify_each};
pub use vote::{Change, Kind, Lock, Statement, Vote};
