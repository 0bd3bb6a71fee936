//! JSON-RPC 2.0 over HTTP and WebSocket: a module for each namespace, each a table of methods.
//!
//! Methods read snapshots of the store and ask the engine over its handle; none changes the chain itself. They are plain
//! functions on blocking threads, or on the one that read the call if they are brief, and stand on `base` alone; `table` lists
//! them. `server` accepts connections, `access` says who may call, `lanes` how many at a time, and `dispatch` runs a call.
//! `manual/` says what each method takes and returns.

pub mod access;
mod admin;
mod base;
mod chain;
mod coin;
mod debug;
mod dev;
mod devnet;
mod discover;
mod dispatch;
mod eth;
mod lanes;
mod miner;
mod net;
mod ots;
mod pubsub;
mod server;
mod table;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod trace;
mod tracer;
mod txpool;
mod web3;

pub use base::{Beneficiaries, Context, NextBlocks, NodeInfo, Templates};
pub use dispatch::methods;
pub use lanes::{Lanes, network, threads};
pub use pubsub::{Filters, start_hub};
pub use server::{HttpLimits, finish, serve};
pub use table::namespaces;
