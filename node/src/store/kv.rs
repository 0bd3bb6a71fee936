//! An ordered key-value database with columns, atomic batches and snapshots: all that a store asks of one.

use std::{cmp::Ordering, ops::ControlFlow, sync::Arc};

use super::StoreError;

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
    /// The tip, and what the directory is.
    Meta,
}

impl Column {
    /// All of them, in order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Headers,
        Self::Bodies,
        Self::Undo,
        Self::Coins,
        Self::Accounts,
        Self::Storage,
        Self::Code,
        Self::Trie,
        Self::Receipts,
        Self::TxIndex,
        Self::AddressIndex,
        Self::Meta,
    ];

    /// Its name on disk.
    pub fn name(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Bodies => "bodies",
            Self::Undo => "undo",
            Self::Coins => "coins",
            Self::Accounts => "accounts",
            Self::Storage => "storage",
            Self::Code => "code",
            Self::Trie => "trie",
            Self::Receipts => "receipts",
            Self::TxIndex => "tx_index",
            Self::AddressIndex => "address_index",
            Self::Meta => "meta",
        }
    }
}

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

    /// All columns as they are now, whatever is written later.
    fn snapshot(&self) -> Arc<dyn KvRead>;

    /// Sizes.
    fn usage(&self) -> Usage;
}

/// What a database takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory.
    pub memory: usize,
    /// Approximate bytes on disk by column.
    pub disk: Vec<(&'static str, u64)>,
}

/// Rows to write together. Of two rows with one key the later counts.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    rows: Vec<Row>,
    bytes: Vec<u8>,
}

/// A row of a batch: where in its bytes the key and then the value stand.
#[derive(Clone, Copy, Debug)]
struct Row {
    column: Column,
    /// The first bytes of the key, so that most comparisons need no more.
    prefix: u64,
    start: usize,
    key: u32,
    /// `None` deletes the row.
    value: Option<u32>,
}

impl Batch {
    /// Sets a row.
    pub fn put(&mut self, column: Column, key: &[u8], value: &[u8]) {
        self.push(column, key, Some(value));
    }

    /// Deletes a row, if it is there.
    pub fn delete(&mut self, column: Column, key: &[u8]) {
        self.push(column, key, None);
    }

    /// Sets a row, or deletes it without a value.
    pub fn push(&mut self, column: Column, key: &[u8], value: Option<&[u8]>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        // Keys and values are encodings of at most 8 MiB.
        let value = value.map(|value| value.len() as u32);
        self.rows.push(Row { column, prefix: prefix(key), start, key: key.len() as u32, value });
    }

    /// Takes over the rows of another batch, as later ones.
    pub fn append(&mut self, other: &Self) {
        let shift = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.rows.extend(other.rows.iter().map(|row| Row { start: row.start + shift, ..*row }));
    }

    /// Brings the rows in the order of columns and keys, one for each key. Databases insert sorted rows faster.
    pub fn sort(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.rows.sort_by(|a, b| compare(&bytes, a, b));
        // `dedup_by` keeps the first of equal rows; what comes later has to win.
        self.rows.dedup_by(|later, kept| {
            let same = compare(&bytes, later, kept).is_eq();
            if same {
                *kept = *later;
            }
            same
        });
        self.bytes = bytes;
    }

    /// The rows in order, without a value where one is deleted.
    pub fn rows(&self) -> impl Iterator<Item = (Column, &[u8], Option<&[u8]>)> {
        self.rows.iter().map(|row| {
            let (key, rest) = self.bytes[row.start..].split_at(row.key as usize);
            (row.column, key, row.value.map(|len| &rest[..len as usize]))
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of memory.
    pub fn memory(&self) -> usize {
        self.bytes.len() + self.rows.len() * size_of::<Row>()
    }

    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.bytes.clear();
    }
}

fn prefix(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = key.len().min(8);
    bytes[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(bytes)
}

fn compare(bytes: &[u8], a: &Row, b: &Row) -> Ordering {
    let key = |row: &Row| &bytes[row.start..row.start + row.key as usize];
    a.column.cmp(&b.column).then(a.prefix.cmp(&b.prefix)).then_with(|| key(a).cmp(key(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sorted_batch_keeps_the_last_row_of_each_key() {
        let mut batch = Batch::default();
        batch.put(Column::Coins, b"b", b"1");
        batch.delete(Column::Coins, b"a");
        batch.put(Column::Headers, b"z", b"2");
        batch.put(Column::Coins, b"a", b"3");
        let mut more = Batch::default();
        more.delete(Column::Coins, b"b");
        more.put(Column::Coins, b"longer than eight", b"4");
        more.put(Column::Coins, b"longer than nine", b"5");
        batch.append(&more);
        batch.sort();
        let rows: Vec<_> = batch.rows().collect();
        assert_eq!(
            rows,
            [
                (Column::Headers, &b"z"[..], Some(&b"2"[..])),
                (Column::Coins, b"a", Some(b"3")),
                (Column::Coins, b"b", None),
                (Column::Coins, b"longer than eight", Some(b"4")),
                (Column::Coins, b"longer than nine", Some(b"5")),
            ]
        );
    }

    #[test]
    fn a_prefix_range_ends_at_the_next_prefix() {
        assert_eq!(KeyRange::prefix(b"ab"), KeyRange { from: b"ab".to_vec(), to: Some(b"ac".to_vec()) });
        assert_eq!(KeyRange::prefix(&[7, 255]), KeyRange { from: vec![7, 255], to: Some(vec![8]) });
        assert_eq!(KeyRange::prefix(&[255]), KeyRange { from: vec![255], to: None });
        assert_eq!(KeyRange::prefix(b""), KeyRange::all());
    }
}
