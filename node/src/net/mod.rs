//! The network: the only place that names libp2p. It carries bytes and decides who may connect; what messages mean is the
//! engine's business.
//!
//! One task owns the swarm (`shell`). Connections decode their messages on tasks of their own, the engine runs on its
//! thread, and what waits between them is bounded for each peer.

mod address;
mod bans;
mod behaviour;
mod book;
mod codec;
mod config;
mod count;
mod dial;
mod events;
mod exchange;
mod files;
mod gate;
mod handle;
mod key;
mod mux;
mod peers;
mod shell;
mod throttle;
mod transport;
mod upnp;

pub use address::parse as parse_address;
pub use bans::{Ban, Target};
pub use config::NetConfig;
pub use count::Traffic;
pub use handle::{NetHandle, PeerInfo};
pub use libp2p::{Multiaddr, PeerId};

use futures::StreamExt;
use libp2p::{
    Swarm, TransportError,
    core::transport::ListenerId,
    identity::Keypair,
    multiaddr::Protocol,
    swarm::{self, SwarmEvent},
};
use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::{mpsc, watch};

use self::{
    bans::Bans,
    behaviour::{Behaviour, Names},
    book::Book,
    dial::{Dialer, Named},
    exchange::Exchange,
    gate::{Gate, Limits},
    handle::Command,
    peers::Peers,
    shell::{Inputs, Shell},
    throttle::Throttle,
};
use crate::engine::EngineHandle;

/// Commands that may wait.
const COMMANDS: usize = 256;

/// Where the node listens.
type Listeners = HashMap<ListenerId, Vec<Multiaddr>>;

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
    let traffic = Arc::new(Traffic::default());
    let file = |name: &str| config.folder.as_ref().map(|folder| folder.join(name));
    let mut gate = Gate::new(limits(&config), Bans::load(file("bans.json")));
    let mut dialer = Dialer::default();
    dialer.named.extend(config.connect.iter().map(|address| Named::new(address.clone(), true)));
    dialer.named.extend(config.bootnodes.iter().map(|address| Named::new(address.clone(), false)));
    gate.trusted.extend(dialer.named.iter().filter_map(|named| named.peer));
    let behaviour = Behaviour::new(&key, &config, &names, gate)?;
    let transport = transport::build(&key, traffic.clone()).map_err(io::Error::other)?;
    // Peers stay connected also when they have nothing to say.
    let swarm_config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(1 << 30));
    let mut swarm = Swarm::new(transport, behaviour, id, swarm_config);
    config.external.iter().for_each(|address| swarm.add_external_address(address.clone()));
    let listeners = listen(&mut swarm, &config).await?;
    let actions = engine.peer_actions().await?;
    let (commands, commanded) = mpsc::channel(COMMANDS);
    let (resolved, looked_up) = mpsc::unbounded_channel();
    let (count_sender, count) = watch::channel(0);
    let (tried_sender, tried) = watch::channel(false);
    let now = Instant::now();
    let shell = Shell {
        swarm,
        names,
        engine,
        peers: Peers::default(),
        exchange: Exchange::default(),
        gossiped: HashMap::new(),
        last_gossip: 0,
        book: Book::load(file("peers.json")),
        dialer,
        next_search: now,
        next_look: now,
        listeners,
        resolved,
        count: count_sender,
        tried: tried_sender,
        started: now,
        saved: now,
        comings: Throttle::default(),
        offences: Throttle::default(),
        config,
    };
    if shell.config.nat {
        std::thread::spawn(forward_port(shell.config.port, commands.downgrade()));
    }
    tokio::spawn(shell.run(Inputs { commands: commanded, actions, resolved: looked_up }));
    Ok(NetHandle { id, commands, count, tried, traffic })
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

/// Listens on TCP, and with QUIC on the same port of UDP; answers with the addresses when all are known.
async fn listen(swarm: &mut Swarm<Behaviour>, config: &NetConfig) -> Result<Listeners, NetError> {
    let mut listeners = Listeners::new();
    for ip in &config.listen {
        may_listen(*ip, config.port)?;
        let tcp = Multiaddr::from(*ip).with(Protocol::Tcp(config.port));
        let quic = Multiaddr::from(*ip).with(Protocol::Udp(config.port)).with(Protocol::QuicV1);
        for address in [tcp, quic] {
            let refused = |error: TransportError<io::Error>| NetError::Listen {
                address: SocketAddr::new(*ip, config.port),
                reason: error.to_string(),
            };
            listeners.insert(swarm.listen_on(address).map_err(refused)?, Vec::new());
        }
    }
    let known = |listeners: &Listeners| listeners.values().all(|addresses| !addresses.is_empty());
    let deadline = tokio::time::sleep(Duration::from_secs(2));
    tokio::pin!(deadline);
    while !known(&listeners) {
        let event = tokio::select! {
            event = swarm.select_next_some() => event,
            () = &mut deadline => break,
        };
        if let SwarmEvent::NewListenAddr { listener_id, address } = event {
            listeners.entry(listener_id).or_default().push(address);
        }
    }
    Ok(listeners)
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

/// Tries a port, since libp2p does not say why it cannot have it.
fn may_listen(ip: IpAddr, port: u16) -> Result<(), NetError> {
    let address = SocketAddr::new(ip, port);
    let tried = TcpListener::bind(address).map(drop).and_then(|()| UdpSocket::bind(address).map(drop));
    tried.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => NetError::PortInUse(address, next_free(ip, port)),
        _ => NetError::Listen { address, reason: error.to_string() },
    })
}

/// The next port that nobody listens on, to name in an error.
fn next_free(ip: IpAddr, port: u16) -> u16 {
    let free = |port: &u16| TcpListener::bind((ip, *port)).is_ok();
    (port.saturating_add(1)..=port.saturating_add(100)).find(free).unwrap_or(0)
}
