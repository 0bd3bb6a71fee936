//! Cairn's full node: engine, storage, RPC.

pub mod cli;
pub mod config;
pub mod dev;
pub mod engine;
pub mod logging;
pub mod mempool;
pub mod mining;
pub mod rpc;
pub mod store;
pub mod template;
