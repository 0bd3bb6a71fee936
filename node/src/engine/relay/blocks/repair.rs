//! Blocks of the chain that the disk does not give back: fetched again, one at a time, from peers that keep them.

use chain_core::hash::BlockHash;
use std::collections::BTreeMap;

use super::download::Download;
use crate::{
    engine::{
        Chain, Outbox, PeerId, Time,
        relay::peers::{Peer, Peers},
    },
    store::BlockRef,
};

/// Milliseconds after which a block is asked for again, of another peer if there is one.
const AGAIN: u64 = 10_000;

/// Milliseconds for which a response may come late: that a peer lacks a block that is stored again says nothing about it.
const LATE: u64 = 120_000;

/// Those that the store remembers, and those that were stored lately.
#[derive(Debug, Default)]
pub(super) struct Repair(BTreeMap<BlockRef, Asked>);

/// A block that was asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    since: Time,
    tries: usize,
    /// Whether each peer that may keep it was asked by now.
    of_all: bool,
}

impl Repair {
    /// Whether a request is for such a block.
    pub(super) fn is_of(&self, asked: &[BlockHash]) -> bool {
        matches!(asked, [hash] if self.0.keys().any(|at| at.hash == *hash))
    }

    /// A peer does not have a block, or did not answer: another is asked at once, if one is left.
    pub(super) fn failed(&mut self, hashes: &[BlockHash]) {
        let of = self.0.iter_mut().filter(|(at, asked)| hashes.contains(&at.hash) && !asked.of_all);
        of.for_each(|(_, asked)| asked.since = Time(0));
    }

    /// Time passed: asks for blocks that cannot be read.
    pub(super) fn request(&mut self, download: &mut Download, peers: &mut Peers, chain: &Chain, out: &mut Outbox) {
        let (blocks, now) = (chain.store().unreadable(), out.steady());
        let asked = &mut self.0;
        asked.retain(|at, asked| blocks.contains(at) || now.since(asked.since) < LATE);
        let tries = |at: &BlockRef| asked.get(at).map_or(0, |asked| asked.tries);
        let waits = |at: &BlockRef| asked.get(at).is_some_and(|asked| now.since(asked.since) < AGAIN);
        // Those that no peer has come behind all others.
        let Some(at) = blocks.iter().min_by_key(|at| tries(at)).filter(|_| !blocks.iter().any(waits)).copied() else {
            return;
        };
        let tries = tries(&at);
        let able = peers.iter().filter(|(id, peer)| download.has_room(*id) && peer.claim().is_some());
        let able: Vec<PeerId> =
            able.map(|(id, _)| id).filter(|id| peers.keeps(*id, at.hash, at.height, chain)).collect();
        // With each try the next one, so that a peer that lacks it or lies is not the only one that is asked; first those that this
        // node chose, of whom an attacker cannot make any number.
        let is_chosen = |id: &PeerId| peers.get(*id).is_some_and(Peer::chosen);
        let (chosen, others): (Vec<PeerId>, Vec<PeerId>) = able.into_iter().partition(is_chosen);
        let able = [chosen, others].concat();
        if let Some(id) = able.get(tries % able.len().max(1)).copied() {
            let tries = tries + 1;
            self.0.insert(at, Asked { since: now, tries, of_all: tries.is_multiple_of(able.len()) });
            download.ask(id, vec![at.hash], peers, out);
        }
    }
}
