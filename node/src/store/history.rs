//! History rows on their way to the disk: what accounts and slots were before each block that changed them.
//!
//! They are written in the batch of the block and deleted when it is disconnected or its parent's state is no longer kept.
//! `floor` says from which block on states are known. Rows of a block at or below it may be missing, so nobody reads them.

use chain_core::{
    state::{AccountChange, StorageChange},
    units::Height,
};
use std::{collections::VecDeque, ops::RangeInclusive};

use super::{Batch, Column, schema};

/// Rows that wait for the next flush, and which states are known.
pub(super) struct History {
    /// States below the tip's that are kept; `None` for all.
    most: Option<Height>,
    /// The states after this block and after each later one up to the tip are known.
    floor: Height,
    /// The same on disk.
    floor_on_disk: Height,
    /// The highest block whose rows are on disk and stay there.
    top_on_disk: Height,
    /// Rows of the last blocks, lowest first.
    waiting: VecDeque<(Height, Batch)>,
    bytes: usize,
}

impl History {
    /// Of a store that knows the state of its tip only.
    pub fn new(most: Option<Height>, tip: Height) -> Self {
        Self { most, floor: tip, floor_on_disk: tip, top_on_disk: tip, waiting: VecDeque::new(), bytes: 0 }
    }

    /// The disk has the rows of all blocks above `floor`.
    pub fn filled(&mut self, floor: Height) {
        (self.floor, self.floor_on_disk) = (floor, floor);
    }

    /// The lowest block whose state is to be kept at this tip.
    pub fn lowest(&self, tip: Height) -> Height {
        self.most.map_or(0, |most| tip.saturating_sub(most))
    }

    /// Takes in what a block changed. Of the genesis block nothing was before.
    pub fn connected(&mut self, height: Height, accounts: &[AccountChange], storage: &[StorageChange]) {
        let lowest = self.lowest(height);
        if lowest < height {
            let mut rows = Batch::default();
            put(&mut rows, height, accounts, storage);
            self.bytes += rows.memory();
            self.waiting.push_back((height, rows));
        }
        self.raise(lowest);
    }

    /// Forgets a block, and has its rows deleted if they are on disk.
    pub fn disconnected(
        &mut self,
        height: Height,
        accounts: &[AccountChange],
        storage: &[StorageChange],
        batch: &mut Batch,
    ) {
        let parent = height.saturating_sub(1);
        self.floor = self.floor.min(parent);
        self.top_on_disk = self.top_on_disk.min(parent);
        match self.waiting.back() {
            Some((last, rows)) if *last == height => {
                self.bytes -= rows.memory();
                self.waiting.pop_back();
            }
            _ => delete(batch, height, accounts, storage),
        }
    }

    /// Before blocks are pruned: without their undo data their rows could not be deleted any more.
    pub fn expire(&mut self, prunable: Option<Height>) {
        if let Some(height) = prunable.filter(|_| self.most.is_some()) {
            self.raise(height);
        }
    }

    fn raise(&mut self, floor: Height) {
        self.floor = self.floor.max(floor);
        while let Some((_, rows)) = self.waiting.front().filter(|(height, _)| *height <= self.floor) {
            self.bytes -= rows.memory();
            self.waiting.pop_front();
        }
    }

    /// Blocks whose rows the next flush has to delete: at most as many as were connected since the last.
    pub fn expired(&self) -> RangeInclusive<Height> {
        self.floor_on_disk + 1..=self.floor.min(self.top_on_disk)
    }

    /// Adds the rows that wait to a batch.
    pub fn write(&self, batch: &mut Batch) {
        self.waiting.iter().for_each(|(_, rows)| batch.append(rows));
        batch.put(Column::Meta, schema::HISTORY, &self.floor.to_be_bytes());
    }

    /// After a flush.
    pub fn settle(&mut self, tip: Height) {
        self.waiting.clear();
        self.bytes = 0;
        (self.floor_on_disk, self.top_on_disk) = (self.floor, tip);
    }

    /// Bytes of memory, more or less.
    pub fn memory(&self) -> usize {
        self.bytes
    }
}

/// Adds the rows of a block.
pub(super) fn put(batch: &mut Batch, height: Height, accounts: &[AccountChange], storage: &[StorageChange]) {
    for change in accounts {
        batch.put(Column::History, &account_key(change, height), &schema::write_past_account(change.before.as_ref()));
    }
    for change in storage {
        batch.put(Column::History, &slot_key(change, height), &schema::write_slot(&change.before));
    }
}

/// Deletes the rows of a block.
pub(super) fn delete(batch: &mut Batch, height: Height, accounts: &[AccountChange], storage: &[StorageChange]) {
    accounts.iter().for_each(|change| batch.delete(Column::History, &account_key(change, height)));
    storage.iter().for_each(|change| batch.delete(Column::History, &slot_key(change, height)));
}

fn account_key(change: &AccountChange, height: Height) -> [u8; 25] {
    schema::past_key(&schema::past_account(&change.address), height)
}

fn slot_key(change: &StorageChange, height: Height) -> [u8; 57] {
    schema::past_key(&schema::past_slot(&change.address, &change.slot), height)
}
