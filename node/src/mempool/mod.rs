//! Transactions that wait for a block: both kinds, in one ranking by tip per gas.

mod error;
mod types;

pub use error::MempoolError;
pub use types::{EntryStatus, FeeEstimate, LockPending, MempoolConfig, MempoolEntry, MempoolStats};
