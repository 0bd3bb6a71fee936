//! Cairn's ledger: one chain of SHA-256d headers over coins and accounts.
//!
//! Pure by contract: no IO, clock, threads, async or randomness. Everything that a rule depends on is an argument, so
//! that a node, a simulator and a test run the very same code. Rule ids (`HDR-3`) are those of SPEC.md.

pub mod account;
pub mod address;
pub mod asert;
pub mod block;
pub mod check;
pub mod codec;
pub mod coin;
pub mod coinbase;
pub mod error;
pub mod execute;
pub mod fees;
pub mod hash;
pub mod header;
pub mod headers;
mod key;
pub mod lthash;
pub mod merkle;
pub mod policy;
pub mod pow;
pub mod sighash;
pub mod spec;
pub mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transaction;
pub mod trie;
pub mod units;
pub mod vm;

pub use alloy_primitives::{Address, B256, Bytes, U256};
