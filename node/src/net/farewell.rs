//! The last connections that ended, and why.

use libp2p::{Multiaddr, PeerId, swarm::ConnectionError};
use std::{collections::VecDeque, time::Duration};

/// How many are remembered.
const KEPT: usize = 20;

/// A connection that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// The peer's key.
    pub id: PeerId,
    /// Where it was.
    pub address: Multiaddr,
    /// Whether this node had dialled it.
    pub outbound: bool,
    /// What it said that it is.
    pub agent: String,
    /// When it ended, in seconds since the Unix epoch.
    pub at: u64,
    /// How long it was connected.
    pub connected: Duration,
    /// Why it ended.
    pub reason: String,
}

/// The last of them, the newest first.
#[derive(Debug, Default)]
pub struct Farewells(VecDeque<Farewell>);

impl Farewells {
    /// Remembers one more.
    pub fn add(&mut self, farewell: Farewell) {
        self.0.truncate(KEPT - 1);
        self.0.push_front(farewell);
    }

    /// All that are remembered.
    pub fn list(&self) -> Vec<Farewell> {
        self.0.iter().cloned().collect()
    }
}

/// Why a connection ended that this node did not end.
pub fn ended(cause: Option<&ConnectionError>) -> String {
    match cause {
        None => "closed".to_owned(),
        Some(ConnectionError::KeepAliveTimeout) => "nothing was said for long".to_owned(),
        Some(ConnectionError::IO(error)) => format!("the peer closed it, or was lost ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_twenty_are_remembered() {
        let mut farewells = Farewells::default();
        for at in 0..100 {
            let address = "/ip4/1.2.3.4/tcp/5".parse().unwrap();
            let (id, connected, agent) = (PeerId::random(), Duration::ZERO, String::new());
            farewells.add(Farewell { id, address, outbound: true, agent, at, connected, reason: String::new() });
        }
        let kept: Vec<u64> = farewells.list().iter().map(|farewell| farewell.at).collect();
        assert_eq!(kept, (80..100).rev().collect::<Vec<_>>());
    }
}
