//! The network: the only place that names libp2p. It carries bytes and decides who may connect; what messages mean is the
//! engine's business.
//!
//! One task owns the swarm (`shell`). Connections decode their messages on tasks of their own, the engine runs on its
//! thread, and what waits between them is bounded for each peer.

mod address;
mod arrivals;
mod bans;
mod behaviour;
mod book;
mod codec;
mod config;
mod count;
mod dial;
mod events;
mod evict;
mod exchange;
mod farewell;
mod files;
mod gate;
mod handle;
mod key;
mod knocks;
mod ledger;
mod listen;
mod mux;
mod named;
mod offset;
mod pace;
mod peers;
mod shell;
mod table;
mod throttle;
mod transport;
mod upnp;

pub use address::parse as parse_address;
pub use bans::{Ban, Target};
pub use config::NetConfig;
pub use count::Traffic;
pub use farewell::Farewell;
pub use handle::{NetHandle, PeerInfo};
pub use libp2p::{Multiaddr, PeerId};

use libp2p::{Swarm, identity::Keypair, multiaddr::Protocol, swarm};
use std::{
    collections::HashMap,
    hash::RandomState,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::{mpsc, watch};

use self::{
    bans::{Bans, Moment},
    behaviour::{Behaviour, Names},
    book::Book,
    count::Counters,
    dial::Dialer,
    exchange::Exchange,
    farewell::Farewells,
    gate::{Gate, Limits},
    handle::Command,
    knocks::Knocks,
    ledger::Ledger,
    offset::ClockWatch,
    pace::Paces,
    peers::Peers,
    shell::{Alone, Inputs, Shell},
    throttle::Throttle,
};
use crate::engine_thread::EngineHandle;

/// Commands that may wait.
const COMMANDS: usize = 256;

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The node's key cannot be used.
    #[error("the node's key {}: {reason}", .file.display())]
    Key {
        /// Where it is.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another program listens there.
    #[error("{0} is in use by another program, perhaps another node: stop it, or choose another port with --port {1}")]
    PortInUse(SocketAddr, u16),
    /// It cannot be listened there.
    #[error("cannot listen for peers on {address}: {reason}; choose with --listen and --port")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// The system gives no sockets.
    #[error("cannot start the network: {0}")]
    Io(#[from] io::Error),
    /// The engine has ended.
    #[error(transparent)]
    Stopped(#[from] crate::engine::Stopped),
}

/// Seconds since the Unix epoch.
fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Joins the network: listens, and dials from now on, on tasks of the runtime that this is called on.
///
/// # Errors
/// [`NetError`].
pub async fn start(config: NetConfig, engine: EngineHandle) -> Result<NetHandle, NetError> {
    let key = key(&config)?;
    let id = key.public().to_peer_id();
    let names = Names::new(&engine.chain_info().genesis);
    let counters = Arc::new(Counters::default());
    let file = |name: &str| config.folder.as_ref().map(|folder| folder.join(name));
    let knocks = Knocks::default();
    let bans = Bans::load(file("bans.json"), Moment::now());
    let mut gate = Gate::new(limits(&config), bans, knocks.clone());
    let mut dialer = Dialer::default();
    config.connect.iter().for_each(|address| dialer.name(address.clone(), true));
    config.bootnodes.iter().for_each(|address| dialer.name(address.clone(), false));
    gate.trusted.extend(dialer.named.iter().filter_map(|named| named.given));
    let behaviour = Behaviour::new(&key, &config, &names, gate)?;
    let transport = transport::build(&key, counters.clone(), knocks).map_err(io::Error::other)?;
    // Peers stay connected also when they have nothing to say.
    let swarm_config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(1 << 30));
    let mut swarm = Swarm::new(transport, behaviour, id, swarm_config);
    config.external.iter().for_each(|address| swarm.add_external_address(address.clone()));
    let listen::Listening { listeners, early } = listen::listen(&mut swarm, &config).await?;
    let actions = engine.peer_actions().await?;
    let (commands, commanded) = mpsc::channel(COMMANDS);
    let (resolved, looked_up) = mpsc::unbounded_channel();
    let (decoder, decoded) = mpsc::unbounded_channel();
    let (count_sender, count) = watch::channel(0);
    let (tried_sender, tried) = watch::channel(false);
    let (offset_sender, offset) = watch::channel(None);
    let traffic = counters.all.clone();
    let now = Instant::now();
    let shell = Shell {
        swarm,
        names,
        engine,
        peers: Peers::default(),
        ledger: Ledger::default(),
        paces: Paces::default(),
        payers: RandomState::new(),
        counters,
        farewells: Farewells::default(),
        exchange: Exchange::default(),
        gossiped: HashMap::new(),
        last_gossip: 0,
        book: Book::load(file("peers.json")),
        dialer,
        alone: Alone::new(now),
        next_search: now,
        next_look: now,
        listeners,
        resolved,
        decoder,
        count: count_sender,
        tried: tried_sender,
        offset: offset_sender,
        clock: ClockWatch::new(config.clock_bound),
        started: now,
        saved: now,
        comings: Throttle::default(),
        offences: Throttle::default(),
        config,
    };
    // With port 0, the port that the system chose is the one to forward.
    if let Some(port) = shell.config.nat.then(|| shell.tcp_port()).flatten() {
        std::thread::spawn(forward_port(port, commands.downgrade()));
    }
    let inputs = Inputs { commands: commanded, actions, resolved: looked_up, decoded };
    tokio::spawn(shell.run(early, inputs));
    Ok(NetHandle { id, commands, count, tried, offset, traffic })
}

fn key(config: &NetConfig) -> Result<Keypair, NetError> {
    let Some(folder) = &config.folder else {
        return Ok(Keypair::generate_ed25519());
    };
    let file = folder.join("nodekey");
    key::load(&file).map_err(|error| NetError::Key { file, reason: error.to_string() })
}

/// What is not kept for those that this node dials is for others; one host or network has a small part of it.
fn limits(config: &NetConfig) -> Limits {
    let inbound = config.max_peers.saturating_sub(config.outbound());
    Limits { inbound, per_host: 4, per_group: (inbound / 4).max(4) }
}

/// Keeps the router forwarding a port as long as the network runs.
fn forward_port(port: u16, commands: mpsc::WeakSender<Command>) -> impl FnOnce() {
    move || {
        while let Some(commands) = commands.upgrade() {
            match upnp::forward(upnp::GATEWAYS, port) {
                Ok(ip) => {
                    let address = Multiaddr::from(ip).with(Protocol::Tcp(port));
                    tracing::info!(%address, "the router forwards the port");
                    // The shell may have ended.
                    let _ = commands.blocking_send(Command::Reachable(address));
                }
                Err(error) => tracing::warn!("the router forwards no port: {error}"),
            }
            drop(commands);
            std::thread::sleep(upnp::LEASE / 2);
        }
    }
}
