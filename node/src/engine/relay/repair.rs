//! Blocks of the chain that the disk does not give back: fetched again, one at a time, from peers that keep them.

use chain_core::{
    Bytes,
    check::{HashedBlock, check_hashed_block},
    error::RuleError,
    hash::BlockHash,
    headers::Status,
};
use std::collections::BTreeMap;

use super::{bodies::PER_PEER, peers::Peer, requests::Question};
use crate::{
    engine::{Engine, PeerId, Time, error::Fatal},
    store::BlockRef,
    wire::Request,
};

/// Milliseconds after which a block is asked for again, of another peer if there is one.
const AGAIN: u64 = 10_000;

/// Milliseconds for which an answer may come late: that a peer lacks a block that is stored again says nothing about it.
const LATE: u64 = 120_000;

/// When each block was last asked for, and how often it was: those that the store remembers, and those that were stored lately.
#[derive(Debug, Default)]
pub(super) struct Repair(BTreeMap<BlockRef, (Time, usize)>);

impl Repair {
    /// Whether a question is for such a block.
    pub(super) fn is_of(&self, asked: &[BlockHash]) -> bool {
        matches!(asked, [hash] if self.0.keys().any(|at| at.hash == *hash))
    }

    /// A peer does not have a block, or did not answer: another is asked at once.
    pub(super) fn failed(&mut self, asked: &[BlockHash]) {
        let of = self.0.iter_mut().filter(|(at, _)| asked.contains(&at.hash));
        of.for_each(|(_, (since, _))| *since = Time(0));
    }
}

impl Engine {
    /// Time passed: asks for blocks that cannot be read.
    pub(super) fn fetch_unreadable(&mut self) {
        let (blocks, now) = (self.store.unreadable(), self.steady);
        let asked = &mut self.relay.repair.0;
        asked.retain(|at, (since, _)| blocks.contains(at) || now.since(*since) < LATE);
        let tries = |at: &BlockRef| asked.get(at).map_or(0, |(_, tries)| *tries);
        let waits = |at: &BlockRef| asked.get(at).is_some_and(|(since, _)| now.since(*since) < AGAIN);
        // Those that nobody has come behind all others.
        let Some(at) = blocks.iter().min_by_key(|at| tries(at)).filter(|_| !blocks.iter().any(waits)).copied() else {
            return;
        };
        let tries = tries(&at);
        let able = self.relay.peers.iter().filter(|(_, peer)| peer.asked_blocks < PER_PEER && peer.claim.is_some());
        let able: Vec<PeerId> = able.map(|(id, _)| *id).filter(|id| self.keeps(*id, at.hash, at.height)).collect();
        // With each try the next one, so that a peer that lacks it or lies is not the only one that is asked; first those that this
        // node chose, of whom an attacker cannot make any number.
        let (chosen, others): (Vec<PeerId>, Vec<PeerId>) =
            able.into_iter().partition(|id| self.relay.peers.get(id).is_some_and(Peer::chosen));
        let able = [chosen, others].concat();
        let Some(id) = able.get(tries % able.len().max(1)).copied() else { return };
        self.relay.repair.0.insert(at, (now, tries + 1));
        if let Some(peer) = self.relay.peers.get_mut(&id) {
            peer.asked_blocks += 1;
        }
        self.ask_peer(id, Question::Blocks(vec![at.hash]), Request::Blocks(vec![at.hash]));
    }

    /// Stores a block again that cannot be read; answers with the rule that it breaks. Others are left as they are.
    pub(in crate::engine) fn restore_body(
        &mut self,
        at: BlockRef,
        block: HashedBlock,
        bytes: &Bytes,
    ) -> Result<Option<RuleError>, Fatal> {
        if !self.store.is_unreadable(at) {
            return Ok(None);
        }
        // What was condemned meanwhile is no loss.
        if self.tree.get(&at.hash).is_none_or(|info| info.status == Status::Invalid) {
            self.store.forget_unreadable(at);
            return Ok(None);
        }
        let block = match check_hashed_block(&self.spec, block) {
            Ok(block) => block,
            // Its header was found valid, and so it is this body alone that is wrong.
            Err((_, rule)) => return Ok(Some(rule)),
        };
        self.store.put_bodies(std::iter::once((at.height, &block, &bytes[..])))?;
        self.store.forget_unreadable(at);
        tracing::info!(height = at.height, hash = %at.hash, "the block that could not be read is stored again");
        Ok(None)
    }
}
