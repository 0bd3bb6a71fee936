//! Gossiped blocks: what becomes of each is decided by its header alone, before it is executed.

use chain_core::{
    hash::BlockHash,
    headers::{HeaderContext, HeaderError, Status},
    pow,
};
use std::collections::VecDeque;

use super::{
    BEHIND,
    compact::{Rebuilt, compact},
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

/// Milliseconds that a block waits for its parent.
const PATIENCE: u64 = 60_000;

/// Hashes of blocks that were passed on, so that none is twice.
const PASSED_ON: usize = 64;

/// A compact block that cannot be judged yet.
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
    passed_on: VecDeque<BlockHash>,
}

impl Gossip {
    fn hold(&mut self, peer: PeerId, compact: CompactBlock, until: Time) {
        let of_peer = self.held.iter().filter(|held| held.peer == peer).count();
        let known = self.held.iter().any(|held| held.compact.header == compact.header);
        if !known && of_peer < HELD_OF_PEER && self.held.len() < HELD {
            self.held.push(HeldBlock { peer, compact, until });
        }
    }

    /// When the next one is to be looked at again.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.held.iter().map(|held| held.until).min()
    }

    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        self.held.retain(|held| held.peer != peer);
    }

    /// Notes that a block is passed on; answers whether it is the first time.
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
        let verdict = self.judge(peer, compact)?;
        self.tell_peer(PeerAction::Judge(peer, id, verdict));
        Ok(())
    }

    fn judge(&mut self, peer: PeerId, compact: CompactBlock) -> Result<Verdict, Fatal> {
        let hash = compact.header.hash();
        match self.look_at(hash, &compact) {
            Seen::Old => {
                self.consider_best(peer, hash);
                Ok(Verdict::Ignore)
            }
            Seen::Stale => Ok(Verdict::Ignore),
            Seen::Bad(offence) => {
                self.penalize(peer, offence);
                Ok(Verdict::Reject)
            }
            Seen::Orphan => {
                self.relay.gossip.hold(peer, compact, self.now.after(PATIENCE));
                Ok(Verdict::Ignore)
            }
            Seen::Future(time) => {
                self.warn_of_future(time);
                let due = u64::from(time).saturating_sub(u64::from(self.spec.max_future));
                self.relay.gossip.hold(peer, compact, Time(due.saturating_mul(1_000)));
                Ok(Verdict::Ignore)
            }
            Seen::Bodiless => self.take_compact(peer, hash, &compact),
            Seen::New(context) => {
                self.tree.insert_checked(&compact.header, &context);
                self.store.put_headers(&[HeaderRecord::with_hash(compact.header, hash, context.height)])?;
                self.take_compact(peer, hash, &compact)
            }
        }
    }

    /// From cheap to dear.
    fn look_at(&self, hash: BlockHash, compact: &CompactBlock) -> Seen {
        let header = &compact.header;
        if let Some(info) = self.tree.get(&hash) {
            return if info.status == Status::HeaderOnly { Seen::Bodiless } else { Seen::Old };
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
        // Passed on before its parent was executed, perhaps: nobody is to blame.
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
                peer.claim.is_some() && !peer.asked_headers && peer.headers_after <= self.now && peer.presync.is_none()
            };
            if self.relay.peers.get(&id).is_some_and(ready) {
                self.ask_headers(id, None);
            }
        }
    }

    /// Takes a block in whose header is in the tree and whose body is not here.
    fn take_compact(&mut self, peer: PeerId, hash: BlockHash, compact: &CompactBlock) -> Result<Verdict, Fatal> {
        self.consider_best(peer, hash);
        let Some(info) = self.tree.get(&hash) else { return Ok(Verdict::Ignore) };
        // Far ahead it is fetched in its turn.
        if info.height <= self.store.tip().height.saturating_add(BEHIND) {
            match self.rebuild(peer, compact) {
                Some(Rebuilt::Whole(block)) => self.finish(hash, *block)?,
                Some(Rebuilt::Part(partial)) => self.complete(hash, partial),
                Some(Rebuilt::Wrong) | None => {
                    self.penalize(peer, Offence::BadCompact);
                    return Ok(Verdict::Ignore);
                }
            }
        }
        Ok(if self.relay.gossip.pass_on(hash) { Verdict::Accept } else { Verdict::Ignore })
    }

    /// Time passed or headers came: looks at what was held again.
    pub(super) fn retry_held(&mut self) -> Result<(), Fatal> {
        let due = |held: &mut HeldBlock| held.until <= self.now || self.tree.contains(&held.compact.header.prev);
        let ready: Vec<HeldBlock> = self.relay.gossip.held.extract_if(.., due).collect();
        for HeldBlock { peer, compact, until } in ready {
            let hash = compact.header.hash();
            match self.look_at(hash, &compact) {
                // It has waited long enough.
                Seen::Orphan => {}
                Seen::Future(_) if until > self.now => self.relay.gossip.hold(peer, compact, until),
                _ => {
                    if self.judge(peer, compact.clone())? == Verdict::Accept {
                        self.tell_peer(PeerAction::Gossip(compact));
                    }
                }
            }
        }
        Ok(())
    }

    /// Passes on a block that was just connected and did not come by gossip.
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
