//! Gossiped blocks: the header is judged at once, the compact form once the block is whole.

use chain_core::{
    block::header::Header,
    hash::BlockHash,
    headers::{HeaderContext, HeaderError, Status},
    work::pow,
};
use std::collections::{BTreeMap, VecDeque};

use crate::{
    engine::{Chain, Offence, PeerId, Time, relay::headers::Headers},
    wire::CompactBlock,
};

/// Blocks that may wait for their parent or for their time, of all peers and of one.
pub(in crate::engine::relay) const HELD: usize = 32;
const HELD_OF_PEER: usize = 4;

/// Milliseconds that a block waits for its parent or for its time. A block that is further ahead of the clock is not held:
/// its maker would occupy the place for years.
pub(super) const PATIENCE: u64 = 60_000;

/// Hashes of blocks that were forwarded or published, so that none is twice.
const PASSED_ON: usize = 64;

/// A compact block that cannot be judged yet. Its message was dropped.
#[derive(Debug)]
pub(super) struct HeldForm {
    pub(super) peer: PeerId,
    pub(super) compact: CompactBlock,
    /// When it is looked at again, if not before.
    pub(super) until: Time,
}

/// What gossip is remembered.
#[derive(Debug, Default)]
pub(super) struct Gossip {
    held: Vec<HeldForm>,
    passed_on: VecDeque<BlockHash>,
}

impl Gossip {
    /// Holds a block. If all places are taken, the peer that has most of them loses its oldest.
    pub(super) fn hold(&mut self, held: HeldForm) {
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

    /// When the next block is to be looked at again.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.held.iter().map(|held| held.until).min()
    }

    pub(super) fn forget_peer(&mut self, peer: PeerId) {
        self.held.retain(|held| held.peer != peer);
    }

    /// Notes that a block is forwarded or published; returns whether it is the first time.
    pub(super) fn pass_on(&mut self, hash: BlockHash) -> bool {
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
    /// Peers whose blocks wait for a parent that is not in the tree.
    pub(super) fn senders_of_orphans(&self, chain: &Chain) -> Vec<PeerId> {
        let orphans = self.held.iter().filter(|held| !chain.tree().contains(&held.compact.header.prev));
        orphans.map(|held| held.peer).collect()
    }

    /// Takes out what is to be looked at again, since its time or its parent has come.
    pub(super) fn due(&mut self, chain: &Chain, now: Time) -> Vec<HeldForm> {
        let due = |held: &mut HeldForm| held.until <= now || chain.tree().contains(&held.compact.header.prev);
        self.held.extract_if(.., due).collect()
    }
}

/// What a gossiped header is.
pub(super) enum Seen {
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

/// Judges the header of a compact block; from cheap to expensive.
pub(super) fn look_at(hash: BlockHash, header: &Header, headers: &Headers, chain: &Chain, now: Time) -> Seen {
    let tree = chain.tree();
    if let Some(info) = tree.get(&hash) {
        return match info.status {
            // As a new one: old headers are cheap to obtain.
            Status::HeaderOnly if info.work < headers.least_work(chain) => Seen::Stale,
            Status::HeaderOnly => Seen::Bodiless,
            _ => Seen::Old,
        };
    }
    let Some(parent) = tree.get(&header.prev) else {
        // Only its own proof of work can be checked.
        let limit = pow::target(chain.spec().pow_limit_bits);
        return match limit.and_then(|limit| pow::check_pow(&hash, header.bits, limit)) {
            Ok(_) => Seen::Orphan,
            Err(rule) => Seen::Bad(Offence::InvalidHeader(rule)),
        };
    };
    let Some(context) = tree.context(&header.prev) else { return Seen::Orphan };
    let context = match context.child(chain.spec(), header, now.seconds()) {
        Ok(context) => context,
        Err(HeaderError::TooFarInFuture { got, .. }) => return Seen::Future(got),
        Err(HeaderError::Rule(rule)) => return Seen::Bad(Offence::InvalidHeader(rule)),
        Err(HeaderError::UnknownParent(_) | HeaderError::Duplicate(_) | HeaderError::InvalidParent(_)) => {
            return Seen::Orphan;
        }
    };
    // Forwarded before its parent was executed, perhaps: no peer is to blame.
    if parent.status == Status::Invalid || context.work < headers.least_work(chain) {
        return Seen::Stale;
    }
    Seen::New(context)
}

#[cfg(test)]
impl Gossip {
    pub(in crate::engine::relay) fn holds_of(&self, peer: PeerId) -> bool {
        self.held.iter().any(|held| held.peer == peer)
    }
}
