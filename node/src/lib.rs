//! Cairn's full node: engine, storage, RPC.

pub mod cli;
pub mod commands;
mod config;
mod dev;
mod disk;
pub mod engine;
pub mod engine_thread;
mod error;
pub mod files;
mod logging;
pub mod mempool;
mod mining;
mod net;
mod open;
mod output;
mod page;
pub mod program;
mod report;
mod rpc;
mod saved_pool;
mod signals;
pub mod store;
mod stratum;
mod tasks;
mod text;
pub mod version;
pub mod wire;
