//! Rows that are written together.

use std::cmp::Ordering;

use super::column::Column;

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
}
