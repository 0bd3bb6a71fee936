//! Rows that wait for the next flush as they are: those of blocks, which are written once and seldom read again.

use std::collections::BTreeMap;

use super::{Batch, Column};

/// Rows that wait for the next flush.
#[derive(Debug, Default)]
pub struct PendingRows {
    /// Rows that may be read before the flush. `None` where one is to be deleted.
    known: BTreeMap<(Column, Vec<u8>), Option<Vec<u8>>>,
    known_bytes: usize,
    /// Those of indexes, which only a flush makes visible.
    pub index: Batch,
}

impl PendingRows {
    /// The row as the next flush will leave it, if it writes it.
    pub fn get(&self, column: Column, key: &[u8]) -> Option<Option<&[u8]>> {
        self.known.get(&(column, key.to_vec())).map(Option::as_deref)
    }

    /// Sets a row.
    pub fn put(&mut self, column: Column, key: &[u8], value: Vec<u8>) {
        self.set(column, key, Some(value));
    }

    /// Deletes a row.
    pub fn delete(&mut self, column: Column, key: &[u8]) {
        self.set(column, key, None);
    }

    /// Forgets a row: the next flush does not write it.
    pub fn forget(&mut self, column: Column, key: &[u8]) {
        if let Some(old) = self.known.remove(&(column, key.to_vec())) {
            self.known_bytes -= row_bytes(key, old.as_deref());
        }
    }

    fn set(&mut self, column: Column, key: &[u8], value: Option<Vec<u8>>) {
        self.known_bytes += row_bytes(key, value.as_deref());
        if let Some(old) = self.known.insert((column, key.to_vec()), value) {
            self.known_bytes -= row_bytes(key, old.as_deref());
        }
    }

    /// Bytes of memory, more or less.
    pub fn memory(&self) -> usize {
        self.known_bytes + self.index.memory()
    }

    /// Adds all rows to a batch.
    pub fn write(&self, batch: &mut Batch) {
        for ((column, key), value) in &self.known {
            batch.push(*column, key, value.as_deref());
        }
        batch.append(&self.index);
    }

    /// Forgets them, once they are written.
    pub fn clear(&mut self) {
        self.known.clear();
        self.known_bytes = 0;
        self.index.clear();
    }

    /// The rows of a column that wait to be set.
    pub fn of(&self, column: Column) -> impl Iterator<Item = (&[u8], &[u8])> {
        let of_column = self.known.range((column, Vec::new())..).take_while(move |((found, _), _)| *found == column);
        of_column.filter_map(|((_, key), value)| value.as_deref().map(|value| (&key[..], value)))
    }
}

/// What a row takes with its share of the tree.
fn row_bytes(key: &[u8], value: Option<&[u8]>) -> usize {
    key.len() + value.map_or(0, <[u8]>::len) + 96
}
