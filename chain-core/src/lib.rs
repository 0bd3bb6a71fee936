//! Cairn's ledger: one chain of SHA-256d headers over coins and accounts.
//!
//! Pure by contract: no IO, clock, threads, async or randomness. Everything that a rule depends on is an argument, so
//! that a node, a simulator and a test run the same code. Rule ids (`HDR-3`) are those of SPEC.md.

pub mod address;
pub mod block;
pub mod codec;
pub mod error;
pub mod execute;
pub mod fees;
pub mod finality;
pub mod gas;
pub mod hash;
pub mod headers;
pub mod spec;
pub mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transaction;
pub mod trie;
pub mod units;
pub mod vm;
pub mod work;

pub use alloy_primitives::{Address, B256, Bytes, U256};
