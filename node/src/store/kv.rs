//! An ordered key-value database with columns, atomic batches and snapshots: all that a store asks of one.

use std::{ops::ControlFlow, sync::Arc};

use super::{StoreError, batch::Batch, column::Column};

/// Whether a write waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Survives a crash of the process.
    Process,
    /// Survives a power failure, with everything written before.
    Disk,
}

/// The direction of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

/// Keys from `from` up to but not including `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// First key.
    pub from: Vec<u8>,
    /// First key beyond; `None` for no end.
    pub to: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> Self {
        Self { from: Vec::new(), to: None }
    }

    /// Every key that starts so.
    pub fn prefix(prefix: &[u8]) -> Self {
        let mut to = prefix.to_vec();
        while to.pop_if(|last| *last == u8::MAX).is_some() {}
        let last = to.last_mut().map(|last| *last += 1);
        Self { from: prefix.to_vec(), to: last.map(|()| to) }
    }
}

/// What a scan calls for every row, key and value, until it breaks.
pub type Visitor<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Reads rows: of a database as it is now, or of a snapshot.
pub trait KvRead: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read; so for all methods here.
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The values of many keys, in their order. Fastest if they are sorted.
    ///
    /// # Errors
    /// See [`KvRead::get`].
    fn get_many(&self, column: Column, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// Visits the rows of a range.
    ///
    /// # Errors
    /// See [`KvRead::get`].
    fn scan(&self, column: Column, range: &KeyRange, order: Order, visit: Visitor<'_>) -> Result<(), StoreError>;
}

/// What a database takes, and what it is busy with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of each column on the disk.
    pub columns: Vec<(Column, u64)>,
    /// Bytes of rows that are in the log and in memory only.
    pub memtables: u64,
    /// Bytes in the cache of blocks.
    pub cache: u64,
    /// Most bytes of that.
    pub cache_limit: u64,
    /// Bytes that compaction has to rewrite, about.
    pub pending_compaction: u64,
    /// Compactions that run.
    pub compactions: u64,
    /// Flushes of its memory that run.
    pub flushes: u64,
    /// Whether writers wait for compaction.
    pub stopped: bool,
    /// Failures of its background work since it was opened.
    pub errors: u64,
}

/// A database. Its writes are atomic, and after a crash a prefix of them is there.
pub trait Kv: KvRead {
    /// Writes all rows of a batch, or none.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    fn write(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError>;

    /// Drops every row of some columns, without reading them. Not atomic.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    fn clear(&self, columns: &[Column]) -> Result<(), StoreError>;

    /// Deletes the rows of a range in some columns, and gives their space back. Not atomic.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    fn delete_range(&self, columns: &[Column], range: &KeyRange) -> Result<(), StoreError>;

    /// Moves what was written from the log into the tables, before the database is closed: a damaged log ends where the damage
    /// is, and nothing says that there was more.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written.
    fn finish(&self) -> Result<(), StoreError>;

    /// What it takes of disk and memory, and what it is busy with. Cheap: nothing is read for it.
    fn usage(&self) -> Usage;

    /// All columns as they are now, whatever is written later.
    fn snapshot(&self) -> Arc<dyn KvRead>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_range_ends_at_the_next_prefix() {
        assert_eq!(KeyRange::prefix(b"ab"), KeyRange { from: b"ab".to_vec(), to: Some(b"ac".to_vec()) });
        assert_eq!(KeyRange::prefix(&[7, 255]), KeyRange { from: vec![7, 255], to: Some(vec![8]) });
        assert_eq!(KeyRange::prefix(&[255]), KeyRange { from: vec![255], to: None });
        assert_eq!(KeyRange::prefix(b""), KeyRange::all());
    }
}
