//! Cairn's full node: engine, storage, RPC.

pub mod engine;
pub mod mempool;
pub mod store;
pub mod template;
