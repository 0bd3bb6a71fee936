//! What of a store can be configured.

/// Settings of a store. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Memory for everything that is kept to be fast: see `Shares`.
    pub cache_bytes: usize,
    /// Most blocks between two flushes while the node is syncing.
    pub dirty_blocks: u32,
    /// Whether a flush waits until the disk has it. Without, a power failure (not a crash of the process) may take back
    /// the last blocks.
    pub sync: bool,
    /// Whether transactions are found by their id.
    pub tx_index: bool,
    /// Whether coins and history are found by lock and account.
    pub address_index: bool,
    /// Whether logs are found by address and topic.
    pub log_index: bool,
    /// Blocks up to the tip whose bodies, undo data and receipts are kept; `None` for all.
    pub prune: Option<u32>,
    /// States below the tip's that can be read; `None` for all, which a development chain always keeps.
    pub history: Option<u32>,
    /// Files that the database keeps open at most.
    pub open_files: u32,
}

/// States below the tip's that can be read if nothing else is configured: as many as in geth, which clients rely on.
pub const HISTORY: u32 = 128;

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            cache_bytes: 256 << 20,
            dirty_blocks: 2_000,
            sync: true,
            tx_index: true,
            address_index: true,
            log_index: true,
            prune: None,
            history: Some(HISTORY),
            open_files: 256,
        }
    }
}

/// How the memory of a store is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Clean copies of coins, accounts, slots, trie nodes and code.
    pub clean: usize,
    /// Unwritten changes that gather while syncing.
    pub dirty: usize,
    /// Written rows that the database has in its log but not in its files.
    pub write_buffer: usize,
    /// Blocks of the database's files, their indexes and filters.
    pub blocks: usize,
}

impl StoreConfig {
    /// Divides [`StoreConfig::cache_bytes`].
    pub fn shares(&self) -> Shares {
        let sixteenth = self.cache_bytes / 16;
        Shares {
            clean: 7 * sixteenth,
            dirty: 2 * sixteenth,
            // Smaller ones make the database busy with files of a few rows.
            write_buffer: (3 * sixteenth).max(4 << 20),
            blocks: 4 * sixteenth,
        }
    }
}
