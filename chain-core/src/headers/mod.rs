//! The tree of all known headers: what was mined on what, how much work it is worth, and which tip to follow.
//!
//! All headers stay in memory, about 200 bytes each (so 200 MB after a year of 30-second blocks), and branches are
//! never dropped: each header cost its work, and callers do not insert chains whose work is not worth it (check them
//! with [`HeaderContext`] first, which keeps nothing). Time is an argument.

mod node;
mod rules;
mod select;
mod tree;
mod walk;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub use node::{Executed, Status};
pub use rules::{HeaderContext, HeaderError};
pub use tree::{HeaderInfo, HeaderTree, Inserted, LoadError, StoredHeader};
pub use walk::Path;
