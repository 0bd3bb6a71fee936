//! Opens a chain: its data directory, its store, its engine.

use chain_core::hash::BlockHash;
use std::{path::Path, time::Duration};
use tokio::runtime::{Builder, Runtime};

use crate::{
    config::{Config, keep_chain_id},
    engine_thread::EngineHandle,
    error::CommandError,
    files,
    finality::{KeyError, MemberKey, Record},
    mempool::MempoolConfig,
    rpc,
    store::{DirectoryLock, Reader, Store, StoreConfig},
};

/// A chain that is open, without RPC or miner. Dropping it flushes and closes the store, on every way out: a database
/// that is still at work must not meet the end of the process.
pub struct Opened {
    /// The engine on its thread.
    pub engine: EngineHandle,
    /// The store.
    pub reader: Reader,
    /// Hash of the genesis block.
    pub genesis: BlockHash,
    runtime: Option<Runtime>,
}

impl Opened {
    /// Carries RPC and timers.
    ///
    /// # Panics
    /// Never: only dropping takes it away.
    pub fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("the runtime is there until it is dropped")
    }

    /// Flushes and closes the store.
    ///
    /// # Errors
    /// [`CommandError::Stopped`] if the last flush fails, or anything failed before.
    pub fn close(self) -> Result<(), CommandError> {
        self.runtime().block_on(self.engine.shutdown());
        self.outcome()
    }

    /// How the engine ended.
    ///
    /// # Errors
    /// [`CommandError::Stopped`] if it failed.
    pub fn outcome(&self) -> Result<(), CommandError> {
        self.engine.failure().map_or(Ok(()), |reason| Err(CommandError::Stopped(reason)))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        runtime.block_on(self.engine.shutdown());
        // Calls that still wait for something must not keep the process.
        runtime.shutdown_timeout(Duration::from_secs(2));
    }
}

/// How the store is opened.
pub fn store_config(config: &Config) -> StoreConfig {
    StoreConfig {
        cache_bytes: config.cache,
        tx_index: config.index,
        address_index: config.index,
        log_index: config.index,
        prune: config.prune,
        history: config.history,
        ..StoreConfig::default()
    }
}

/// The data directory, which is made if it is not there.
///
/// # Errors
/// [`CommandError`] if there is none, or it cannot be made.
pub fn datadir(config: &Config) -> Result<&Path, CommandError> {
    let path = config.datadir.as_deref().ok_or_else(|| CommandError::InMemory(config.spec.name.clone()))?;
    files::make_dir(path)
        .map_err(|error| CommandError::Datadir { path: path.to_owned(), reason: error.to_string() })?;
    Ok(path)
}

/// Opens the store of a chain that was run before.
///
/// # Errors
/// [`CommandError`] if there is none, or it cannot be opened.
pub fn open_existing(config: &Config) -> Result<Store, CommandError> {
    Ok(Store::open(existing(config)?, &config.spec, &store_config(config))?)
}

/// The data directory of a chain that was run before.
///
/// # Errors
/// [`CommandError`] if there is none.
pub fn existing(config: &Config) -> Result<&Path, CommandError> {
    let path = config.datadir.as_deref().ok_or_else(|| CommandError::InMemory(config.spec.name.clone()))?;
    if !path.exists() {
        return Err(CommandError::NoData { path: path.to_owned(), chain: config.spec.name.clone() });
    }
    match DirectoryLock::database(path).exists() {
        true => Ok(path),
        false => Err(CommandError::NoChain(path.to_owned())),
    }
}

/// Reads the key file of a member, if there is one.
///
/// # Errors
/// [`CommandError`] if it cannot be read, or does not contain a key.
pub fn member_key(path: &Path) -> Result<Option<MemberKey>, CommandError> {
    let failed = |error: KeyError| CommandError::MemberKey { path: path.to_owned(), reason: error.to_string() };
    MemberKey::load(path).map_err(failed)
}

/// The key with which this node finalizes blocks and what it has signed, if it is a member of a chain with finality.
///
/// # Errors
/// [`CommandError`] if it cannot vote.
pub fn member(config: &Config) -> Result<Option<(MemberKey, Record)>, CommandError> {
    let (Some(rules), Some(folder)) = (&config.spec.finality, &config.datadir) else { return Ok(None) };
    let path = folder.join(MemberKey::FILE);
    let Some(key) = member_key(&path)? else { return Ok(None) };
    if !rules.members.contains(&key.public()) {
        return Err(CommandError::NotAMember { path, key: hex::encode(key.public().0) });
    }
    let votes = folder.join(Record::FILE);
    match Record::open(&votes, key.public(), config.spec.genesis_hash()) {
        Ok(record) => Ok(Some((key, record))),
        Err(error) => Err(CommandError::lost_votes(votes, &error, rules)),
    }
}

/// Opens store and engine.
///
/// # Errors
/// [`CommandError`].
pub fn open(config: &Config) -> Result<Opened, CommandError> {
    let store = match &config.datadir {
        Some(_) => {
            let folder = datadir(config)?;
            // Before there is a chain of this id: without it, the next start would draw another.
            if config.dev && config.chain == "dev" && DirectoryLock::is_new(folder)? {
                keep_chain_id(folder, config.spec.chain_id).map_err(CommandError::io("keep the chain's id"))?;
            }
            Store::open(folder, &config.spec, &store_config(config))?
        }
        None => Store::in_memory(&config.spec, &store_config(config))?,
    };
    open_store(config, store)
}

/// Starts the engine on an open store.
///
/// # Errors
/// [`CommandError`].
pub fn open_store(config: &Config, mut store: Store) -> Result<Opened, CommandError> {
    let member = member(config)?.map(|(key, record)| store.keep_record(record).map(|()| key)).transpose()?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(rpc::threads())
        .max_blocking_threads(64)
        .thread_name("cairn-rpc")
        .enable_all()
        .build()
        .map_err(CommandError::io("start threads"))?;
    let reader = store.reader();
    let mempool = MempoolConfig { max_bytes: config.mempool, ..MempoolConfig::default() };
    let engine = EngineHandle::start_member(store, config.spec.clone(), mempool, member)?;
    let genesis = engine.chain_info().genesis;
    Ok(Opened { engine, reader, genesis, runtime: Some(runtime) })
}
