//! `cairn-node run`: puts store, engine, miner and RPC together, and takes them apart again.

use chain_core::{coin::Lock, hash::BlockHash, spec::ChainSpec};
use std::{
    io::ErrorKind,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::Notify,
    time::timeout,
};

use crate::{
    banner,
    commands::CommandError,
    config::{Config, NAMESPACES},
    engine::EngineHandle,
    mempool::MempoolConfig,
    mining::Mining,
    net::{self, NetHandle},
    report::report,
    rpc::{self, Context, NodeInfo},
    saved_pool,
    signals::Signals,
    store::{Reader, Store, StoreConfig},
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
        ..StoreConfig::default()
    }
}

/// The data directory, which is made if it is not there.
///
/// # Errors
/// [`CommandError`] if there is none, or it cannot be made.
pub fn datadir(config: &Config) -> Result<&Path, CommandError> {
    let path = config.datadir.as_deref().ok_or_else(|| CommandError::InMemory(config.spec.name.clone()))?;
    std::fs::create_dir_all(path)
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
    match path.exists() {
        true => Ok(path),
        false => Err(CommandError::NoData { path: path.to_owned(), chain: config.spec.name.clone() }),
    }
}

/// Opens store and engine.
///
/// # Errors
/// [`CommandError`].
pub fn open(config: &Config) -> Result<Opened, CommandError> {
    let store = match &config.datadir {
        Some(_) => Store::open(datadir(config)?, &config.spec, &store_config(config))?,
        None => Store::in_memory(&config.spec, &store_config(config))?,
    };
    open_store(config, store)
}

/// Starts the engine on an open store.
///
/// # Errors
/// [`CommandError`].
pub fn open_store(config: &Config, store: Store) -> Result<Opened, CommandError> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(64)
        .thread_name("cairn-rpc")
        .enable_all()
        .build()
        .map_err(CommandError::io("start threads"))?;
    let reader = store.reader();
    let mempool = MempoolConfig { max_bytes: config.mempool, ..MempoolConfig::default() };
    let engine = EngineHandle::start(store, config.spec.clone(), mempool)?;
    let genesis = engine.chain_info().genesis;
    Ok(Opened { engine, reader, genesis, runtime: Some(runtime) })
}

/// Runs the node until a signal, `admin_stop` or a failure of its storage.
///
/// # Errors
/// [`CommandError`].
pub fn run(config: Config) -> Result<(), CommandError> {
    if config.mine && config.payout.is_none() && !pays_nobody(&config.spec) && saved_payout(&config).is_none() {
        return Err(CommandError::NobodyToPay);
    }
    // Before the store: a port in use leaves no new directory behind.
    let listener = listen(config.rpc)?;
    let opened = open(&config)?;
    opened.runtime().block_on(serve(&config, &opened, listener))
}

/// Whether a chain may be mined without anybody to pay: those that a newcomer starts before a wallet.
fn pays_nobody(spec: &ChainSpec) -> bool {
    ["local", "dev"].contains(&spec.name.as_str())
}

/// On a development chain its funded coin address is paid, whose key everybody has.
fn dev_payout(config: &Config) -> Option<Lock> {
    config.spec.alloc_coins.first().filter(|_| config.dev).map(|output| output.lock)
}

fn payout_file(config: &Config) -> Option<PathBuf> {
    config.datadir.as_ref().map(|path| path.join("payout.json"))
}

fn saved_payout(config: &Config) -> Option<Lock> {
    crate::mining::saved(&payout_file(config)?, &config.spec.hrp).map(|(lock, _)| lock)
}

async fn serve(config: &Config, opened: &Opened, listener: std::net::TcpListener) -> Result<(), CommandError> {
    let mut signals = Signals::take().map_err(CommandError::io("receive signals"))?;
    let listener = TcpListener::from_std(listener).map_err(CommandError::io("listen"))?;
    let address = listener.local_addr().unwrap_or(config.rpc);
    let network = join_network(config, opened).await?;
    let mining = Arc::new(Mining::new(
        opened.engine.clone(),
        &config.spec.hrp,
        payout_file(config),
        config.payout.or_else(|| dev_payout(config)),
        config.beneficiary,
        config.threads,
    ));
    let stop = Arc::new(Notify::new());
    let context = Arc::new(Context {
        spec: config.spec.clone(),
        genesis: opened.genesis,
        engine: opened.engine.clone(),
        reader: opened.reader.clone(),
        network: network.clone(),
        mining: mining.clone(),
        templates: rpc::Templates::default(),
        node: NodeInfo {
            datadir: config.datadir.clone(),
            url: format!("http://{address}"),
            started: Instant::now(),
            namespaces: namespaces(config, address),
            index: config.index,
            stop: stop.clone(),
        },
        runtime: opened.runtime().handle().clone(),
    });
    let server = rpc::serve(listener, rpc::methods(context.clone()), config.limits.clone());
    let interval = Duration::from_secs(config.spec.target_interval.into());
    let reporter = tokio::spawn(report(opened.engine.subscribe(), opened.reader.clone(), mining.clone(), interval));
    tokio::spawn(mining.clone().drive());
    let pool_file = config.datadir.as_deref().map(saved_pool::file);
    if let Some(file) = pool_file.clone() {
        tokio::spawn(load_pool(opened.engine.clone(), file));
    }
    if config.dev {
        mining.set_automine(true);
        tokio::spawn(mining.clone().automine());
    }
    match network.clone().filter(|_| syncs_first(&config.spec)) {
        Some(network) if config.mine => drop(tokio::spawn(start_mining(mining.clone(), network))),
        None if config.mine => mining.start(None),
        _ => {}
    }
    banner::print(&context, config).await;
    let failed = opened.engine.failed();
    let outcome = tokio::select! {
        name = signals.next() => { tracing::info!("{name}: stopping"); Ok(()) }
        () = stop.notified() => { tracing::info!("admin_stop: stopping"); Ok(()) }
        reason = failed => Err(CommandError::Stopped(reason)),
    };
    signals.force();
    // The engine still runs: what was asked is answered, `admin_stop` among it.
    rpc::finish(server).await;
    mining.stop();
    leave(network, pool_file, &opened.engine).await;
    opened.engine.shutdown().await;
    // It ends with the engine, after a line on the last blocks.
    let _ = timeout(Duration::from_secs(2), reporter).await;
    let info = opened.engine.chain_info();
    tracing::info!(height = info.height, hash = %info.hash, "stopped");
    outcome
}

/// Ends the network and keeps the mempool, while the engine still runs.
async fn leave(network: Option<NetHandle>, pool_file: Option<PathBuf>, engine: &EngineHandle) {
    if let Some(network) = network {
        network.stop().await;
    }
    if let Some(file) = pool_file {
        save_pool(engine, &file).await;
    }
}

/// Whether a node of this chain looks for others' blocks before it mines its own. On the public chains, blocks on an old
/// tip are work for nothing.
fn syncs_first(spec: &ChainSpec) -> bool {
    ["main", "test"].contains(&spec.name.as_str())
}

async fn start_mining(mining: Arc<Mining>, network: NetHandle) {
    network.has_tried_to_sync().await;
    if network.peer_count() == 0 {
        tracing::warn!("no peers were found: mining alone; others may know a longer chain");
    }
    mining.start(None);
}

async fn join_network(config: &Config, opened: &Opened) -> Result<Option<NetHandle>, CommandError> {
    match &config.network {
        Some(network) => Ok(Some(net::start(network.clone(), opened.engine.clone()).await?)),
        None => Ok(None),
    }
}

async fn save_pool(engine: &EngineHandle, file: &Path) {
    match saved_pool::save(engine, file).await {
        Ok(transactions) => tracing::debug!(transactions, "saved the mempool"),
        Err(error) => tracing::warn!("cannot save the mempool to {}: {error}", file.display()),
    }
}

async fn load_pool(engine: EngineHandle, file: PathBuf) {
    match saved_pool::load(engine, &file).await {
        0 => {}
        transactions => tracing::info!(transactions, "took back the mempool of the last run"),
    }
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, CommandError> {
    let listener = std::net::TcpListener::bind(address).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => CommandError::PortInUse(address),
        _ => CommandError::Listen { address, reason: error.to_string() },
    })?;
    listener.set_nonblocking(true).map_err(CommandError::io("listen"))?;
    Ok(listener)
}

/// The namespaces to serve: on a foreign address, who may stop the node or direct its miner must be said.
fn namespaces(config: &Config, address: SocketAddr) -> Vec<String> {
    let all = || NAMESPACES.iter().map(|name| (*name).to_owned());
    let mut names: Vec<String> = match &config.api {
        Some(names) => names.clone(),
        None if address.ip().is_loopback() => all().collect(),
        None => all().filter(|name| !["admin", "debug", "miner"].contains(&name.as_str())).collect(),
    };
    names.retain(|name| name != "dev" || config.dev);
    names
}
