//! Nonce search on all cores.
//!
//! The threads of a [`Miner`] search the latest [`Work`] with a [`Kernel`], which does the hashing. [`client`] mines for a
//! node over JSON-RPC and [`stratum`] for a server of that protocol, as `cairn-miner` does.

pub mod bench;
pub mod cli;
pub mod client;
mod kernel;
mod meter;
mod miner;
mod output;
mod status;
pub mod stratum;
mod temperature;
mod work;

pub use kernel::{Hit, Job, Kernel, MAX_VERSIONS, fastest, kernels};
pub use meter::Meter;
pub use miner::{Event, Miner, StartError, Threads};
pub use status::Status;
pub use work::{MAX_SOLUTIONS, Solution, VERSION_MASK, Work};
