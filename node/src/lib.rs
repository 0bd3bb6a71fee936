//! Cairn's full node: engine, storage, RPC.

pub mod cli;
pub mod commands;
pub mod config;
pub mod dev;
mod disk;
pub mod engine;
pub mod engine_thread;
mod error;
pub mod files;
pub mod logging;
pub mod mempool;
pub mod mining;
pub mod net;
mod open;
mod output;
pub mod program;
pub mod report;
pub mod rpc;
pub mod saved_pool;
pub mod signals;
pub mod store;
pub mod tasks;
pub mod text;
pub mod version;
pub mod wire;
