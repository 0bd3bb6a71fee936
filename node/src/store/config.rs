//! What of a store can be configured.

/// Settings of a store. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Memory for clean copies of coins, accounts and trie nodes, and for the database's own blocks.
    pub cache_bytes: usize,
    /// Unwritten changes that [`super::Store::needs_flush`] lets gather while the node is syncing.
    pub dirty_bytes: usize,
    /// Most blocks between two flushes while the node is syncing.
    pub dirty_blocks: u32,
    /// Whether a flush waits until the disk has it. Without, a power failure (not a crash of the process) may take back
    /// the last blocks.
    pub sync: bool,
    /// Whether transactions are found by their id.
    pub tx_index: bool,
    /// Whether coins and history are found by lock and account.
    pub address_index: bool,
    /// Blocks below the tip that can be taken back; `None` for all.
    pub undo_blocks: Option<u32>,
    /// Files that the database keeps open at most.
    pub open_files: u32,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            cache_bytes: 256 << 20,
            dirty_bytes: 64 << 20,
            dirty_blocks: 2_000,
            sync: true,
            tx_index: true,
            address_index: true,
            undo_blocks: None,
            open_files: 256,
        }
    }
}
