//! The columns of the database.

/// A set of rows with keys of its own. What they hold stands in `schema`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Headers by hash, and the active chain by height.
    Headers,
    /// Encoded blocks.
    Bodies,
    /// What takes blocks back.
    Undo,
    /// Unspent coins.
    Coins,
    /// Accounts.
    Accounts,
    /// Storage slots.
    Storage,
    /// Code by its hash.
    Code,
    /// Trie nodes by path.
    Trie,
    /// Receipts by block.
    Receipts,
    /// Transactions by id.
    TxIndex,
    /// Unspent coins and history by lock and account.
    AddressIndex,
    /// Heights of blocks by what their logs hold.
    LogIndex,
    /// What accounts and slots were before the blocks that changed them.
    History,
    /// The tip, and what the directory is.
    Meta,
}

impl Column {
    /// All of them, in order of their numbers, with their names on disk.
    pub const ALL: [(Self, &str); 14] = [
        (Self::Headers, "headers"),
        (Self::Bodies, "bodies"),
        (Self::Undo, "undo"),
        (Self::Coins, "coins"),
        (Self::Accounts, "accounts"),
        (Self::Storage, "storage"),
        (Self::Code, "code"),
        (Self::Trie, "trie"),
        (Self::Receipts, "receipts"),
        (Self::TxIndex, "tx_index"),
        (Self::AddressIndex, "address_index"),
        (Self::LogIndex, "log_index"),
        (Self::History, "history"),
        (Self::Meta, "meta"),
    ];

    /// Its name on disk.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}
