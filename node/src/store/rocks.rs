//! RocksDB. The only file that names it.

use rocksdb::{
    BlockBasedOptions, BoundColumnFamily, Cache, ColumnFamilyDescriptor, DBCompactionStyle, DBCompressionType,
    DBPinnableSlice, DBRawIteratorWithThreadMode, DBRecoveryMode, DBWithThreadMode, DataBlockIndexType, ErrorKind,
    FlushOptions, LogLevel, MultiThreaded, Options, ReadOptions, SnapshotWithThreadMode, UniversalCompactOptions,
    WriteBatch, WriteOptions, properties,
};
use std::{ffi::CStr, path::Path, sync::Arc};

use super::{
    Batch, Column, Durability, KeyRange, Kv, KvRead, Order, StoreConfig, StoreError, Usage, Visitor,
    directory::{self, DirectoryLock},
};

type Db = DBWithThreadMode<MultiThreaded>;

/// A database on disk. Dropping it closes it, then unlocks the directory.
pub struct RocksKv {
    db: Arc<Db>,
    cache: Cache,
    config: StoreConfig,
    _lock: DirectoryLock,
}

impl RocksKv {
    /// Locks a data directory and opens or creates the database in it.
    ///
    /// # Errors
    /// [`StoreError`] if the directory is in use or the database cannot be opened.
    pub fn open(datadir: &Path, config: &StoreConfig) -> Result<Self, StoreError> {
        Self::open_with(datadir, config, &database_options(config))
    }

    /// As [`RocksKv::open`], but leaves out files that cannot be opened: only to drop their columns.
    ///
    /// # Errors
    /// As [`RocksKv::open`].
    pub fn open_damaged(datadir: &Path, config: &StoreConfig) -> Result<Self, StoreError> {
        let mut options = database_options(config);
        options.set_paranoid_checks(false);
        Self::open_with(datadir, config, &options)
    }

    fn open_with(datadir: &Path, config: &StoreConfig, options: &Options) -> Result<Self, StoreError> {
        Self::open_files(datadir, config, options).map_err(|error| match error {
            StoreError::Corrupt(reason) if lacks_list_of_files(&reason) => {
                StoreError::Lost { path: DirectoryLock::database(datadir), reason }
            }
            error => error,
        })
    }

    fn open_files(datadir: &Path, config: &StoreConfig, options: &Options) -> Result<Self, StoreError> {
        let lock = DirectoryLock::acquire(datadir)?;
        let cache = Cache::new_hyper_clock_cache(config.shares().blocks, 0);
        let columns =
            Column::ALL.map(|(column, name)| ColumnFamilyDescriptor::new(name, column_options(column, config, &cache)));
        let path = DirectoryLock::database(datadir);
        let mut options = options.clone();
        options.create_if_missing(directory::is_new(&path)?);
        let db = Db::open_cf_descriptors(&options, path, columns).map_err(failure)?;
        Ok(Self { db: Arc::new(db), cache, config: config.clone(), _lock: lock })
    }

    /// Files of tables with the names of their columns.
    #[cfg(test)]
    pub fn files(&self) -> Vec<(String, String)> {
        let files = self.db.live_files().expect("an open database knows its files");
        files.into_iter().map(|file| (file.column_family_name, file.name)).collect()
    }
}

fn database_options(config: &StoreConfig) -> Options {
    let mut options = Options::default();
    options.create_missing_column_families(true);
    // After a crash: every write up to the first that is not whole. All columns reach their files together, so that no
    // loss of a log can leave one column ahead of another.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_atomic_flush(true);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_max_total_wal_size(256 << 20);
    options.set_db_write_buffer_size(config.shares().write_buffer);
    options.set_max_background_jobs(2);
    options.set_bytes_per_sync(1 << 20);
    options.set_max_open_files(i32::try_from(config.open_files).unwrap_or(i32::MAX));
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(4 << 20);
    options.set_manifest_preallocation_size(64 << 10);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

fn column_options(column: Column, config: &StoreConfig, cache: &Cache) -> Options {
    let mut options = Options::default();
    options.set_write_buffer_size(config.shares().write_buffer);
    options.set_max_write_buffer_number(3);
    // Every column takes one at least, and all together should stay far below the write buffer.
    options.set_arena_block_size(128 << 10);
    options.set_compression_type(compression(column));
    options.set_level_zero_file_num_compaction_trigger(8);
    options.set_block_based_table_factory(&table_options(column, cache));
    if let Column::Coins | Column::Accounts | Column::Storage | Column::Trie = column {
        // Most of what is read is not among what was written last.
        options.set_memtable_prefix_bloom_ratio(0.02);
        options.set_memtable_whole_key_filtering(true);
    }
    if let Column::TxIndex | Column::AddressIndex | Column::LogIndex | Column::History = column {
        // Written all the time and seldom read: merged in few, wide steps, with no filters.
        options.set_compaction_style(DBCompactionStyle::Universal);
        let mut universal = UniversalCompactOptions::default();
        universal.set_min_merge_width(6);
        universal.set_size_ratio(20);
        options.set_universal_compaction_options(&universal);
    }
    if let Column::Bodies | Column::Undo | Column::Receipts = column {
        // Large values that are written once: compaction moves only their keys. A file goes when all in it is deleted.
        options.set_enable_blob_files(true);
        options.set_min_blob_size(256);
        options.set_blob_file_size(128 << 20);
        options.set_blob_compression_type(compression(column));
        options.set_enable_blob_gc(false);
    }
    options
}

/// Hashes, keys and signatures do not compress; code and logs do.
fn compression(column: Column) -> DBCompressionType {
    match column {
        Column::Headers | Column::Code | Column::Receipts => DBCompressionType::Lz4,
        Column::Bodies | Column::Undo | Column::Coins | Column::Accounts | Column::Storage => DBCompressionType::None,
        Column::Trie | Column::TxIndex | Column::AddressIndex | Column::LogIndex | Column::History | Column::Meta => {
            DBCompressionType::None
        }
    }
}

fn table_options(column: Column, cache: &Cache) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_format_version(6);
    match column {
        Column::TxIndex | Column::AddressIndex | Column::LogIndex | Column::History => table.set_block_size(16 << 10),
        _ => {
            table.set_bloom_filter(10.0, false);
            table.set_optimize_filters_for_memory(true);
            table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
            table.set_data_block_hash_ratio(0.75);
        }
    }
    // Indexes and filters count towards the cache, so that its size bounds them.
    table.set_cache_index_and_filter_blocks(true);
    table.set_cache_index_and_filter_blocks_with_high_priority(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table
}

fn handle(db: &Db, column: Column) -> Result<Arc<BoundColumnFamily<'_>>, StoreError> {
    db.cf_handle(column.name()).ok_or_else(|| StoreError::Corrupt(format!("column {} is missing", column.name())))
}

/// Whether `CURRENT` or `MANIFEST` is damaged, which say what files there are: nothing can be read without them. Of a damaged
/// table the text also names the manifest that it is listed in.
fn lacks_list_of_files(reason: &str) -> bool {
    ["CURRENT", "MANIFEST"].iter().any(|file| reason.contains(file)) && !reason.contains(".sst")
}

/// What went wrong, by what can be done about it.
fn failure(error: rocksdb::Error) -> StoreError {
    let text = error.as_ref();
    let says = |part: &str| text.contains(part);
    if says("No space left on device") || says("Disk quota exceeded") || says("File too large") {
        return StoreError::NoSpace;
    }
    if says("Column families not opened") {
        let reason = "it was written by a newer cairn-node: update, or choose another --datadir".into();
        return StoreError::Io { action: "open the database".into(), reason };
    }
    match error.kind() {
        ErrorKind::Corruption => StoreError::Corrupt(text.into()),
        ErrorKind::IOError if says("No such file or directory") => StoreError::Corrupt(text.into()),
        _ => StoreError::Io { action: "use the database".into(), reason: text.into() },
    }
}

fn owned(value: Option<DBPinnableSlice<'_>>) -> Option<Vec<u8>> {
    value.map(|value| value.to_vec())
}

impl KvRead for RocksKv {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.get_pinned_cf(&handle(&self.db, column)?, key).map(owned).map_err(failure)
    }

    fn get_many(&self, column: Column, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let sorted = keys.is_sorted();
        let values = self.db.batched_multi_get_cf(&handle(&self.db, column)?, keys.iter().copied(), sorted);
        values.into_iter().map(|value| value.map(owned).map_err(failure)).collect()
    }

    fn scan(&self, column: Column, range: &KeyRange, order: Order, visit: Visitor<'_>) -> Result<(), StoreError> {
        scan(self.db.raw_iterator_cf_opt(&handle(&self.db, column)?, bounded(range)), order, visit)
    }
}

fn bounded(range: &KeyRange) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_lower_bound(range.from.clone());
    if let Some(to) = &range.to {
        options.set_iterate_upper_bound(to.clone());
    }
    options
}

fn scan(mut rows: DBRawIteratorWithThreadMode<'_, Db>, order: Order, visit: Visitor<'_>) -> Result<(), StoreError> {
    match order {
        Order::Ascending => rows.seek_to_first(),
        Order::Descending => rows.seek_to_last(),
    }
    while let Some((key, value)) = rows.item() {
        if visit(key, value).is_break() {
            return Ok(());
        }
        match order {
            Order::Ascending => rows.next(),
            Order::Descending => rows.prev(),
        }
    }
    rows.status().map_err(failure)
}

impl Kv for RocksKv {
    fn write(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        let mut handles = Vec::with_capacity(Column::ALL.len());
        for (column, _) in Column::ALL {
            handles.push(handle(&self.db, column)?);
        }
        let mut rows = WriteBatch::with_capacity_bytes(batch.memory());
        for (column, key, value) in batch.rows() {
            match value {
                Some(value) => rows.put_cf(&handles[column as usize], key, value),
                None => rows.delete_cf(&handles[column as usize], key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Disk);
        self.db.write_opt(rows, &options).map_err(failure)
    }

    fn clear(&self, columns: &[Column]) -> Result<(), StoreError> {
        for column in columns {
            self.db.drop_cf(column.name()).map_err(failure)?;
            self.db.create_cf(column.name(), &column_options(*column, &self.config, &self.cache)).map_err(failure)?;
        }
        Ok(())
    }

    fn delete_range(&self, columns: &[Column], range: &KeyRange) -> Result<(), StoreError> {
        let to = range.to.as_deref().unwrap_or(&[u8::MAX; 64]);
        for column in columns {
            let handle = handle(&self.db, *column)?;
            self.db.delete_range_cf(&handle, &range.from[..], to).map_err(failure)?;
            // A file of values goes once no key names any of them, which compaction finds. It moves little more than keys.
            self.db.compact_range_cf(&handle, Some(&range.from[..]), Some(to));
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), StoreError> {
        let mut columns = Vec::with_capacity(Column::ALL.len());
        for (column, _) in Column::ALL {
            columns.push(handle(&self.db, column)?);
        }
        self.db.flush_cfs_opt(&columns.iter().collect::<Vec<_>>(), &FlushOptions::default()).map_err(failure)
    }

    fn usage(&self) -> Usage {
        let whole = |name: &CStr| self.db.property_int_value(name).ok().flatten().unwrap_or_default();
        let of = |column: Column, name: &CStr| {
            let handle = handle(&self.db, column).ok()?;
            self.db.property_int_value_cf(&handle, name).ok().flatten()
        };
        let sum = |name: &CStr| Column::ALL.iter().filter_map(|(column, _)| of(*column, name)).sum();
        let size = |column| {
            let sizes = [properties::TOTAL_SST_FILES_SIZE.as_c_str(), c"rocksdb.total-blob-file-size"];
            sizes.into_iter().filter_map(|name| of(column, name)).sum()
        };
        Usage {
            columns: Column::ALL.map(|(column, _)| (column, size(column))).into(),
            memtables: sum(properties::CUR_SIZE_ALL_MEM_TABLES),
            cache: self.cache.get_usage() as u64,
            cache_limit: self.config.shares().blocks as u64,
            pending_compaction: sum(properties::ESTIMATE_PENDING_COMPACTION_BYTES),
            compactions: whole(properties::NUM_RUNNING_COMPACTIONS),
            flushes: whole(properties::NUM_RUNNING_FLUSHES),
            stopped: whole(properties::IS_WRITE_STOPPED) > 0,
            errors: whole(properties::BACKGROUND_ERRORS),
        }
    }

    fn snapshot(&self) -> Arc<dyn KvRead> {
        Arc::new(RocksSnapshot::new(self.db.clone(), |db| SnapshotWithThreadMode::new(&**db)))
    }
}

type DbSnapshot<'a> = SnapshotWithThreadMode<'a, Db>;

self_cell::self_cell!(
    /// A snapshot, and the database that it is of.
    struct RocksSnapshot {
        owner: Arc<Db>,
        #[covariant]
        dependent: DbSnapshot,
    }
);

impl KvRead for RocksSnapshot {
    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let column = handle(self.borrow_owner(), column)?;
        self.borrow_dependent().get_pinned_cf(&column, key).map(owned).map_err(failure)
    }

    fn get_many(&self, column: Column, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let (sorted, mut options) = (keys.is_sorted(), ReadOptions::default());
        options.set_snapshot(self.borrow_dependent());
        let column = handle(self.borrow_owner(), column)?;
        let values = self.borrow_owner().batched_multi_get_cf_opt(&column, keys.iter().copied(), sorted, &options);
        values.into_iter().map(|value| value.map(owned).map_err(failure)).collect()
    }

    fn scan(&self, column: Column, range: &KeyRange, order: Order, visit: Visitor<'_>) -> Result<(), StoreError> {
        let column = handle(self.borrow_owner(), column)?;
        scan(self.borrow_dependent().raw_iterator_cf_opt(&column, bounded(range)), order, visit)
    }
}
