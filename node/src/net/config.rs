//! What the network shell is told to do.

use libp2p::Multiaddr;
use std::{net::IpAddr, path::PathBuf};

/// How a node takes part in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetConfig {
    /// Where it listens.
    pub listen: Vec<IpAddr>,
    /// On which port, TCP and UDP; 0 for any that is free.
    pub port: u16,
    /// Nodes to begin with, when no others are known.
    pub bootnodes: Vec<Multiaddr>,
    /// Nodes to stay connected with.
    pub connect: Vec<Multiaddr>,
    /// Whether further peers are sought, in the local network and in the distributed table, and dialled.
    pub discover: bool,
    /// Addresses at which others reach this node.
    pub external: Vec<Multiaddr>,
    /// Most peers.
    pub max_peers: usize,
    /// Seconds that this machine's clock may differ from the peers' before the log says so.
    pub clock_bound: u64,
    /// Whether routers are asked to let others in, and others whether they get in.
    pub nat: bool,
    /// Where key, bans and addresses are kept; `None` keeps nothing.
    pub folder: Option<PathBuf>,
}

impl NetConfig {
    /// Peers that this node dials by itself. The rest of the room is for those who dial it.
    pub fn outbound(&self) -> usize {
        (self.max_peers / 2).clamp(1, 8)
    }

    /// Whether the node is for this machine alone.
    pub fn only_here(&self) -> bool {
        self.listen.iter().all(IpAddr::is_loopback)
    }

    /// Whether others in the local network are sought. mDNS tells nobody of loopback addresses.
    pub fn asks_neighbours(&self) -> bool {
        self.discover && !self.only_here()
    }
}
