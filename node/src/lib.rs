//! Cairn's full node: engine, storage, RPC.

pub mod banner;
pub mod cli;
pub mod commands;
pub mod config;
pub mod dev;
mod disk;
pub mod engine;
pub mod files;
pub mod logging;
pub mod mempool;
pub mod mining;
pub mod net;
pub mod program;
pub mod report;
pub mod rpc;
pub mod run;
pub mod saved_pool;
pub mod signals;
pub mod store;
pub mod tasks;
pub mod template;
pub mod terminal;
pub mod text;
pub mod verify;
pub mod version;
pub mod wire;
