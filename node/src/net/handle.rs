//! What the rest of the node may ask the network.

use libp2p::{Multiaddr, PeerId};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    bans::{Ban, Target},
    count::Traffic,
    farewell::Farewell,
};
use crate::{engine::Stopped, wire::Status};

/// What is known of a connected peer.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// Its key.
    pub id: PeerId,
    /// Where it is.
    pub address: Multiaddr,
    /// Whether this node dialled it.
    pub outbound: bool,
    /// What it says that it is.
    pub agent: String,
    /// Where its chain stood when it last said so.
    pub status: Option<Status>,
    /// How long it is connected.
    pub connected: Duration,
    /// Its last round trip.
    pub ping: Option<Duration>,
    /// What is held against it; at 100 it is banned.
    pub points: u32,
    /// Seconds that its clock is ahead of this machine's, as far as it says.
    pub clock_offset: Option<i64>,
    /// Bytes received from it and sent to it.
    pub traffic: (u64, u64),
}

/// What is asked.
pub(super) enum Command {
    Peers(oneshot::Sender<Vec<PeerInfo>>),
    Farewells(oneshot::Sender<Vec<Farewell>>),
    Listening(oneshot::Sender<Vec<Multiaddr>>),
    AddPeer(Multiaddr),
    /// Others reach this node there.
    Reachable(Multiaddr),
    RemovePeer(PeerId, oneshot::Sender<bool>),
    Ban(Target, u64, String),
    Unban(Target, oneshot::Sender<bool>),
    Bans(oneshot::Sender<Vec<(Target, Ban)>>),
    Stop(oneshot::Sender<()>),
}

/// The network, asked from other threads. Cheap to clone.
#[derive(Clone)]
pub struct NetHandle {
    pub(super) id: PeerId,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) count: watch::Receiver<usize>,
    pub(super) tried: watch::Receiver<bool>,
    pub(super) offset: watch::Receiver<Option<i64>>,
    pub(super) traffic: Arc<Traffic>,
}

impl NetHandle {
    /// The node's key.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// How many peers are connected, without waiting.
    pub fn peer_count(&self) -> usize {
        *self.count.borrow()
    }

    /// Seconds that the peers' clocks are ahead of this machine's, by their median; `None` without peers.
    pub fn clock_offset(&self) -> Option<i64> {
        *self.offset.borrow()
    }

    /// Bytes since the start.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Waits until the node has tried to learn of others' blocks: it stands where its peers do, or found nobody for a while.
    pub async fn has_tried_to_sync(&self) {
        // A shell that has ended will try no more.
        let _ = self.tried.clone().wait_for(|tried| *tried).await;
    }

    /// Waits until the network has ended, whether it was told to or not.
    pub async fn ended(&self) {
        self.commands.closed().await;
    }

    async fn send(&self, command: Command) -> Result<(), Stopped> {
        self.commands.send(command).await.map_err(|_| Stopped)
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Connected peers, the longest first.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Stopped> {
        self.ask(Command::Peers).await
    }

    /// Connections that ended lately, the newest first.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn farewells(&self) -> Result<Vec<Farewell>, Stopped> {
        self.ask(Command::Farewells).await
    }

    /// Addresses at which this node may be reached, its key included.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn addresses(&self) -> Result<Vec<Multiaddr>, Stopped> {
        self.ask(Command::Listening).await
    }

    /// Stays connected with a node from now on.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn add_peer(&self, address: Multiaddr) -> Result<(), Stopped> {
        self.send(Command::AddPeer(address)).await
    }

    /// Disconnects a peer and forgets that it was to stay; answers whether there was such a peer. It may come back.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn remove_peer(&self, peer: PeerId) -> Result<bool, Stopped> {
        self.ask(|reply| Command::RemovePeer(peer, reply)).await
    }

    /// Keeps somebody out for so many seconds.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn ban(&self, target: Target, seconds: u64, reason: String) -> Result<(), Stopped> {
        self.send(Command::Ban(target, seconds, reason)).await
    }

    /// Lets somebody in again; answers whether he was banned.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn unban(&self, target: Target) -> Result<bool, Stopped> {
        self.ask(|reply| Command::Unban(target, reply)).await
    }

    /// Who is banned.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn bans(&self) -> Result<Vec<(Target, Ban)>, Stopped> {
        self.ask(Command::Bans).await
    }

    /// Closes all connections and saves what is known; answers when that is done.
    pub async fn stop(&self) {
        // It has stopped already if nobody takes it.
        let _ = self.ask(Command::Stop).await;
    }
}
