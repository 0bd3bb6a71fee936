//! Nonce search on all cores.
//!
//! The threads of a [`Miner`] search the latest [`Work`]; [`Kernel`]s do the hashing and can be exchanged. [`client`]
//! mines for a node over JSON-RPC, as `cairn-miner` does.

pub mod cli;
pub mod client;
mod kernel;
mod meter;
mod miner;
mod work;

pub use kernel::{Kernel, Midstate};
pub use meter::Meter;
pub use miner::{Event, Miner, StartError};
pub use work::{Solution, VERSION_MASK, Work};
