//! The network's way to the engine. A peer that floods waits for itself alone: of what it sends unasked, only so much may
//! wait for the engine at a time.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::engine::{PeerEvent, PeerId};

/// What one peer may have waiting for the engine beside responses, of which there are no more than our requests.
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
    /// `WAITING` events of this peer wait already. The event, to be sent later or dropped.
    Full(PeerEvent),
    /// The engine has stopped.
    Stopped,
}

impl PeerLink {
    /// The way of a peer that has nothing waiting.
    pub(super) fn new(peer: PeerId, messages: mpsc::UnboundedSender<PeerMessage>) -> Self {
        Self { peer, messages, permits: Arc::new(Semaphore::new(WAITING)) }
    }

    /// Hands an event in if there is room for it. [`PeerEvent::Connected`], [`PeerEvent::Disconnected`], [`PeerEvent::Missed`] and
    /// responses always have room.
    ///
    /// # Errors
    /// [`Refused`].
    #[expect(clippy::result_large_err, reason = "the caller gets its event back")]
    pub fn try_send(&self, event: PeerEvent) -> Result<(), Refused> {
        let permit = if is_unasked(&event) {
            let Ok(permit) = self.permits.clone().try_acquire_owned() else { return Err(Refused::Full(event)) };
            Some(permit)
        } else {
            None
        };
        let message = PeerMessage { peer: self.peer, event, _permit: permit };
        self.messages.send(message).map_err(|_| Refused::Stopped)
    }
}

fn is_unasked(event: &PeerEvent) -> bool {
    match event {
        PeerEvent::Request(..) | PeerEvent::Gossip(..) | PeerEvent::Malformed(_) => true,
        PeerEvent::Connected(..) | PeerEvent::Disconnected | PeerEvent::Response(..) => false,
        // A peer that fills its room would have a block missed for good. The pace of gossip bounds the headers.
        PeerEvent::Missed(_) => false,
    }
}
