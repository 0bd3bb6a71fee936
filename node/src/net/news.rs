//! What the log says of connections. A node that looks in and leaves, such as one that searches this machine for its chain, is no
//! news; nor is one that a search in the table went by way of: neither was sought as a peer.

use libp2p::PeerId;
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use super::peers::{Origin, Peer, Peers};
use crate::throttle::Throttle;

/// A peer that stays for so long is named.
const SETTLED: Duration = Duration::from_secs(3);

/// See the module's first line.
#[derive(Default)]
pub struct News {
    lines: Throttle,
    /// Connected peers that the log has named.
    named: HashSet<PeerId>,
}

impl News {
    /// Names peers that have stayed since the last look.
    pub fn look(&mut self, peers: &Peers, now: Instant) {
        for (id, peer) in peers.iter() {
            let stayed = now.saturating_duration_since(peer.since);
            if is_peer(peer.origin, stayed)
                && self.named.insert(*id)
                && let Some(suppressed) = self.lines.allow(now)
            {
                let outbound = peer.origin != Origin::Inbound;
                tracing::info!(peer = %id, address = %peer.address, outbound, suppressed, "connected");
            }
        }
    }

    /// A peer has left.
    pub fn left(&mut self, id: &PeerId, peer: &Peer, reason: &str, now: Instant) {
        let (address, was_named) = (&peer.address, self.named.remove(id));
        if !was_named && !is_refusal(peer.origin, peer.leaving.is_some()) {
            tracing::debug!(peer = %id, %address, reason, "looked in");
        } else if let Some(suppressed) = self.lines.allow(now) {
            tracing::info!(peer = %id, %address, suppressed, reason, "disconnected");
        }
    }
}

/// Whether a connection of so long is one with a peer. What the operator or the address book chose is at once.
fn is_peer(origin: Origin, stayed: Duration) -> bool {
    match origin {
        Origin::Wanted => true,
        Origin::Inbound | Origin::Scan => stayed >= SETTLED,
        Origin::Passing => false,
    }
}

/// Whether the end of a connection that was not named is news all the same: this node refused who wanted it as a peer.
fn is_refusal(origin: Origin, ended_here: bool) -> bool {
    ended_here && matches!(origin, Origin::Wanted | Origin::Inbound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_in_is_no_peer_and_who_is_refused_is_named() {
        let all = [Origin::Inbound, Origin::Wanted, Origin::Scan, Origin::Passing];
        assert_eq!(all.map(|origin| is_peer(origin, Duration::ZERO)), [false, true, false, false]);
        assert_eq!(all.map(|origin| is_peer(origin, SETTLED)), [true, true, true, false]);
        assert_eq!(all.map(|origin| is_refusal(origin, true)), [true, true, false, false]);
        assert_eq!(all.map(|origin| is_refusal(origin, false)), [false; 4]);
    }
}
