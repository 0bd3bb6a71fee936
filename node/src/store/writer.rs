//! The store itself: what is in memory, and how it reaches the disk.

use alloy_primitives::{Address, U256};
use chain_core::{
    block::{Block, CheckedBlock},
    hash::BlockHash,
    state::{Account, AccountChange, StorageChange, lthash::LtHash},
    transaction::coin::{Coin, OutPoint},
    units::Height,
    work::pow,
};
use std::{collections::HashMap, sync::Arc};

use super::{
    Batch, BlockRef, Column, Durability, HeaderRecord, Kv, Reader, StoreConfig, StoreError, Totals, Unreadable,
    blockdata,
    cache::Cache,
    changes::{Changes, NodeChanges},
    damaged,
    history::{self, History},
    pending_rows::PendingRows,
    read::{header_row, read_headers},
    recent_hashes::RecentHashes,
    schema,
};
use crate::finality::Record;

/// The chain and its state. One thread owns it; [`Store::reader`] serves the others.
pub struct Store {
    pub(super) kv: Arc<dyn Kv>,
    pub(super) config: StoreConfig,
    pub(super) tip: TipState,
    /// The tip on disk.
    pub(super) flushed: BlockRef,
    pub(super) coins: Changes<OutPoint, Coin>,
    pub(super) accounts: Changes<Address, Account>,
    /// A slot that holds zero has no value.
    pub(super) storage: Changes<(Address, U256), U256>,
    pub(super) nodes: NodeChanges,
    pub(super) rows: PendingRows,
    pub(super) history: History,
    pub(super) cache: Cache,
    pub(super) recent: RecentHashes,
    /// Blocks connected or disconnected since the last flush.
    pub(super) dirty_blocks: u32,
    /// See [`Store::pruned`].
    pub(super) pruned: Height,
    /// A write failed: nothing may be written any more.
    pub(super) stopped: bool,
    pub(super) unreadable: Arc<Unreadable>,
    /// What this node's member promised, beside its key.
    pub(super) record: Option<Record>,
}

/// What a block changed of accounts and slots.
pub(super) type StateChanges = (Vec<AccountChange>, Vec<StorageChange>);

/// Where the state stands, and what is known of it as a whole.
#[derive(Clone, Debug)]
pub(super) struct TipState {
    pub at: BlockRef,
    pub totals: Totals,
    pub digest: LtHash,
}

impl Store {
    /// Every header ever stored, parents before children.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot be read; so for all methods that read.
    pub fn load_headers(&self) -> Result<Vec<HeaderRecord>, StoreError> {
        let mut records = read_headers(&*self.kv)?;
        let waiting = self.rows.of(Column::Headers).filter(|(key, _)| key.starts_with(schema::HEADER));
        let waiting = waiting.map(|(key, value)| header_row(key, value)).collect::<Result<Vec<_>, _>>()?;
        if !waiting.is_empty() {
            let newer: HashMap<_, _> = waiting.iter().map(|record| (record.hash, record)).collect();
            records.retain(|record| !newer.contains_key(&record.hash));
            records.extend(waiting);
        }
        records.sort_by_key(|record| record.height);
        Ok(records)
    }

    /// A header by its hash.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn header(&self, hash: &BlockHash) -> Result<Option<HeaderRecord>, StoreError> {
        let key = schema::header_key(hash);
        self.row(Column::Headers, &key)?.map(|value| header_row(&key, &value)).transpose()
    }

    /// Adds headers, or replaces what is known of them, at once. A stored body stays known, and so does what executing
    /// told.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be written; so for all methods that write. After that, all that is left is to stop:
    /// every later write answers [`StoreError::Stopped`].
    pub fn put_headers(&mut self, records: &[HeaderRecord]) -> Result<(), StoreError> {
        self.running()?;
        let (mut batch, mut before) = (Batch::default(), None);
        for record in records {
            let known = self.header(&record.hash)?;
            let body = record.body || known.is_some_and(|known| known.body);
            let executed = record.executed.or(known.and_then(|known| known.executed));
            let work = known.map_or(record.work, |known| known.work);
            let record = self.with_work(HeaderRecord { body, executed, work, ..*record }, before)?;
            self.put_header(&record, &mut batch);
            before = Some(record);
        }
        self.write(&batch, Durability::Process)
    }

    /// Stores bodies with their headers at once, on any branch, before they are executed; with their heights and encodings.
    ///
    /// # Errors
    /// See [`Store::put_headers`].
    pub fn put_bodies<'a>(
        &mut self,
        blocks: impl Iterator<Item = (Height, &'a CheckedBlock, &'a [u8])>,
    ) -> Result<(), StoreError> {
        self.running()?;
        let mut batch = Batch::default();
        for (height, block, body) in blocks {
            let at = BlockRef { height, hash: block.hash() };
            let known = self.header(&at.hash)?;
            let record = known.unwrap_or_else(|| HeaderRecord::with_hash(block.block().header, at.hash, height));
            batch.put(Column::Bodies, &schema::block_key(at), body);
            let record = self.with_work(HeaderRecord { body: true, ..record }, None)?;
            self.put_header(&record, &mut batch);
        }
        if batch.is_empty() { Ok(()) } else { self.write(&batch, Durability::Process) }
    }

    /// Forgets a body, such as of a block that turned out to be invalid. Its header stays.
    ///
    /// # Errors
    /// See [`Store::put_headers`].
    pub fn remove_body(&mut self, at: BlockRef) -> Result<(), StoreError> {
        self.running()?;
        let mut batch = Batch::default();
        batch.delete(Column::Bodies, &schema::block_key(at));
        self.rows.forget(Column::Bodies, &schema::block_key(at));
        if let Some(record) = self.header(&at.hash)? {
            self.put_header(&HeaderRecord { body: false, ..record }, &mut batch);
        }
        self.write(&batch, Durability::Process)
    }

    /// Adds the work of its chain to a header, if that of its parent is known: from its row, or because it was put just `before`.
    pub(super) fn with_work(
        &self,
        record: HeaderRecord,
        before: Option<HeaderRecord>,
    ) -> Result<HeaderRecord, StoreError> {
        if !record.work.is_zero() {
            return Ok(record);
        }
        let parent = match before.filter(|before| before.hash == record.header.prev) {
            Some(before) => Some(before.work),
            None if record.height == 0 => Some(U256::ZERO),
            None => self.header(&record.header.prev)?.map(|parent| parent.work),
        };
        // Headers are checked before they are stored.
        let own = pow::target(record.header.bits).map(pow::work).unwrap_or_default();
        Ok(HeaderRecord { work: parent.map_or(U256::ZERO, |work| work.saturating_add(own)), ..record })
    }

    /// Adds a header to a batch, and to what waits for the next flush if it would be overwritten by that.
    fn put_header(&mut self, record: &HeaderRecord, batch: &mut Batch) {
        let (key, value) = (schema::header_key(&record.hash), schema::write_header(record));
        batch.put(Column::Headers, &key, &value);
        if self.rows.get(Column::Headers, &key).is_some() {
            self.rows.put(Column::Headers, &key, value);
        }
    }

    /// A stored block that was not pruned. It was checked before it was stored.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn body(&self, at: BlockRef) -> Result<Option<Block>, StoreError> {
        let value = self.body_bytes(at)?;
        value.map(|value| schema::read_block(&value).map_err(|_| damaged(Column::Bodies))).transpose()
    }

    /// The block whose state [`Store::view`] shows, flushed or not.
    pub fn tip(&self) -> BlockRef {
        self.tip.at
    }

    /// The tip of the last flush: where the store opens after a crash.
    pub fn flushed_tip(&self) -> BlockRef {
        self.flushed
    }

    /// The block at a height of the active chain.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn at_height(&self, height: Height) -> Result<Option<BlockRef>, StoreError> {
        if height > self.tip.at.height {
            return Ok(None);
        }
        if let Some(hash) = self.recent.get(height) {
            return Ok(Some(BlockRef { height, hash }));
        }
        let value = self.row(Column::Headers, &schema::height_key(height))?;
        let hash = value.map(|value| <[u8; 32]>::try_from(value).map(BlockHash)).transpose();
        let hash = hash.map_err(|_| damaged(Column::Headers))?;
        Ok(hash.map(|hash| BlockRef { height, hash }))
    }

    /// The encoding of a stored block.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn body_bytes(&self, at: BlockRef) -> Result<Option<Vec<u8>>, StoreError> {
        if at.is_pruned(self.pruned) {
            return Ok(None);
        }
        self.row(Column::Bodies, &schema::block_key(at))
    }

    /// Whether it is time to flush: while syncing, when much has gathered; else, after every block.
    pub fn needs_flush(&self, syncing: bool) -> bool {
        let much = self.dirty_blocks >= self.config.dirty_blocks || self.dirty_bytes() >= self.config.shares().dirty;
        self.dirty_blocks > 0 && (!syncing || much)
    }

    /// Writes everything that changed in one atomic batch, the tip included. Does nothing if nothing changed.
    ///
    /// # Errors
    /// See [`Store::put_headers`].
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.running()?;
        if self.dirty_blocks == 0 {
            return Ok(());
        }
        let mut batch = Batch::default();
        self.rows.write(&mut batch);
        self.write_state(&mut batch);
        let tip = schema::write_tip(self.tip.at, &self.tip.totals, &self.tip.digest.to_bytes());
        batch.put(Column::Meta, schema::TIP, &tip);
        let prunable = self.prunable();
        self.history.expire(prunable);
        self.drop_expired(&mut batch)?;
        self.history.write(&mut batch);
        if let Some(height) = prunable {
            batch.put(Column::Meta, schema::PRUNED, &height.to_be_bytes());
        }
        batch.sort();
        let durability = if self.config.sync { Durability::Disk } else { Durability::Process };
        self.write(&batch, durability)?;
        self.settle();
        prunable.map_or(Ok(()), |height| self.prune(height))
    }

    /// Flushes, and leaves nothing in the database's log.
    ///
    /// # Errors
    /// See [`Store::put_headers`].
    pub fn finish(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.kv.finish()
    }

    /// Adds changed coins, accounts, slots and nodes to a batch.
    fn write_state(&self, batch: &mut Batch) {
        for (outpoint, now) in self.coins.iter() {
            batch.push(Column::Coins, &schema::coin_key(outpoint), now.map(schema::write_coin).as_deref());
        }
        for (address, now) in self.accounts.iter() {
            batch.push(Column::Accounts, address.as_slice(), now.map(schema::write_account).as_deref());
        }
        for ((address, slot), now) in self.storage.iter() {
            batch.push(Column::Storage, &schema::slot_key(address, slot), now.map(schema::write_slot).as_deref());
        }
        for (key, node) in self.nodes.iter() {
            batch.push(Column::Trie, &key.to_bytes(), node.map(|node| node.as_bytes()));
        }
    }

    /// Deletes the history rows of blocks whose states are no longer kept. Where undo data is missing they stay: nobody reads them.
    fn drop_expired(&self, batch: &mut Batch) -> Result<(), StoreError> {
        for height in self.history.expired() {
            if let Some((accounts, storage)) = self.changes_at(height)? {
                history::delete(batch, height, &accounts, &storage);
            }
        }
        Ok(())
    }

    /// What the block of the active chain at a height changed of accounts and slots; `None` if its undo data is not kept.
    pub(super) fn changes_at(&self, height: Height) -> Result<Option<StateChanges>, StoreError> {
        let Some(at) = self.at_height(height)? else { return Ok(None) };
        let undo = self.row(Column::Undo, &schema::block_key(at))?;
        undo.map(|undo| blockdata::read_changes(&undo).map_err(|_| damaged(Column::Undo))).transpose()
    }

    /// After a flush: what was changed is clean.
    fn settle(&mut self) {
        self.cache.settle(&mut self.coins, &mut self.accounts, &mut self.storage, &mut self.nodes);
        self.rows.clear();
        self.history.settle(self.tip.at.height);
        self.flushed = self.tip.at;
        self.dirty_blocks = 0;
    }

    /// Bytes of unwritten changes.
    pub fn dirty_bytes(&self) -> usize {
        let state = self.coins.memory() + self.accounts.memory() + self.storage.memory() + self.nodes.memory();
        state + self.rows.memory() + self.history.memory()
    }

    /// Opens snapshots from any thread.
    pub fn reader(&self) -> Reader {
        Reader::new(self.kv.clone(), &self.config, self.unreadable.clone())
    }

    /// Sums over the state at the tip.
    pub fn totals(&self) -> Totals {
        self.tip.totals
    }

    /// Blocks connected or disconnected since the last flush.
    pub fn dirty_blocks(&self) -> u32 {
        self.dirty_blocks
    }

    /// Bytes of clean copies in memory.
    pub fn cache_bytes(&self) -> usize {
        self.cache.memory()
    }

    /// Reads coins into the cache, faster than one by one. May be called from another thread while nothing is written.
    ///
    /// # Errors
    /// See [`Store::load_headers`].
    pub fn prefetch(&self, coins: &[OutPoint]) -> Result<(), StoreError> {
        let unknown =
            |outpoint: &&OutPoint| self.coins.get(outpoint).is_none() && !self.cache.coins.contains_key(*outpoint);
        let mut wanted: Vec<OutPoint> = coins.iter().filter(unknown).copied().collect();
        wanted.sort_unstable();
        let keys: Vec<_> = wanted.iter().map(schema::coin_key).collect();
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        for (outpoint, value) in wanted.iter().zip(self.kv.get_many(Column::Coins, &keys)?) {
            if let Some(value) = value {
                let coin = schema::read_coin(&value).map_err(|_| damaged(Column::Coins))?;
                self.cache.coins.insert(*outpoint, coin);
            }
        }
        Ok(())
    }

    /// The encoding of a stored block for somebody else; `None` if there is none, or it cannot be read, which is noted.
    pub fn body_for_others(&self, at: BlockRef) -> Option<Vec<u8>> {
        let reason = match self.body_bytes(at) {
            Ok(None) if at.is_pruned(self.pruned) => return None,
            Ok(None) => "it is missing".to_owned(),
            Ok(Some(bytes)) => return Some(bytes),
            Err(error) => error.cause(),
        };
        self.unreadable.note(at, &reason);
        None
    }

    /// Notes that what is stored of a block is not that block.
    pub fn note_unreadable(&self, at: BlockRef, reason: &str) {
        self.unreadable.note(at, reason);
    }

    /// Blocks that could not be read when somebody asked for them, and were not stored again since.
    pub fn unreadable(&self) -> Vec<BlockRef> {
        self.unreadable.above(self.pruned)
    }

    /// Whether a block is among [`Store::unreadable`].
    pub fn is_unreadable(&self, at: BlockRef) -> bool {
        self.unreadable.contains(at)
    }

    /// A block was stored again.
    pub fn forget_unreadable(&self, at: BlockRef) {
        self.unreadable.forget(at);
    }

    /// A row as the next flush will leave it.
    pub(super) fn row(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.rows.get(column, key) {
            Some(value) => Ok(value.map(<[u8]>::to_vec)),
            None => self.kv.get(column, key),
        }
    }

    pub(super) fn running(&self) -> Result<(), StoreError> {
        if self.stopped { Err(StoreError::Stopped) } else { Ok(()) }
    }

    /// Writes a batch; if that fails, nothing is written any more, so that the disk keeps a state that was whole.
    pub(super) fn write(&mut self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        let result = self.kv.write(batch, durability);
        self.stopped = result.is_err();
        result
    }
}
