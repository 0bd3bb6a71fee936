//! Gossiped blocks: the header is judged at once, the compact form once the block is whole. Only what is whole is forwarded.

use chain_core::{
    hash::BlockHash,
    headers::{HeaderContext, HeaderError, Status},
    work::pow,
};
use std::collections::{BTreeMap, VecDeque};

use super::{
    BEHIND,
    compact::{Rebuilt, bytes, compact},
    forms::{Forms, NewForm, Noted, digest},
    peers::Peer,
};
use crate::{
    engine::{Engine, GossipId, Offence, PeerAction, PeerId, Time, Verdict, error::Fatal},
    store::HeaderRecord,
    wire::CompactBlock,
};

/// Blocks that may wait for their parent or for their time, of all peers and of one.
pub(super) const HELD: usize = 32;
const HELD_OF_PEER: usize = 4;

/// Milliseconds that a block waits for its parent or for its time. A block that is further ahead of the clock is not held:
/// its maker would occupy the place for years.
const PATIENCE: u64 = 60_000;

/// Hashes of blocks that were forwarded or published, so that none is twice.
const PASSED_ON: usize = 64;

/// A compact block that cannot be judged yet. Its message was dropped.
#[derive(Debug)]
struct HeldBlock {
    peer: PeerId,
    compact: CompactBlock,
    /// When it is looked at again, if not before.
    until: Time,
}

/// What gossip is remembered.
#[derive(Debug, Default)]
pub(super) struct Gossip {
    held: Vec<HeldBlock>,
    pub(super) forms: Forms,
    passed_on: VecDeque<BlockHash>,
}

impl Gossip {
    /// Holds a block. If all places are taken, the peer that has most of them loses its oldest.
    fn hold(&mut self, held: HeldBlock) {
        if self.held.iter().any(|other| other.compact.header == held.compact.header) {
            return;
        }
        let mut counts: BTreeMap<PeerId, usize> = BTreeMap::new();
        self.held.iter().for_each(|held| *counts.entry(held.peer).or_default() += 1);
        let own = counts.get(&held.peer).copied().unwrap_or_default();
        if own >= HELD_OF_PEER {
            return;
        }
        if self.held.len() >= HELD {
            let greedy = counts.into_iter().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > own);
            let oldest = greedy.and_then(|(peer, _)| self.held.iter().position(|held| held.peer == peer));
            let Some(oldest) = oldest else { return };
            self.held.remove(oldest);
        }
        self.held.push(held);
    }

    /// When the next block or message is to be looked at again.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.held.iter().map(|held| held.until).chain(self.forms.wake_at()).min()
    }

    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        self.held.retain(|held| held.peer != peer);
        self.forms.leave(peer);
    }

    /// Notes that a block is forwarded or published; answers whether it is the first time.
    fn pass_on(&mut self, hash: BlockHash) -> bool {
        if self.passed_on.contains(&hash) {
            return false;
        }
        self.passed_on.push_back(hash);
        if self.passed_on.len() > PASSED_ON {
            self.passed_on.pop_front();
        }
        true
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }
}

/// What a gossiped header is.
enum Seen {
    /// Its block is here, or is known to be invalid.
    Old,
    /// It breaks a rule.
    Bad(Offence),
    /// Its parent is unknown.
    Orphan,
    /// It is ahead of the clock.
    Future(u32),
    /// Too far behind to matter.
    Stale,
    /// It is known, and its body is not.
    Bodiless,
    /// It is new.
    New(HeaderContext),
}

impl Engine {
    /// A block was gossiped.
    pub(super) fn on_gossip(&mut self, peer: PeerId, id: GossipId, compact: CompactBlock) -> Result<(), Fatal> {
        if let Some(verdict) = self.judge(peer, Some(id), compact)? {
            self.tell_peer(PeerAction::Judge(peer, id, verdict));
        }
        Ok(())
    }

    /// Judges a block; no verdict if that waits for the whole block.
    fn judge(&mut self, peer: PeerId, id: Option<GossipId>, compact: CompactBlock) -> Result<Option<Verdict>, Fatal> {
        let hash = compact.header.hash();
        match self.look_at(hash, &compact) {
            Seen::Old => self.consider_best(peer, hash),
            Seen::Stale => {}
            Seen::Bad(offence) => {
                self.penalize(peer, offence);
                return Ok(Some(Verdict::Reject));
            }
            Seen::Orphan => {
                let until = self.steady.after(PATIENCE);
                self.relay.gossip.hold(HeldBlock { peer, compact, until });
            }
            Seen::Future(time) => {
                self.warn_of_future(time);
                let due = u64::from(time).saturating_sub(u64::from(self.spec.max_future)).saturating_mul(1_000);
                let wait = due.saturating_sub(self.now.0).max(1);
                if wait <= PATIENCE {
                    let until = self.steady.after(wait);
                    self.relay.gossip.hold(HeldBlock { peer, compact, until });
                }
            }
            Seen::Bodiless => return self.take_compact(peer, id, hash, compact),
            Seen::New(context) => {
                self.tree.insert_checked(&compact.header, &context);
                self.store.put_headers(&[HeaderRecord::with_hash(compact.header, hash, context.height)])?;
                return self.take_compact(peer, id, hash, compact);
            }
        }
        Ok(Some(Verdict::Ignore))
    }

    /// From cheap to dear.
    fn look_at(&self, hash: BlockHash, compact: &CompactBlock) -> Seen {
        let header = &compact.header;
        if let Some(info) = self.tree.get(&hash) {
            return match info.status {
                // As a new one: headers of long ago are to be had by the thousand.
                Status::HeaderOnly if info.work < self.least_work() => Seen::Stale,
                Status::HeaderOnly => Seen::Bodiless,
                _ => Seen::Old,
            };
        }
        let Some(parent) = self.tree.get(&header.prev) else {
            // Its own claim of work is all that can be checked, and must be worth something.
            let limit = pow::target(self.spec.pow_limit_bits);
            return match limit.and_then(|limit| pow::check_pow(&hash, header.bits, limit)) {
                Ok(_) => Seen::Orphan,
                Err(rule) => Seen::Bad(Offence::InvalidHeader(rule)),
            };
        };
        let Some(context) = self.tree.context(&header.prev) else { return Seen::Orphan };
        let context = match context.child(&self.spec, header, self.now.seconds()) {
            Ok(context) => context,
            Err(HeaderError::TooFarInFuture { got, .. }) => return Seen::Future(got),
            Err(HeaderError::Rule(rule)) => return Seen::Bad(Offence::InvalidHeader(rule)),
            Err(HeaderError::UnknownParent(_) | HeaderError::Duplicate(_) | HeaderError::InvalidParent(_)) => {
                return Seen::Orphan;
            }
        };
        // Forwarded before its parent was executed, perhaps: nobody is to blame.
        if parent.status == Status::Invalid || context.work < self.least_work() {
            return Seen::Stale;
        }
        Seen::New(context)
    }

    /// Asks who passed on orphans how they hang together, unless he was of no use lately.
    pub(super) fn ask_about_orphans(&mut self) {
        if self.relay.gossip.held.is_empty() || self.relay.sync_start.is_some() {
            return;
        }
        let orphans = self.relay.gossip.held.iter().filter(|held| !self.tree.contains(&held.compact.header.prev));
        let senders: Vec<PeerId> = orphans.map(|held| held.peer).collect();
        for id in senders {
            let ready = |peer: &Peer| {
                peer.claim.is_some()
                    && !peer.asked_headers
                    && peer.headers_after <= self.steady
                    && peer.presync.is_none()
            };
            if self.relay.peers.get(&id).is_some_and(ready) {
                self.ask_headers(id, None);
            }
        }
    }

    /// Takes in the form of a block whose header is in the tree and whose body is not here. The verdict waits until the block
    /// is whole, whoever it comes from: see [`Forms`].
    fn take_compact(
        &mut self,
        peer: PeerId,
        id: Option<GossipId>,
        hash: BlockHash,
        compact: CompactBlock,
    ) -> Result<Option<Verdict>, Fatal> {
        self.consider_best(peer, hash);
        let height = self.tree.get(&hash).map_or(0, |info| info.height);
        // Far ahead it is fetched in its turn.
        if height > self.store.tip().height.saturating_add(BEHIND) {
            return Ok(Some(Verdict::Ignore));
        }
        let Some(owner) = self.relay.peers.get(&peer).map(|peer| peer.payer) else { return Ok(Some(Verdict::Ignore)) };
        let digest = digest(&compact);
        let new = NewForm { hash, peer, owner, digest, message: id, bytes: bytes(&compact) };
        let mut dropped = Vec::new();
        let noted = self.relay.gossip.forms.note(new, self.steady, &mut dropped);
        dropped.into_iter().for_each(|(peer, id)| self.tell_peer(PeerAction::Judge(peer, id, Verdict::Ignore)));
        match noted {
            Noted::Refused => return Ok(Some(Verdict::Ignore)),
            // The block comes as any other does, and shows what the form is worth.
            Noted::Kept => return Ok(None),
            Noted::Rebuild if !self.may_cost(peer) => return Ok(None),
            Noted::Rebuild => {}
        }
        match self.rebuild(peer, compact) {
            Rebuilt::Whole(block) => {
                self.take_rebuilt(*block)?;
                // Unless the block was refused, its messages have their verdicts.
                let refused = self.relay.gossip.forms.take_message(&hash, peer, &digest);
                return Ok(refused.map(|_| Verdict::Ignore));
            }
            Rebuilt::Part(partial) => self.complete(hash, *partial),
            // Its message has no use; what it was is remembered, so that its sender pays once the block is whole. Should ids
            // have collided, so that the form is honest, the block's own is published by the next node.
            Rebuilt::Wrong => {
                let message = self.relay.gossip.forms.take_message(&hash, peer, &digest);
                return Ok(message.map(|_| Verdict::Ignore));
            }
        }
        Ok(None)
    }

    /// A block is whole and stored: its own form is forwarded, who sent false ones pays.
    pub(in crate::engine) fn settle_forms(&mut self, hash: &BlockHash, block: &chain_core::block::Block) {
        if !self.relay.gossip.forms.has(hash) {
            return;
        }
        let settled = self.relay.gossip.forms.settle(hash, compact(block).as_ref().map(digest));
        if !settled.honest.is_empty() {
            self.relay.gossip.pass_on(*hash);
        }
        for (peer, id) in settled.honest {
            self.tell_peer(PeerAction::Judge(peer, id, Verdict::Accept));
        }
        for (peer, id) in settled.dropped {
            self.tell_peer(PeerAction::Judge(peer, id, Verdict::Ignore));
        }
        settled.liars.into_iter().for_each(|peer| self.penalize(peer, Offence::BadCompact));
    }

    /// Time passed: messages whose block does not become whole are dropped.
    pub(super) fn drop_overdue_forms(&mut self) {
        for (peer, id) in self.relay.gossip.forms.overdue(self.steady) {
            self.tell_peer(PeerAction::Judge(peer, id, Verdict::Ignore));
        }
    }

    /// Time passed or headers came: looks at what was held again.
    pub(super) fn retry_held(&mut self) -> Result<(), Fatal> {
        let due = |held: &mut HeldBlock| held.until <= self.steady || self.tree.contains(&held.compact.header.prev);
        let ready: Vec<HeldBlock> = self.relay.gossip.held.extract_if(.., due).collect();
        for HeldBlock { peer, compact, until } in ready {
            match self.look_at(compact.header.hash(), &compact) {
                // It has waited long enough.
                Seen::Orphan => {}
                Seen::Future(_) if until > self.steady => self.relay.gossip.hold(HeldBlock { peer, compact, until }),
                // Once it is whole, its own form is published.
                _ => _ = self.judge(peer, None, compact)?,
            }
        }
        Ok(())
    }

    /// Publishes a block that is whole and did not come by gossip.
    pub(in crate::engine) fn pass_on(&mut self, hash: BlockHash, block: &chain_core::block::Block) {
        let wanted = !self.relay.peers.is_empty() && self.relay.sync_start.is_none();
        if wanted
            && self.tree.candidate() == hash
            && self.relay.gossip.pass_on(hash)
            && let Some(compact) = compact(block)
        {
            self.tell_peer(PeerAction::Gossip(compact));
        }
    }
}

#[cfg(test)]
impl Gossip {
    pub(super) fn holds_of(&self, peer: PeerId) -> bool {
        self.held.iter().any(|held| held.peer == peer)
    }
}
