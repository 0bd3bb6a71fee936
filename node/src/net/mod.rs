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
mod clock;
mod codec;
mod config;
mod count;
mod dial;
mod error;
mod evict;
mod exchange;
mod farewell;
mod files;
mod gate;
mod gossip;
mod handle;
mod health;
mod key;
mod knocks;
mod listen;
mod misbehaviour;
mod mux;
mod named;
mod names;
mod news;
mod offset;
mod pace;
mod peers;
mod shell;
mod table;
mod topic;
mod transport;
mod upnp;

pub use address::parse as parse_address;
pub use bans::{Ban, Target};
pub use config::NetConfig;
pub use error::NetError;
pub use farewell::Farewell;
pub use handle::NetHandle;
pub use libp2p::{Multiaddr, PeerId};
pub use peers::PeerInfo;

use libp2p::{Swarm, identity::Keypair, multiaddr::Protocol, swarm};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

use self::{
    bans::Bans,
    behaviour::Behaviour,
    book::Book,
    clock::Moment,
    count::Counters,
    dial::Dialer,
    exchange::Exchange,
    farewell::Farewells,
    gate::{Gate, Limits},
    gossip::BlockGossip,
    health::Health,
    knocks::Knocks,
    misbehaviour::Misbehaviour,
    names::Names,
    news::News,
    peers::Peers,
    shell::{Command, Inputs, Shell},
};
use crate::{engine_thread::EngineHandle, throttle::Throttle};

/// Commands that may wait.
const COMMANDS: usize = 256;

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
    let now = Instant::now();
    let (dialer, resolved) = Dialer::new(Book::load(file("peers.json")), &config, now);
    let mut gate = Gate::new(limits(&config), Bans::load(file("bans.json"), Moment::now()), knocks.clone());
    gate.trusted.extend(dialer.given());
    let behaviour = Behaviour::new(&key, &config, &names, gate)?;
    let transport = transport::build(&key, counters.clone(), knocks).map_err(io::Error::other)?;
    // Peers stay connected also when they have nothing to say.
    let swarm_config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(1 << 30));
    let mut swarm = Swarm::new(transport, behaviour, id, swarm_config);
    config.external.iter().for_each(|address| swarm.add_external_address(address.clone()));
    let early = listen::listen(&mut swarm, &config).await?;
    let actions = engine.peer_actions().await?;
    let (sender, commands) = mpsc::channel(COMMANDS);
    // With port 0, the port that the system chose is the one to forward.
    if let Some(port) = config.nat.then(|| listen::tcp_port(&swarm)).flatten() {
        std::thread::spawn(forward_port(port, sender.downgrade()));
    }
    let (gossip, decoded) = BlockGossip::new(names.blocks.clone());
    let (peers, health, traffic) = (Peers::default(), Health::new(config.clock_bound, now), counters.all.clone());
    let (count, tried, offset) = (peers.count(), health.tried(), health.offset());
    let shell = Shell {
        swarm,
        names,
        config,
        engine,
        counters,
        peers,
        dialer,
        exchange: Exchange::default(),
        gossip,
        health,
        misbehaviour: Misbehaviour::default(),
        farewells: Farewells::default(),
        news: News::default(),
        offences: Throttle::default(),
        saved: now,
        stopped: None,
    };
    tokio::spawn(shell.run(early, Inputs { commands, actions, resolved, decoded }));
    Ok(NetHandle { id, commands: sender, count, tried, offset, traffic })
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
                    let _ = commands.blocking_send(Box::new(|shell| shell.swarm.add_external_address(address)));
                }
                Err(error) => tracing::warn!("the router does not forward a port: {error}"),
            }
            drop(commands);
            std::thread::sleep(upnp::LEASE / 2);
        }
    }
}
