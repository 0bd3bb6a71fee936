//! A database in memory, for tests, simulation and chains that need not last. It can lose what was not synced, and run
//! out of space on demand.

use parking_lot::Mutex;
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use std::{
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use super::{Batch, BlockRef, Column, Durability, KeyRange, Kv, KvRead, Order, StoreError, Usage, Visitor, schema};

type Rows = RedBlackTreeMapSync<Vec<u8>, Arc<[u8]>>;

/// The columns by number, and rows that cannot be read until they are written again. A copy shares all rows: it costs
/// nothing, however many they are, and the next write copies only the way to what it changes.
#[derive(Clone, Default)]
struct Columns([Rows; Column::ALL.len()], RedBlackTreeSetSync<(&'static str, Vec<u8>)>);

/// What is to go wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// After so many more writes, every one fails for want of space, and writes nothing.
    pub writes_left: Option<u64>,
    /// Every read fails.
    pub unreadable: bool,
}

#[derive(Default)]
struct Disk {
    columns: Columns,
    faults: Faults,
    /// What takes back each batch since the last synced one, oldest first; `None` if crashes are not simulated.
    unsynced: Option<Vec<Batch>>,
}

/// A database in memory. Clones share it, so that it outlives the store that uses it.
#[derive(Clone, Default)]
pub struct MemoryKv(Arc<Mutex<Disk>>);

impl MemoryKv {
    /// A database that remembers what a crash may take back.
    pub fn with_crashes() -> Self {
        Self(Arc::new(Mutex::new(Disk { unsynced: Some(Vec::new()), ..Disk::default() })))
    }

    /// Another database, which holds what this one holds now. It costs next to nothing. Nothing of it is lost in a crash.
    pub fn copy(&self) -> Self {
        let disk = self.0.lock();
        let unsynced = disk.unsynced.as_ref().map(|_| Vec::new());
        Self(Arc::new(Mutex::new(Disk { columns: disk.columns.clone(), faults: Faults::default(), unsynced })))
    }

    /// Number of batches that a crash may take back.
    pub fn unsynced(&self) -> usize {
        self.0.lock().unsynced.as_ref().map_or(0, Vec::len)
    }

    /// What a machine that lost power finds: the last `lost` batches are gone, unless they were synced. An open store
    /// notices nothing; drop it.
    pub fn crash(&self, lost: usize) {
        let mut disk = self.0.lock();
        let Some(unsynced) = disk.unsynced.as_mut() else { return };
        let batches = std::mem::take(unsynced);
        for inverse in batches.iter().rev().take(lost) {
            disk.columns.apply(inverse);
        }
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.0.lock().faults = faults;
    }

    /// Has a body be unreadable, as in a file with a wrong bit, until it is written again.
    pub fn spoil_body(&self, at: BlockRef) {
        let row = (Column::Bodies.name(), schema::block_key(at).to_vec());
        self.0.lock().columns.1.insert_mut(row);
    }

    fn read<T>(&self, read: impl FnOnce(&Columns) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let disk = self.0.lock();
        if disk.faults.unreadable {
            return Err(StoreError::Io { action: "read".into(), reason: "simulated".into() });
        }
        read(&disk.columns)
    }
}

impl Columns {
    fn column(&self, column: Column) -> &Rows {
        &self.0[column as usize]
    }

    fn apply(&mut self, batch: &Batch) {
        for (column, key, value) in batch.rows() {
            if !self.1.is_empty() {
                self.1.remove_mut(&(column.name(), key.to_vec()));
            }
            let rows = &mut self.0[column as usize];
            match value {
                Some(value) => rows.insert_mut(key.to_vec(), value.into()),
                None => {
                    rows.remove_mut(key);
                }
            }
        }
    }

    /// What takes a batch back.
    fn inverse(&self, batch: &Batch) -> Batch {
        let mut inverse = Batch::default();
        for (column, key, _) in batch.rows() {
            inverse.push(column, key, self.column(column).get(key).map(|value| &**value));
        }
        inverse
    }
}

impl KvRead for Columns {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if !self.1.is_empty() && self.1.contains(&(column.name(), key.to_vec())) {
            return Err(StoreError::Corrupt("simulated".into()));
        }
        Ok(self.column(column).get(key).map(|value| value.to_vec()))
    }

    fn get_many(&self, column: Column, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        keys.iter().map(|key| self.get(column, key)).collect()
    }

    fn scan(&self, column: Column, range: &KeyRange, order: Order, visit: Visitor<'_>) -> Result<(), StoreError> {
        if range.to.as_ref().is_some_and(|to| *to <= range.from) {
            return Ok(());
        }
        let end = range.to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.column(column).range::<[u8], _>((Bound::Included(&range.from[..]), end));
        let mut call = |(key, value): (&Vec<u8>, &Arc<[u8]>)| visit(key, value);
        let _: ControlFlow<()> = match order {
            Order::Ascending => { rows }.try_for_each(&mut call),
            Order::Descending => rows.rev().try_for_each(&mut call),
        };
        Ok(())
    }
}

impl KvRead for MemoryKv {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|columns| columns.get(column, key))
    }

    fn get_many(&self, column: Column, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        self.read(|columns| columns.get_many(column, keys))
    }

    fn scan(&self, column: Column, range: &KeyRange, order: Order, visit: Visitor<'_>) -> Result<(), StoreError> {
        // On a copy, since the visitor may read too.
        self.read(|columns| Ok(columns.clone()))?.scan(column, range, order, visit)
    }
}

impl Kv for MemoryKv {
    fn write(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        let mut disk = self.0.lock();
        if let Some(left) = &mut disk.faults.writes_left {
            *left = left.checked_sub(1).ok_or(StoreError::NoSpace)?;
        }
        let Disk { columns, unsynced, .. } = &mut *disk;
        match (unsynced, durability) {
            (None, _) => {}
            (Some(unsynced), Durability::Process) => unsynced.push(columns.inverse(batch)),
            (Some(unsynced), Durability::Disk) => unsynced.clear(),
        }
        columns.apply(batch);
        Ok(())
    }

    fn clear(&self, columns: &[Column]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for column in columns {
            for key in self.0.lock().columns.column(*column).keys() {
                batch.delete(*column, key);
            }
        }
        self.write(&batch, Durability::Disk)
    }

    fn delete_range(&self, columns: &[Column], range: &KeyRange) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for column in columns {
            self.scan(*column, range, Order::Ascending, &mut |key, _| {
                batch.delete(*column, key);
                ControlFlow::Continue(())
            })?;
        }
        self.write(&batch, Durability::Process)
    }

    fn finish(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn usage(&self) -> Usage {
        Usage { columns: Column::ALL.map(|(column, _)| (column, 0)).into(), ..Usage::default() }
    }

    fn snapshot(&self) -> Arc<dyn KvRead> {
        Arc::new(self.0.lock().columns.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_write_copies_no_rows_that_a_snapshot_holds() {
        let kv = MemoryKv::default();
        let mut batch = Batch::default();
        (0..100).for_each(|key| batch.put(Column::Meta, &[key], b"old"));
        kv.write(&batch, Durability::Process).unwrap();
        let held = kv.0.lock().columns.clone();
        let snapshot = kv.snapshot();
        let mut batch = Batch::default();
        batch.put(Column::Meta, &[7], b"new");
        kv.write(&batch, Durability::Process).unwrap();
        let places =
            |columns: &Columns| columns.column(Column::Meta).keys().map(|key| key.as_ptr()).collect::<BTreeSet<_>>();
        assert_eq!(places(&held).intersection(&places(&kv.0.lock().columns)).count(), 99);
        let value = |kv: &dyn KvRead| kv.get(Column::Meta, &[7]).unwrap().unwrap();
        assert_eq!([value(&*snapshot), value(&kv)], [b"old", b"new"]);
    }

    #[test]
    fn a_copy_holds_what_its_original_held_and_no_crash_takes_that_back() {
        let write = |kv: &MemoryKv, value: &[u8]| {
            let mut batch = Batch::default();
            batch.put(Column::Meta, &[7], value);
            kv.write(&batch, Durability::Process).unwrap();
        };
        let kv = MemoryKv::with_crashes();
        write(&kv, b"old");
        let copy = kv.copy();
        write(&kv, b"new");
        let value = |kv: &MemoryKv| kv.get(Column::Meta, &[7]).unwrap().unwrap();
        assert_eq!([value(&copy), value(&kv)], [b"old", b"new"]);
        write(&copy, b"mine");
        copy.crash(copy.unsynced());
        assert_eq!([value(&copy), value(&kv)], [b"old", b"new"]);
    }
}
