//! What the rest of the node may ask the network.

use libp2p::{Multiaddr, PeerId};
use std::{sync::Arc, time::Instant};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    bans::{Ban, Target},
    count::Traffic,
    farewell::Farewell,
    listen,
    peers::PeerInfo,
    shell::{Command, Shell},
};
use crate::engine::Stopped;

/// The network, asked from other threads. Cheap to clone.
#[derive(Clone)]
pub struct NetHandle {
    pub(super) id: PeerId,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) count: watch::Receiver<usize>,
    pub(super) tried: watch::Receiver<bool>,
    pub(super) offset: watch::Receiver<Option<(i64, usize)>>,
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

    /// Seconds that the peers' clocks are ahead of this machine's, by their median, and of how many; `None` without peers.
    pub fn clock_offset(&self) -> Option<(i64, usize)> {
        *self.offset.borrow()
    }

    /// Bytes since the start.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Whether the node has tried to learn of others' blocks.
    pub fn tried_to_sync(&self) -> bool {
        *self.tried.borrow()
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

    /// Has the shell do something.
    async fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(&mut Shell) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        let command: Command = Box::new(move |shell| {
            // Who asked may have gone.
            let _ = reply.send(request(shell));
        });
        self.commands.send(command).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Connected peers, the longest first.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Stopped> {
        self.ask(|shell| shell.peers.infos(&mut shell.misbehaviour, Instant::now())).await
    }

    /// Inbound peers, outbound ones, and bans in force.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn counts(&self) -> Result<(usize, usize, usize), Stopped> {
        self.ask(|shell| (shell.peers.len() - shell.peers.dialled(), shell.peers.dialled(), shell.bans().len())).await
    }

    /// Connections that ended lately, the newest first.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn farewells(&self) -> Result<Vec<Farewell>, Stopped> {
        self.ask(|shell| shell.farewells.list()).await
    }

    /// Addresses at which this node may be reached, its key included.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn addresses(&self) -> Result<Vec<Multiaddr>, Stopped> {
        self.ask(|shell| listen::addresses(&shell.swarm)).await
    }

    /// Stays connected with a node from now on.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn add_peer(&self, address: Multiaddr) -> Result<(), Stopped> {
        self.ask(|shell| shell.add_peer(address)).await
    }

    /// Disconnects a peer and forgets that it was to stay; returns whether there was such a peer. It may come back.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn remove_peer(&self, peer: PeerId) -> Result<bool, Stopped> {
        self.ask(move |shell| shell.remove_peer(peer)).await
    }

    /// Bans a peer or a host for so many seconds.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn ban(&self, target: Target, seconds: u64, reason: String) -> Result<(), Stopped> {
        self.ask(move |shell| shell.ban(&target, seconds, reason)).await
    }

    /// Lifts a ban; returns whether there was one.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn unban(&self, target: Target) -> Result<bool, Stopped> {
        self.ask(move |shell| shell.unban(&target)).await
    }

    /// Who is banned.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn bans(&self) -> Result<Vec<(Target, Ban)>, Stopped> {
        self.ask(|shell| shell.bans()).await
    }

    /// Closes all connections and saves what is known; returns when that is done.
    pub async fn stop(&self) {
        let (reply, stopped) = oneshot::channel();
        // It has stopped already if nobody takes it.
        if self.commands.send(Box::new(|shell| shell.stopped = Some(reply))).await.is_ok() {
            let _ = stopped.await;
        }
    }
}
