//! Telling peers of new transactions: by name, in batches, one batch at a time.

use chain_core::hash::TxId;
use std::collections::VecDeque;

use super::requests::Question;
use crate::{
    engine::{Engine, PeerId, Time},
    wire::{ANNOUNCED, Request},
};

/// Names that wait for the slowest peer; it never hears of older ones.
pub(super) const LOG: usize = 32_768;

/// Milliseconds that a name waits for others, and as many more at random.
const GATHER: u64 = 60;

/// What peers are still to be told, in one list for all: each peer has its own place in it.
#[derive(Debug, Default)]
pub(super) struct Log {
    names: VecDeque<TxId>,
    /// Place of the first name.
    first: u64,
}

impl Log {
    /// A transaction came into the pool.
    pub(super) fn add(&mut self, txid: TxId) {
        self.names.push_back(txid);
        if self.names.len() > LOG {
            self.names.pop_front();
            self.first += 1;
        }
    }

    /// The place after the last name.
    pub(super) fn end(&self) -> u64 {
        self.first + self.names.len() as u64
    }

    /// Names in it.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The name at a place, or at the first place after it.
    fn from(&self, place: u64) -> impl Iterator<Item = (u64, &TxId)> {
        let skip = place.saturating_sub(self.first);
        let start = usize::try_from(skip).unwrap_or(usize::MAX).min(self.names.len());
        (self.first + start as u64..).zip(self.names.range(start..))
    }
}

/// What one peer was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Its place in the log.
    next: u64,
    /// When it is told of more.
    pub(super) at: Option<Time>,
    /// Whether it was told and did not acknowledge yet.
    pub(super) waits: bool,
}

impl Told {
    /// A peer that is told of what comes from now on.
    pub(super) fn from(log: &Log) -> Self {
        Self { next: log.end(), at: None, waits: false }
    }
}

impl Engine {
    /// Tells peers whose time has come of what is new to them.
    pub(super) fn announce(&mut self) {
        let end = self.relay.log.end();
        let mut due = Vec::new();
        for (id, peer) in &mut self.relay.peers {
            if peer.told.next == end || peer.told.waits || peer.claim.is_none() {
                continue;
            }
            match peer.told.at {
                None => peer.told.at = Some(self.steady.after(GATHER + self.relay.random.below(GATHER))),
                Some(at) if at <= self.steady => due.push(*id),
                Some(_) => {}
            }
        }
        for id in due {
            self.announce_to(id);
        }
    }

    fn announce_to(&mut self, id: PeerId) {
        let Some(peer) = self.relay.peers.get_mut(&id) else { return };
        peer.told.at = None;
        let mut names = Vec::new();
        let mut next = peer.told.next;
        for (place, txid) in self.relay.log.from(peer.told.next) {
            if names.len() >= ANNOUNCED {
                break;
            }
            next = place + 1;
            if self.mempool.contains(txid) && peer.known.insert(txid) {
                names.push(*txid);
            }
        }
        peer.told.next = next;
        if !names.is_empty() {
            peer.told.waits = true;
            self.ask_peer(id, Question::Announce, Request::Announce(names));
        }
    }

    /// A peer has taken note, or will not.
    pub(super) fn on_announced(&mut self, id: PeerId) {
        if let Some(peer) = self.relay.peers.get_mut(&id) {
            peer.told.waits = false;
        }
    }
}
