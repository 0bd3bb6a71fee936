//! Relay and sync: what the engine says to peers, and what it makes of what they say.

mod offence;

pub use offence::{BAN, Offence};

use super::{Action, Engine, PeerAction, PeerEvent, PeerId, Time, Verdict, error::Fatal};
use crate::wire::Response;

/// How the engine deals with peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayConfig {
    /// All that is chosen at random is drawn from this.
    pub seed: u64,
    /// What peers are told that this program is; at most 64 bytes of printable ASCII.
    pub agent: String,
    /// Headers of less work than this are not stored: a defence of new nodes, who know no better chain yet.
    pub minimum_work: chain_core::U256,
}

impl Default for RelayConfig {
    fn default() -> Self {
        let agent = concat!("cairn/", env!("CARGO_PKG_VERSION")).to_owned();
        Self { seed: 0, agent, minimum_work: chain_core::U256::ZERO }
    }
}

impl Engine {
    /// When [`super::Event::Tick`] is due at the latest, if it is; a second later it does no harm.
    pub fn wake_at(&self) -> Option<Time> {
        None
    }

    /// Takes in what a peer did.
    pub(super) fn on_peer(&mut self, peer: PeerId, event: PeerEvent) -> Result<(), Fatal> {
        match event {
            PeerEvent::Request(id, _) => self.tell_peer(PeerAction::Respond(peer, id, Response::Unknown)),
            PeerEvent::Gossip(id, _) => self.tell_peer(PeerAction::Judge(peer, id, Verdict::Ignore)),
            PeerEvent::Malformed(error) => self.penalize(peer, Offence::Malformed(error)),
            PeerEvent::Connected { .. } | PeerEvent::Disconnected | PeerEvent::Response(..) => {}
        }
        Ok(())
    }

    fn tell_peer(&mut self, action: PeerAction) {
        self.actions.push(Action::Peer(action));
    }

    /// Holds something against a peer.
    pub(super) fn penalize(&mut self, peer: PeerId, offence: Offence) {
        self.tell_peer(PeerAction::Penalize(peer, offence));
    }
}
