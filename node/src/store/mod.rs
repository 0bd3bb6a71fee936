//! Storage: the chain and its state on disk, in one database.
//!
//! [`Store`] belongs to the engine's thread. It takes executed blocks, gathers what they change in memory and writes it
//! in one atomic batch with the new tip ([`Store::flush`]). Other threads hold a [`Reader`] and read [`Snapshot`]s:
//! the state of the last flush, all of one block. What keys and values look like stands in `schema`, and only `rocks`
//! knows which database keeps them. Nothing here knows rules: a store takes only what was executed.

mod backfill;
mod batch;
mod blockdata;
mod cache;
mod changes;
mod column;
mod commit;
mod config;
mod directory;
mod dump;
mod encoding;
mod error;
mod finality;
mod historical;
mod history;
mod index;
pub mod kv;
mod log_search;
mod logs;
pub mod memory;
mod open;
mod past_tries;
mod pending_rows;
mod prune;
mod read;
mod reader;
mod recent_hashes;
mod rocks;
mod schema;
mod spends;
mod survey;
mod types;
mod unreadable;
mod view;
mod writer;

pub use commit::Disconnected;
pub use config::{HISTORY, StoreConfig};
pub use directory::DirectoryLock;
pub use dump::WholeAccount;
pub use error::StoreError;
pub use historical::HistoricalState;
pub use logs::{BlockLog, LogFilter};
pub use past_tries::{PastTries, Rewind};
pub use reader::{Reader, Snapshot};
pub use spends::Spend;
pub use survey::Survey;
pub use types::{
    BlockRef, CoinPlace, CoinsPage, Executed, HeaderRecord, HistoryPlace, LockEvent, PlacedCoin, StoredReceipt, Totals,
    TxPlace, Verdict,
};
pub use view::View;
pub use writer::Store;

// What the files here share.
use batch::Batch;
use column::Column;
use encoding::Malformed;
use error::damaged;
pub use kv::Usage;
use kv::{Durability, KeyRange, Kv, KvRead, Order, Visitor};
use logs::LogTerm;
use unreadable::Unreadable;

#[cfg(test)]
pub(crate) mod tests;
