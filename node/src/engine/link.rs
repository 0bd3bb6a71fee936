//! The network's way to the engine. A peer that floods waits for itself alone: of what it sends unasked, only so much may
//! wait for the engine at a time.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{EngineHandle, PeerAction, PeerEvent, PeerId, Stopped, thread::Message};

/// What one peer may have waiting for the engine beside answers, of which there are no more than questions.
pub const WAITING: usize = 16;

/// An event on its way to the engine's thread.
pub(super) struct PeerMessage {
    pub(super) peer: PeerId,
    pub(super) event: PeerEvent,
    /// Given back when the engine has handled it.
    pub(super) _permit: Option<OwnedSemaphorePermit>,
}

/// The way of one peer's events to the engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PeerLink {
    peer: PeerId,
    messages: mpsc::UnboundedSender<PeerMessage>,
    permits: Arc<Semaphore>,
}

/// Why an event was not taken.
#[derive(Debug)]
pub enum Refused {
    /// [`WAITING`] events of this peer wait already. The event, to be sent later or dropped.
    Full(PeerEvent),
    /// The engine has stopped.
    Stopped,
}

impl PeerLink {
    /// Hands an event in, once there is room for it.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn send(&self, event: PeerEvent) -> Result<(), Stopped> {
        let permit = match is_unasked(&event) {
            true => Some(self.permits.clone().acquire_owned().await.map_err(|_| Stopped)?),
            false => None,
        };
        self.pass_on(event, permit)
    }

    /// Hands an event in if there is room for it. [`PeerEvent::Connected`], [`PeerEvent::Disconnected`] and answers always
    /// have room.
    ///
    /// # Errors
    /// [`Refused`].
    #[expect(clippy::result_large_err, reason = "the caller gets its event back")]
    pub fn try_send(&self, event: PeerEvent) -> Result<(), Refused> {
        let permit = match is_unasked(&event) {
            true => match self.permits.clone().try_acquire_owned() {
                Ok(permit) => Some(permit),
                Err(_) => return Err(Refused::Full(event)),
            },
            false => None,
        };
        self.pass_on(event, permit).map_err(|Stopped| Refused::Stopped)
    }

    fn pass_on(&self, event: PeerEvent, permit: Option<OwnedSemaphorePermit>) -> Result<(), Stopped> {
        let message = PeerMessage { peer: self.peer, event, _permit: permit };
        self.messages.send(message).map_err(|_| Stopped)
    }
}

fn is_unasked(event: &PeerEvent) -> bool {
    match event {
        PeerEvent::Request(..) | PeerEvent::Gossip(..) | PeerEvent::Malformed(_) => true,
        PeerEvent::Connected(..) | PeerEvent::Disconnected | PeerEvent::Response(..) => false,
    }
}

impl EngineHandle {
    /// The way of a peer's events to the engine: one for each connection, kept as long as that.
    pub fn peer(&self, peer: PeerId) -> PeerLink {
        PeerLink { peer, messages: self.peers.clone(), permits: Arc::new(Semaphore::new(WAITING)) }
    }

    /// From now on the engine tells here what it wants of the network; before, it tells nobody. What waits here is bounded by
    /// what may be open with each peer: a few dozen questions of ours, and answers to what [`PeerLink`] let through.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn peer_actions(&self) -> Result<mpsc::UnboundedReceiver<PeerAction>, Stopped> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.messages.send(Message::Network(sender)).await.map_err(|_| Stopped)?;
        Ok(receiver)
    }
}
