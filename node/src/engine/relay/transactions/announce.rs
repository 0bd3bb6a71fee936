//! Announcing transactions to peers: by name, in batches, one batch at a time.

use chain_core::hash::TxId;
use std::collections::{BTreeMap, VecDeque};

use super::known::Names;
use crate::{
    engine::{
        Outbox, PeerId, Time,
        relay::{
            peers::{Peers, Question},
            random::Random,
        },
    },
    mempool::Mempool,
    wire::{ANNOUNCED, Request},
};

/// Names that wait for the slowest peer; older ones are never announced to it.
pub(in crate::engine::relay) const LOG: usize = 32_768;

/// Milliseconds that a name waits for others, and as many more at random.
const GATHER: u64 = 60;

/// What was announced to one peer.
#[derive(Debug)]
struct Told {
    /// Its place in the log.
    next: u64,
    /// When more is announced to it.
    at: Option<Time>,
    /// Whether an acknowledgement is due.
    waits: bool,
}

/// What is still to be announced, in one list for all: each peer has its own place in it.
#[derive(Debug, Default)]
pub(in crate::engine::relay) struct Announcer {
    names: VecDeque<TxId>,
    /// Place of the first name.
    first: u64,
    told: BTreeMap<PeerId, Told>,
}

impl Announcer {
    /// What comes from now on is announced to a peer.
    pub(super) fn connect(&mut self, id: PeerId) {
        self.told.insert(id, Told { next: self.end(), at: None, waits: false });
    }

    pub(super) fn disconnect(&mut self, id: PeerId) {
        self.told.remove(&id);
    }

    /// A transaction came into the pool. Without peers it is not announced.
    pub(in crate::engine::relay) fn add(&mut self, txid: TxId) {
        if self.told.is_empty() {
            return;
        }
        self.names.push_back(txid);
        if self.names.len() > LOG {
            self.names.pop_front();
            self.first += 1;
        }
    }

    /// Names that wait to be announced.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The place after the last name.
    fn end(&self) -> u64 {
        self.first + self.names.len() as u64
    }

    /// When the next peer is told.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.told.values().filter(|told| !told.waits).filter_map(|told| told.at).min()
    }

    /// Announces to peers whose time has come what is new to them.
    pub(super) fn announce(
        &mut self,
        known: &mut Names,
        peers: &mut Peers,
        pool: &Mempool,
        random: &mut Random,
        out: &mut Outbox,
    ) {
        let end = self.end();
        let mut due = Vec::new();
        for (id, told) in &mut self.told {
            if told.next == end || told.waits || !peers.is_met(*id) {
                continue;
            }
            match told.at {
                None => told.at = Some(out.steady().after(GATHER + random.below(GATHER))),
                Some(at) if at <= out.steady() => due.push(*id),
                Some(_) => {}
            }
        }
        for id in due {
            let names = self.take_names(id, known, pool);
            if !names.is_empty() {
                peers.ask(id, Question::Announce, Request::Announce(names), out);
            }
        }
    }

    /// The next names that are new to a peer; it waits for an acknowledgement if there are any.
    fn take_names(&mut self, id: PeerId, known: &mut Names, pool: &Mempool) -> Vec<TxId> {
        let mut names = Vec::new();
        let Some(told) = self.told.get_mut(&id) else { return names };
        told.at = None;
        // The peer may have fallen behind the first name.
        let skip = usize::try_from(told.next.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let start = skip.min(self.names.len());
        for (place, txid) in (self.first + start as u64..).zip(self.names.range(start..)) {
            if names.len() >= ANNOUNCED {
                break;
            }
            told.next = place + 1;
            if pool.contains(txid) && known.insert(id, txid) {
                names.push(*txid);
            }
        }
        told.waits |= !names.is_empty();
        names
    }

    /// A peer has taken note, or will not.
    pub(in crate::engine::relay) fn acknowledged(&mut self, id: PeerId) {
        if let Some(told) = self.told.get_mut(&id) {
            told.waits = false;
        }
    }
}
