//! `cairn-node run`: puts store, engine, miner and RPC together, and takes them apart again.

use cairn_client::unix;
use chain_core::{spec::ChainSpec, transaction::coin::Lock};
use futures::FutureExt;
use std::{
    io::ErrorKind,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    time::timeout,
};

use super::banner;
use crate::{
    config::Config,
    dev::Accounts,
    disk,
    engine_thread::EngineHandle,
    error::CommandError,
    files, metrics,
    mining::{Mining, Saved},
    monitor::{self, Monitor},
    net::{self, NetHandle},
    open::{Opened, existing, open, open_existing},
    report::report,
    rpc::{
        self, Context, NodeInfo,
        access::{self, Cookie, Secrets},
    },
    saved_pool::PoolFile,
    signals::Signals,
    stratum::{Stratum, Workers, bind_limit},
    tasks::Tasks,
};

/// Runs the node until a signal, `admin_stop` or a failure of its storage.
///
/// # Errors
/// [`CommandError`].
pub fn run(config: Config) -> Result<(), CommandError> {
    let saved = match saved_payout(&config) {
        // A directory of another chain has a payout of that chain: which chain it holds is what must be said.
        Err(damaged) if existing(&config).is_ok() => {
            open_existing(&config)?;
            return Err(damaged);
        }
        saved => saved?,
    };
    if config.mine && config.payout.is_none() && !pays_nobody(&config) && saved.is_none() {
        return Err(CommandError::NobodyToPay);
    }
    // Shells often begin with 1,024 files; each connection of the RPC, each miner and each peer takes one.
    let files = files::raise_limit();
    // Before the store: a port in use leaves no new directory behind.
    let listeners = Listeners {
        rpc: listen(config.rpc, "http")?,
        stratum: config.stratum.map(|address| listen(address, "stratum")).transpose()?,
        metrics: config.metrics.map(|address| listen(address, "metrics")).transpose()?,
    };
    if listeners.metrics.is_some() {
        metrics::start();
    }
    let opened = open(&config)?;
    opened.runtime().block_on(serve(&config, &opened, saved, listeners, bind_limit(files)))
}

/// What programs and miners connect to.
struct Listeners {
    rpc: std::net::TcpListener,
    stratum: Option<std::net::TcpListener>,
    metrics: Option<std::net::TcpListener>,
}

/// Whether this node may mine without anybody to pay: on the chains that a newcomer starts before a wallet, and in a devnet.
fn pays_nobody(config: &Config) -> bool {
    config.devnet.is_some() || ["local", "devnet", "dev"].contains(&config.spec.name.as_str())
}

/// On a development chain its funded coin address is paid, whose key is public.
fn dev_payout(config: &Config) -> Option<Lock> {
    config.spec.alloc_coins.first().filter(|_| config.dev).map(|output| output.lock)
}

fn payout_file(config: &Config) -> Option<PathBuf> {
    config.datadir.as_ref().map(|path| path.join("payout.json"))
}

/// What an earlier run was told, unless this one is told something else.
fn saved_payout(config: &Config) -> Result<Option<Saved>, CommandError> {
    let told = config.payout.or_else(|| dev_payout(config));
    match payout_file(config).filter(|_| told.is_none()) {
        Some(file) => Ok(Saved::load(&file, &config.spec.hrp)?),
        None => Ok(None),
    }
}

/// The miner of this process.
fn mining(config: &Config, engine: &EngineHandle, saved: Option<Saved>) -> Mining {
    let mining = Mining::new(
        engine.clone(),
        &config.spec,
        payout_file(config),
        config.payout.or_else(|| dev_payout(config)).or(saved.map(|saved| saved.lock)),
        config.beneficiary.or(saved.map(|saved| saved.account)),
        config.threads,
    );
    // Before anybody can ask for something else.
    if config.mine {
        mining.start_later();
    }
    mining
}

async fn serve(
    config: &Config,
    opened: &Opened,
    saved: Option<Saved>,
    listeners: Listeners,
    most_miners: usize,
) -> Result<(), CommandError> {
    let mut signals = Signals::install().map_err(CommandError::io("receive signals"))?;
    let listener = TcpListener::from_std(listeners.rpc).map_err(CommandError::io("listen"))?;
    let address = listener.local_addr().unwrap_or(config.rpc);
    let miners = listeners.stratum.map(TcpListener::from_std).transpose().map_err(CommandError::io("listen"))?;
    let stratum = miners.as_ref().and_then(|listener| listener.local_addr().ok());
    let (_cookie, secrets) = secrets(config, address)?;
    if let Some(warning) = open_to_others(config, address) {
        tracing::warn!("{warning}");
    }
    let network = join_network(config, opened).await?;
    let mining = Arc::new(mining(config, &opened.engine, saved));
    let stop = Arc::new(Notify::new());
    let context = Arc::new(Context {
        spec: config.spec.clone(),
        genesis: opened.genesis,
        engine: opened.engine.clone(),
        reader: opened.reader.clone(),
        network: network.clone(),
        accounts: Accounts::new(&config.spec, config.devnet.is_some()),
        mining: mining.clone(),
        workers: Arc::new(load_workers(config)),
        templates: rpc::Templates::default(),
        beneficiaries: rpc::Beneficiaries::default(),
        next_blocks: rpc::NextBlocks::default(),
        lanes: rpc::Lanes::default(),
        subscribers: Arc::default(),
        filters: rpc::Filters::default(),
        stopping: watch::Sender::new(false),
        node: node_info(config, address, stratum, stop.clone()),
        runtime: opened.runtime().handle().clone(),
    });
    let hub = rpc::start_hub(&context).map_err(CommandError::io("follow the chain"))?;
    let methods = rpc::methods(context.clone());
    // The feeds tell what `miner_getWorkers` does.
    let told = context.node.namespaces.iter().any(|name| name == "miner").then(|| context.workers.clone());
    let (server, accepting) = rpc::serve(listener, methods, config.limits.clone(), secrets, told);
    let reporter = start_reporter(config, opened, &mining);
    let mut tasks = start_tasks(config, &context, miners.map(|listener| (listener, most_miners)));
    tasks.spawn("the RPC server", accepting.map(drop));
    tasks.spawn("the thread of subscriptions", hub.map(drop));
    tasks.spawn("the reports of blocks", reporter.clone());
    watch(&mut tasks, listeners.metrics, &context)?;
    let pool_file = config.datadir.as_deref().map(|folder| PoolFile::load(opened.engine.clone(), folder));
    if config.mine {
        begin_mining(config, &mining, network.clone());
    }
    banner::print(&context, config).await;
    let failed = opened.engine.failed();
    let outcome = tokio::select! {
        // An engine that has failed ends the others, too: its reason comes first.
        biased;
        name = signals.next() => Ok(name),
        () = stop.notified() => Ok("admin_stop"),
        reason = failed => Err(CommandError::Stopped(reason)),
        reason = tasks.ended() => Err(CommandError::Stopped(reason)),
    };
    tokio::spawn(signals.force());
    let outcome = outcome.map(|asked| tracing::info!("{asked}: stopping"));
    // The engine still runs: what was asked is answered, `admin_stop` among it.
    rpc::finish(server, &context.stopping).await;
    mining.stop();
    leave(network, pool_file, &context).await;
    opened.engine.shutdown().await;
    // It ends with the engine, after a line on the last blocks.
    let _ = timeout(Duration::from_secs(2), reporter).await;
    let info = opened.engine.chain_info();
    tracing::info!(height = info.height, hash = %info.hash, "stopped");
    outcome.and(opened.outcome())
}

/// Starts to log what happens to the chain; ends with the engine.
fn start_reporter(
    config: &Config,
    opened: &Opened,
    mining: &Arc<Mining>,
) -> impl Future<Output = ()> + Clone + Send + use<> {
    let interval = Duration::from_secs(config.spec.target_interval.into());
    let report = report(opened.engine.subscribe(), opened.reader.clone(), mining.clone(), interval);
    tokio::spawn(report).map(drop).shared()
}

/// Starts what is to run as long as the node does; miners connect to a listener, so many at most.
fn start_tasks(config: &Config, context: &Context, miners: Option<(TcpListener, usize)>) -> Tasks {
    let (mut tasks, mining) = (Tasks::default(), &context.mining);
    tasks.spawn("the miner", mining.clone().drive());
    if let Some((listener, most)) = miners {
        let (engine, workers) = (context.engine.clone(), context.workers.clone());
        let stratum = Stratum::new(engine, mining.clone(), workers, &config.spec, most);
        tasks.spawn("the stratum server", stratum.serve(listener));
    }
    if let Some(network) = context.network.clone() {
        tasks.spawn("the network", async move { network.ended().await });
    }
    if let Some(folder) = config.datadir.clone() {
        tasks.spawn("the watch over the disk", disk::watch(folder.clone()));
        tasks.spawn_watch("the watch over the data directory", disk::removed(folder));
    }
    if config.dev {
        mining.set_automine(config.automine);
        mining.set_interval(config.block_time);
        tasks.spawn("automatic mining", mining.clone().automine());
        tasks.spawn("mining by the clock", mining.clone().mine_at_intervals());
    }
    tasks
}

/// Serves metrics, if they are asked for, and says where.
fn watch(
    tasks: &mut Tasks,
    listener: Option<std::net::TcpListener>,
    context: &Arc<Context>,
) -> Result<(), CommandError> {
    let Some(listener) = listener.map(TcpListener::from_std).transpose().map_err(CommandError::io("listen"))? else {
        return Ok(());
    };
    let address = listener.local_addr().map_err(CommandError::io("listen"))?;
    tracing::info!("metrics are at http://{address}/metrics, beside /health and /ready");
    if !address.ip().is_loopback() {
        tracing::warn!(
            "the metrics on {address} can be read by anyone who can reach it, unencrypted: peers, traffic and miners of this \
             node. Keep it behind a firewall"
        );
    }
    tasks.spawn("the metrics server", monitor::serve(listener, Monitor::new(context.clone())));
    Ok(())
}

/// Ends the network and keeps the mempool, while the engine still runs.
async fn leave(network: Option<NetHandle>, pool_file: Option<PoolFile>, context: &Context) {
    if let Err(error) = context.workers.save() {
        tracing::warn!("cannot save the statistics of miners: {error}");
    }
    if let Some(network) = network {
        network.stop().await;
    }
    if let Some(file) = pool_file {
        file.save().await;
    }
}

/// What earlier runs counted of miners.
fn load_workers(config: &Config) -> Workers {
    Workers::load(config.datadir.as_ref().map(|path| path.join("workers.json")), unix())
}

fn node_info(config: &Config, address: SocketAddr, stratum: Option<SocketAddr>, stop: Arc<Notify>) -> NodeInfo {
    NodeInfo {
        datadir: config.datadir.clone(),
        stratum,
        url: format!("http://{address}"),
        started: Instant::now(),
        namespaces: namespaces(config, address),
        index: config.index,
        devnet: config.devnet.clone(),
        pays_nobody: pays_nobody(config),
        stop,
    }
}

/// Whether a node of this chain looks for others' blocks before it mines its own. On the public chains, blocks on an old
/// tip are work for nothing.
fn syncs_first(spec: &ChainSpec) -> bool {
    ["main", "test"].contains(&spec.name.as_str())
}

/// Mines at once, or when it has looked for others' blocks.
fn begin_mining(config: &Config, mining: &Arc<Mining>, network: Option<NetHandle>) {
    match network.filter(|_| syncs_first(&config.spec)) {
        Some(network) => _ = tokio::spawn(start_mining(mining.clone(), network)),
        // Unless somebody said otherwise meanwhile.
        None => _ = mining.start_now(),
    }
}

async fn start_mining(mining: Arc<Mining>, network: NetHandle) {
    network.has_tried_to_sync().await;
    if mining.start_now() && network.peer_count() == 0 {
        tracing::warn!("no peers were found: mining alone; others may know a longer chain");
    }
}

async fn join_network(config: &Config, opened: &Opened) -> Result<Option<NetHandle>, CommandError> {
    match &config.network {
        Some(network) => Ok(Some(net::start(network.clone(), opened.engine.clone()).await?)),
        None => Ok(None),
    }
}

/// Listens for a service, whose flags have this name.
fn listen(address: SocketAddr, service: &'static str) -> Result<std::net::TcpListener, CommandError> {
    let listener = std::net::TcpListener::bind(address).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            CommandError::PortInUse { address, service, free: banner::next_free(address.port(), 0) }
        }
        _ => CommandError::Listen { address, service, reason: error.to_string() },
    })?;
    listener.set_nonblocking(true).map_err(CommandError::io("listen"))?;
    Ok(listener)
}

/// Makes this run's secrets. The cookie's files go when it is dropped.
fn secrets(config: &Config, address: SocketAddr) -> Result<(Cookie, Secrets), CommandError> {
    let mut cookie = Cookie::create().map_err(CommandError::io("make a cookie"))?;
    if let Some(file) = &config.cookie {
        let failed =
            CommandError::io(format!("write the cookie {} (choose another with --http.cookie)", file.display()));
        cookie.write(file.clone()).map_err(failed)?;
    }
    // Programs of this user look here; without it they are given --cookie.
    if let Some(file) = well_known(address)
        && let Err(error) = cookie.write(file.clone())
    {
        tracing::warn!("cannot write the cookie to {}: {error}; clients need --cookie FILE", file.display());
    }
    let secrets = Secrets::default().with_cookie(cookie.content());
    match &config.mining_token {
        Some(file) => {
            let failed = CommandError::io(format!("use the mining token {}", file.display()));
            let token = access::mining_token(file).map_err(failed)?;
            Ok((cookie, secrets.with_mining(&token)))
        }
        None => Ok((cookie, secrets)),
    }
}

/// Where programs of this user look for the cookie of a node that listens here; `None` if they are given it. The file has the
/// name of the port: beside a node on another address, another user may listen on that port of loopback, and would be sent it.
fn well_known(address: SocketAddr) -> Option<PathBuf> {
    let ip = address.ip();
    if ip.is_loopback() || ip.is_unspecified() { cairn_client::well_known(address.port()) } else { None }
}

/// What to say of an RPC that is not for this machine alone.
fn open_to_others(config: &Config, address: SocketAddr) -> Option<String> {
    (!address.ip().is_loopback()).then(|| {
        let dev = match config.dev {
            true => "; the keys of the funded accounts are public, so that anyone may spend from them",
            false => "",
        };
        format!(
            "the RPC on {address} answers anyone who can reach it, unencrypted: {} may be called{dev}. Keep it behind a firewall",
            namespaces(config, address).join(", ")
        )
    })
}

/// Namespaces that strangers get only if they are named: they steer the node, its chain (`dev`: `evm_*`, `anvil_*`,
/// `hardhat_*`) or its devnet, or run blocks again at its cost.
const UNASKED: [&str; 7] = ["admin", "debug", "dev", "devnet", "miner", "ots", "trace"];

/// The namespaces to serve: on a foreign address, who may stop the node or direct its miner must be said.
fn namespaces(config: &Config, address: SocketAddr) -> Vec<String> {
    let all = || rpc::namespaces().map(str::to_owned);
    let serves_miners = |name: &String| name == "miner" && config.mining_token.is_some();
    let mut names: Vec<String> = match &config.api {
        Some(names) => names.clone(),
        None if address.ip().is_loopback() => all().collect(),
        None => all().filter(|name| !UNASKED.contains(&name.as_str()) || serves_miners(name)).collect(),
    };
    names.retain(|name| match name.as_str() {
        "dev" => config.dev,
        "devnet" => config.devnet.is_some(),
        _ => true,
    });
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn warning(address: &str, settings: Settings) -> Option<String> {
        open_to_others(&settings.resolve().expect("the settings are sound"), address.parse().expect("an address"))
    }

    #[test]
    fn only_nodes_of_a_devnet_take_orders_for_it() {
        let served = |devnet: Option<&str>| {
            let config = Settings { devnet: devnet.map(Into::into), ..Settings::default() }.resolve().unwrap();
            namespaces(&config, config.rpc).contains(&"devnet".to_owned())
        };
        assert!(served(Some("/x/socket")) && !served(None));
    }

    #[test]
    fn an_rpc_that_others_reach_is_warned_of_with_what_they_may_call() {
        for here in ["127.0.0.1:8545", "127.8.0.1:1", "[::1]:8545"] {
            assert_eq!(warning(here, Settings::default()), None, "{here}");
        }
        for open in ["0.0.0.0:8545", "[::]:8545", "192.168.1.2:8545"] {
            let expected = format!(
                "the RPC on {open} answers anyone who can reach it, unencrypted: chain, coin, erigon, eth, net, txpool, web3 \
                 may be called. Keep it behind a firewall"
            );
            assert_eq!(warning(open, Settings::default()), Some(expected));
        }
        let dev = warning("0.0.0.0:1", Settings { dev: Some(true), ..Settings::default() }).unwrap();
        let expected = ": chain, coin, erigon, eth, net, txpool, web3 may be called; the keys of the funded \
                        accounts are public, so that anyone may spend from them. Keep it behind a firewall";
        assert!(dev.ends_with(expected), "{dev}");
        let mut named = Settings::default();
        named.http.api = Some(vec!["eth".to_owned(), "admin".to_owned()]);
        assert!(warning("0.0.0.0:1", named).is_some_and(|said| said.contains(": eth, admin may be called")));
    }

    #[test]
    fn a_cookie_is_left_for_programs_of_this_machine_only_where_the_node_has_its_port() {
        for address in ["127.0.0.1:8545", "0.0.0.0:8545", "[::1]:8545", "[::]:8545"] {
            assert_eq!(well_known(address.parse().unwrap()), cairn_client::well_known(8545), "{address}");
        }
        for address in ["192.168.1.2:8545", "10.0.0.1:8545", "[2001:db8::1]:8545"] {
            assert_eq!(well_known(address.parse().unwrap()), None, "{address}");
        }
    }
}
