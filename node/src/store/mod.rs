//! Storage: the chain and its state on disk, in one database.
//!
//! [`Store`] belongs to the engine's thread. It takes executed blocks, gathers what they change in memory and writes it
//! in one atomic batch with the new tip ([`Store::flush`]). Other threads hold a [`Reader`] and read [`Snapshot`]s:
//! the state of the last flush, all of one block. What keys and values look like stands in `schema`, and only `rocks`
//! knows which database keeps them. Nothing here knows rules: a store takes only what was executed.

mod blockdata;
mod bytes;
mod cache;
mod changes;
mod commit;
mod config;
mod directory;
mod error;
mod historic;
mod index;
pub mod kv;
pub mod memory;
mod nodes;
mod open;
mod prune;
mod reader;
mod recent;
mod records;
mod rocks;
mod rows;
mod schema;
mod spends;
mod state;
mod survey;
mod unreadable;
mod view;

pub use commit::Disconnected;
pub use config::StoreConfig;
pub use directory::DirectoryLock;
pub use error::StoreError;
pub use historic::Historic;
pub use reader::{Reader, Snapshot};
pub use records::{
    AccountEvent, BlockRef, CoinPlace, CoinsPage, Executed, HeaderRecord, HistoryPlace, LockEvent, PlacedCoin,
    StoreStats, StoredReceipt, Totals, TxPlace, Verdict,
};
pub use spends::Spend;
pub use state::Store;
pub use survey::Survey;
pub use view::View;

#[cfg(test)]
mod tests;
