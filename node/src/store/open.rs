//! Opening a store: is it this chain's, is it whole, and does it begin at genesis?

use chain_core::{
    block::Block,
    hash::{BlockHash, TxId, keccak256},
    spec::ChainSpec,
    state::{BlockEffects, lthash::LtHash},
    transaction::Transaction,
    trie::{EMPTY_ROOT, Nibbles, NodeKey},
};
use std::{collections::VecDeque, path::Path, sync::Arc};

use super::{
    Batch, BlockRef, Column, Durability, HeaderRecord, KeyRange, Kv, Order, Store, StoreConfig, StoreError, Totals,
    Verdict,
    cache::Cache,
    commit::Commit,
    damaged,
    directory::DirectoryLock,
    history::History,
    memory::MemoryKv,
    pending_rows::PendingRows,
    read::{read_headers, read_node, read_pruned, read_rows},
    recent_hashes::{KEPT, RecentHashes},
    rocks::RocksKv,
    schema::{self, Identity, REBUILT_FROM, SCHEMA},
    writer::TipState,
};

/// What is derived from bodies and goes when the state is rebuilt.
const DERIVED: [Column; 11] = [
    Column::Undo,
    Column::Coins,
    Column::Accounts,
    Column::Storage,
    Column::Code,
    Column::Trie,
    Column::Receipts,
    Column::TxIndex,
    Column::AddressIndex,
    Column::LogIndex,
    Column::History,
];

/// Headers whose verdict is forgotten in one batch.
const FORGET_AT_ONCE: usize = 10_000;

impl Store {
    /// Opens the store in a data directory and locks the directory; an empty one receives the genesis block.
    ///
    /// # Errors
    /// [`StoreError`]: the directory is in use, of another chain or a newer release, damaged, or cannot be written.
    pub fn open(datadir: &Path, spec: &ChainSpec, config: &StoreConfig) -> Result<Self, StoreError> {
        let kv = RocksKv::open(datadir, config)?;
        Self::with_kv(Arc::new(kv), spec, config)
    }

    /// As [`Store::open`], but takes the state back to genesis and forgets every verdict. Headers and bodies stay, so that
    /// the engine can execute them again: what `reindex` does. Also what to do with a damaged state.
    ///
    /// # Errors
    /// As [`Store::open`], but [`StoreError::Lost`] if not even headers and bodies can be read.
    pub fn open_reset(datadir: &Path, spec: &ChainSpec, config: &StoreConfig) -> Result<Self, StoreError> {
        let open = || {
            let kv = match RocksKv::open(datadir, config) {
                Err(StoreError::Corrupt(_)) => drop_damaged(datadir, spec, config)?,
                opened => opened?,
            };
            Self::with_kv_reset(Arc::new(kv), spec, config)
        };
        open().map_err(|error| match error {
            StoreError::Corrupt(reason) => StoreError::Lost { path: DirectoryLock::database(datadir), reason },
            error => error,
        })
    }

    /// A store in memory, for tests and chains that need not last.
    ///
    /// # Errors
    /// [`StoreError`] if the genesis block cannot be written: never.
    pub fn in_memory(spec: &ChainSpec, config: &StoreConfig) -> Result<Self, StoreError> {
        Self::with_kv(Arc::new(MemoryKv::default()), spec, config)
    }

    /// Whether a directory with this identity is the chain's.
    pub(super) fn check_identity(identity: &[u8], spec: &ChainSpec) -> Result<(), StoreError> {
        Genesis::of(spec).check(identity).map(drop)
    }

    /// A store over any database.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn with_kv(kv: Arc<dyn Kv>, spec: &ChainSpec, config: &StoreConfig) -> Result<Self, StoreError> {
        Opening { kv, config, genesis: Genesis::of(spec) }.open(false)
    }

    /// As [`Store::with_kv`], but takes the state back to genesis: see [`Store::open_reset`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn with_kv_reset(kv: Arc<dyn Kv>, spec: &ChainSpec, config: &StoreConfig) -> Result<Self, StoreError> {
        Opening { kv, config, genesis: Genesis::of(spec) }.open(true)
    }
}

/// Opens a database of which files are damaged, without what a reset drops anyway.
fn drop_damaged(datadir: &Path, spec: &ChainSpec, config: &StoreConfig) -> Result<RocksKv, StoreError> {
    drop_state(Arc::new(RocksKv::open_damaged(datadir, config)?), spec, config)?;
    RocksKv::open(datadir, config)
}

/// Drops what a reset of this chain's database drops anyway.
pub(super) fn drop_state(kv: Arc<dyn Kv>, spec: &ChainSpec, config: &StoreConfig) -> Result<(), StoreError> {
    let opening = Opening { kv, config, genesis: Genesis::of(spec) };
    opening.stored_identity()?;
    opening.begin_rebuild()
}

/// The block that everything begins with.
struct Genesis {
    block: Block,
    effects: BlockEffects,
    hash: BlockHash,
    base_fee: u64,
    name: String,
    /// Of a development chain: blocks that are marked as invalid were reverted by the user (`evm_revert`), and all states are kept.
    dev: bool,
}

impl Genesis {
    fn of(spec: &ChainSpec) -> Self {
        let (block, effects) = spec.genesis_block();
        let hash = block.hash();
        Self { block, effects, hash, base_fee: spec.initial_base_fee, name: spec.name.clone(), dev: spec.is_dev() }
    }

    /// Reads the identity of a directory, which has to be this chain's.
    fn check(&self, identity: &[u8]) -> Result<Identity, StoreError> {
        let identity = Identity::from_bytes(identity).map_err(|_| damaged(Column::Meta))?;
        if identity.schema > SCHEMA {
            return Err(StoreError::NewerSchema { found: identity.schema, supported: SCHEMA });
        }
        if identity.schema < REBUILT_FROM {
            return Err(StoreError::OlderSchema { found: identity.schema, needed: SCHEMA });
        }
        if identity.genesis != self.hash {
            return Err(StoreError::OtherChain {
                found: identity.name,
                found_genesis: identity.genesis,
                expected: self.name.clone(),
                expected_genesis: self.hash,
            });
        }
        Ok(identity)
    }
}

/// A store on its way.
struct Opening<'a> {
    kv: Arc<dyn Kv>,
    config: &'a StoreConfig,
    genesis: Genesis,
}

impl Opening<'_> {
    fn open(self, reset: bool) -> Result<Store, StoreError> {
        let stored = self.stored_identity()?;
        let tip = self.kv.get(Column::Meta, schema::TIP)?;
        let unfinished = self.kv.get(Column::Meta, schema::REBUILD)?.is_some();
        let Some((identity, tip)) = stored.zip(tip).filter(|_| !reset && !unfinished) else {
            return self.rebuild();
        };
        let (at, totals, digest) = schema::read_tip(&tip).map_err(|_| damaged(Column::Meta))?;
        if at.height == 0 && !self.is_complete(&identity) {
            return self.rebuild();
        }
        if identity.schema < SCHEMA {
            return Err(StoreError::OutdatedSchema { found: identity.schema, needed: SCHEMA });
        }
        self.settle_indexes(identity)?;
        let digest = LtHash::from_bytes(digest).ok_or_else(|| damaged(Column::Meta))?;
        let mut store = self.store(TipState { at, totals, digest });
        store.pruned = read_pruned(&*self.kv)?;
        store.recent = recent(&store)?;
        check(&store)?;
        store.settle_history()?;
        Ok(store)
    }

    /// What the directory is, if it is anything, and can be opened here.
    fn stored_identity(&self) -> Result<Option<Identity>, StoreError> {
        let Some(value) = self.kv.get(Column::Meta, schema::IDENTITY)? else { return Ok(None) };
        self.genesis.check(&value).map(Some)
    }

    fn identity(&self) -> Identity {
        Identity {
            schema: SCHEMA,
            tx_index: self.config.tx_index,
            address_index: self.config.address_index,
            log_index: self.config.log_index,
            genesis: self.genesis.hash,
            name: self.genesis.name.clone(),
        }
    }

    /// Whether all is there, and in the form, that is asked for.
    fn is_complete(&self, identity: &Identity) -> bool {
        identity.schema == SCHEMA
            && (identity.tx_index || !self.config.tx_index)
            && (identity.address_index || !self.config.address_index)
            && (identity.log_index || !self.config.log_index)
    }

    /// Refuses indexes that are not there, and drops those that are no longer kept.
    fn settle_indexes(&self, identity: Identity) -> Result<(), StoreError> {
        let indexes = [
            ("the transaction index", identity.tx_index, self.config.tx_index, Column::TxIndex),
            ("the address index", identity.address_index, self.config.address_index, Column::AddressIndex),
            ("the log index", identity.log_index, self.config.log_index, Column::LogIndex),
        ];
        if let Some((index, ..)) = indexes.iter().find(|(_, stored, wanted, _)| *wanted && !stored) {
            return Err(StoreError::IndexMissing { index });
        }
        let mut dropped = Vec::new();
        for (_, stored, wanted, column) in indexes {
            // Rows of an index that is not there: dropping it was interrupted.
            if !wanted && (stored || self.has_rows(column)?) {
                dropped.push(column);
            }
        }
        if dropped.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        batch.put(Column::Meta, schema::IDENTITY, &self.identity().to_bytes());
        self.kv.write(&batch, Durability::Disk)?;
        self.kv.clear(&dropped)
    }

    fn has_rows(&self, column: Column) -> Result<bool, StoreError> {
        let found = read_rows(&*self.kv, column, (&KeyRange::all(), Order::Ascending), 1, |_, _| Ok(()))?;
        Ok(!found.is_empty())
    }

    /// Drops the state. A crash on the way is found by the row `rebuild`, and it begins again.
    fn begin_rebuild(&self) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.put(Column::Meta, schema::REBUILD, &[]);
        batch.delete(Column::Meta, schema::TIP);
        self.kv.write(&batch, Durability::Disk)?;
        self.kv.clear(&DERIVED)
    }

    /// Takes the state to genesis.
    fn rebuild(self) -> Result<Store, StoreError> {
        self.begin_rebuild()?;
        self.forget_verdicts()?;
        let Genesis { block, effects, hash, base_fee, .. } = &self.genesis;
        let at = BlockRef { height: 0, hash: *hash };
        let mut store = self.store(TipState { at, totals: Totals::default(), digest: LtHash::default() });
        let txids: Vec<TxId> = block.transactions.iter().map(Transaction::txid).collect();
        store.commit(&Commit { at, block, txids: &txids, base_fee: *base_fee, senders: &[], effects })?;
        store.recent = RecentHashes::new(VecDeque::from([*hash]), 0);
        store.rows.put(Column::Meta, schema::IDENTITY, self.identity().to_bytes());
        store.rows.delete(Column::Meta, schema::REBUILD);
        store.rows.delete(Column::Meta, schema::PRUNED);
        store.flush()?;
        Ok(store)
    }

    /// Leaves of the headers what does not depend on the state. Pruned blocks have to be fetched again.
    fn forget_verdicts(&self) -> Result<(), StoreError> {
        let pruned = read_pruned(&*self.kv)?;
        for records in read_headers(&*self.kv)?.chunks(FORGET_AT_ONCE) {
            let mut batch = Batch::default();
            for record in records {
                if self.genesis.dev && record.verdict == Verdict::Invalid {
                    batch.delete(Column::Headers, &schema::header_key(&record.hash));
                    batch.delete(Column::Bodies, &schema::block_key(record.at()));
                    continue;
                }
                let body = record.body && !record.at().is_pruned(pruned);
                let forgotten = HeaderRecord { body, verdict: Verdict::Unknown, executed: None, ..*record };
                batch.put(Column::Headers, &schema::header_key(&record.hash), &schema::write_header(&forgotten));
                batch.delete(Column::Headers, &schema::height_key(record.height));
            }
            batch.sort();
            self.kv.write(&batch, Durability::Process)?;
        }
        Ok(())
    }

    fn store(&self, tip: TipState) -> Store {
        let (history, flushed) = (self.config.history.filter(|_| !self.genesis.dev), tip.at);
        Store {
            kv: self.kv.clone(),
            config: StoreConfig { history, ..self.config.clone() },
            flushed,
            tip,
            coins: Default::default(),
            accounts: Default::default(),
            storage: Default::default(),
            nodes: Default::default(),
            rows: PendingRows::default(),
            history: History::new(history, flushed.height),
            cache: Cache::new(self.config.shares().clean),
            recent: RecentHashes::default(),
            dirty_blocks: 0,
            pruned: 0,
            stopped: false,
            unreadable: Arc::default(),
            record: None,
        }
    }
}

/// Hashes of the last blocks up to the tip.
fn recent(store: &Store) -> Result<RecentHashes, StoreError> {
    let tip = store.tip.at.height;
    let first = tip.saturating_sub(KEPT as u32 - 1);
    let missing = || StoreError::Corrupt("a block of the active chain is missing".into());
    let hash = |height| store.at_height(height)?.map(|at| at.hash).ok_or_else(missing);
    Ok(RecentHashes::new((first..=tip).map(hash).collect::<Result<_, _>>()?, tip))
}

/// Cheap proof that the state on disk is the tip's: both roots are what the block says.
fn check(store: &Store) -> Result<(), StoreError> {
    let at = store.tip.at;
    let damaged = |what: &str| Err(StoreError::Corrupt(format!("{what} is not that of block {}", at.hash)));
    let record = store.header(&at.hash)?;
    let Some(executed) = record.and_then(|record| record.executed) else { return damaged("the header of the tip") };
    if store.recent.get(at.height) != Some(at.hash) {
        return damaged("the active chain");
    }
    if store.tip.digest.digest() != executed.coins_digest {
        return damaged("the digest of the coins");
    }
    let root = read_node(&*store.kv, &NodeKey { owner: None, path: Nibbles::default() })?;
    let root = root.map_or(EMPTY_ROOT, |node| keccak256(node.as_bytes()));
    if root != executed.state_root {
        return damaged("the root of the accounts");
    }
    Ok(())
}
