//! The tree of all known headers, their cumulative work, and fork choice.
//!
//! All headers stay in memory, about 200 bytes each (200 MB after a year of 30-second blocks), and branches are never
//! dropped. An attacker pays the work of each header, because callers insert only chains with enough work (they check
//! them with [`HeaderContext`] first, which stores nothing). Time is an argument.

mod node;
mod rules;
mod select;
mod tree;
mod walk;

#[cfg(test)]
mod tests;

pub use node::{Executed, Status};
pub use rules::{HeaderContext, HeaderError};
pub use tree::{HeaderInfo, HeaderTree, Inserted, LoadError, StoredHeader};
pub use walk::Path;
