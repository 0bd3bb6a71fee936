//! Blocks on the way to the best header, fetched from many peers at once.
//!
//! A window moves up the best branch. Its missing blocks are asked for in runs, lowest first, of whoever has them and is
//! least busy. If the lowest one does not come, it is asked of another peer; a peer that so holds up a window is dropped.

use chain_core::{Bytes, check::HashedBlock, error::RuleError, hash::BlockHash, headers::Status, units::Height};
use std::collections::{BTreeMap, BTreeSet};

use super::requests::Question;
use crate::{
    engine::{Engine, Offence, PeerId, Time, error::Fatal},
    wire::{BLOCKS, Body, Request},
};

/// Blocks from the lowest missing one up that may be fetched or wait for it.
pub(super) const WINDOW: Height = 1_024;

/// Questions for blocks that may be open with one peer.
pub(super) const PER_PEER: usize = 4;

/// Bytes that an answer should have, as far as can be told beforehand.
const ANSWER: usize = 512 << 10;

/// Bytes that may be on their way, as far as can be told beforehand.
const FLYING: usize = 32 << 20;

/// Milliseconds that the lowest missing block may take, at first and at most.
const STALL: u64 = 2_000;
const LONGEST_STALL: u64 = 64_000;

/// Blocks that came in the meantime, from which on the peer that holds up the others is dropped.
const HELD_UP: usize = 16;

/// Blocks whose senders are remembered; more than wait to be executed, unless branches are left beside ours.
pub(super) const ORIGINS: usize = 8_192;

/// Milliseconds in which a peer that failed is not asked for blocks.
const PAUSE: u64 = 5_000;

/// Milliseconds between two times at which all peers are asked where they stand. An attacker that announces a header and
/// disconnects must not keep a node from its block for longer than this.
const ASK_ALL: u64 = 5_000;

/// Milliseconds after which a peer that lacked a block is asked for it again: at first, and at most after many times.
pub(super) const LACKING: u64 = 1_000;
const LONGEST_LACKING: u64 = 32_000;

/// A missing block. The hash is part of the key: blocks of several branches may be missing at one height, and a false body
/// of one must not hide the other.
pub(super) type Key = (Height, BlockHash);

/// What is fetched.
#[derive(Debug)]
pub(super) struct Bodies {
    /// Where to.
    goal: BlockHash,
    /// Lowest height of the goal's branch that was not looked at yet.
    next: Height,
    /// Missing blocks of the goal's branch that nobody was asked for.
    free: BTreeSet<Key>,
    /// Missing blocks that are asked for, and of whom.
    flying: BTreeMap<Key, PeerId>,
    /// The lowest block in flight, and since when it is.
    head: Option<(Key, Time)>,
    /// Blocks that came since.
    overtook: usize,
    patience: u64,
    /// Bytes of a block, as seen lately.
    average: usize,
    /// When a block last came.
    pub(super) came: Time,
    /// When peers were last asked where they stand because nobody is known to have the lowest missing block.
    asked_all: Time,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            goal: BlockHash::default(),
            next: 0,
            free: BTreeSet::new(),
            flying: BTreeMap::new(),
            head: None,
            overtook: 0,
            patience: STALL,
            average: 16 << 10,
            came: Time(0),
            asked_all: Time(0),
        }
    }
}

impl Bodies {
    fn lowest(&self) -> Option<Height> {
        let flying = self.flying.first_key_value().map(|((height, _), _)| *height);
        let free = self.free.first().map(|(height, _)| *height);
        flying.into_iter().chain(free).min()
    }

    /// Notes that a peer is asked for a block by other ways; answers `false` if somebody is asked for it already.
    pub(super) fn reserve(&mut self, key: Key, peer: PeerId) -> bool {
        let new = !self.flying.contains_key(&key);
        if new {
            self.free.remove(&key);
            self.flying.insert(key, peer);
        }
        new
    }

    /// A block is on its way from another peer than before.
    pub(super) fn hand_over(&mut self, key: Key, from: PeerId, to: PeerId) {
        if let Some(peer) = self.flying.get_mut(&key).filter(|peer| **peer == from) {
            *peer = to;
        }
    }

    /// A block no longer is on its way from this peer; answers whether it was.
    fn land(&mut self, key: &Key, peer: PeerId) -> bool {
        let flew = self.flying.get(key) == Some(&peer);
        if flew {
            self.flying.remove(key);
        }
        flew
    }

    /// A block is here, whoever sent it and whoever else was asked for it.
    pub(super) fn arrived(&mut self, key: &Key) {
        self.flying.remove(key);
        self.free.remove(key);
        if self.head.is_some_and(|(head, _)| head == *key) {
            self.patience = (self.patience * 7 / 8).max(STALL);
        }
    }

    /// Blocks that are asked for or missing.
    pub(super) fn len(&self) -> usize {
        self.flying.len() + self.free.len()
    }

    /// Whether anything is asked for or missing.
    pub(super) fn is_busy(&self) -> bool {
        !self.flying.is_empty() || !self.free.is_empty()
    }

    /// When the lowest missing block is overdue.
    pub(super) fn wake_at(&self) -> Option<Time> {
        let (head, since) = self.head?;
        self.flying.contains_key(&head).then(|| since.after(self.patience))
    }

    fn learn(&mut self, bytes: usize) {
        self.average = (self.average * 15 + bytes) / 16;
    }

    /// Blocks to ask for at once.
    fn run(&self) -> usize {
        (ANSWER / self.average.max(1)).clamp(1, BLOCKS)
    }
}

impl Engine {
    /// Asks for blocks that are missing on the way to the goal.
    pub(super) fn fetch_bodies(&mut self) {
        let goal = self.goal();
        let missing = self.work_of(&goal) > self.work_of(&self.tree.candidate());
        if !missing && !self.relay.bodies.is_busy() {
            self.relay.withheld.forget_missing();
            return;
        }
        self.aim(goal);
        if missing {
            self.look_ahead(goal);
        }
        self.assign(goal);
        self.look_for_source(goal);
        self.note_head();
        self.note_missing(goal);
    }

    /// The lowest block on the way to the goal that is asked for or missing.
    pub(super) fn lowest_missing(&self, goal: BlockHash) -> Option<BlockHash> {
        let bodies = &self.relay.bodies;
        let flying = bodies.flying.keys().find(|(_, hash)| self.tree.is_ancestor(hash, &goal));
        flying.into_iter().chain(bodies.free.first()).min().map(|(_, hash)| *hash)
    }

    /// Turns to another goal if it changed.
    fn aim(&mut self, goal: BlockHash) {
        let before = self.relay.bodies.goal;
        if before == goal {
            return;
        }
        let bodies = &mut self.relay.bodies;
        bodies.goal = goal;
        if !self.tree.is_ancestor(&before, &goal) {
            bodies.free.clear();
            let fork = self.tree.fork_point(&self.store.tip().hash, &goal).and_then(|fork| self.tree.get(&fork));
            bodies.next = fork.map_or(1, |fork| fork.height + 1);
        }
    }

    /// Moves the window up.
    fn look_ahead(&mut self, goal: BlockHash) {
        let tip = self.store.tip();
        let Some(top) = self.tree.get(&goal).map(|info| info.height) else { return };
        // Blocks that wait to be executed wait in memory or on disk; a branch beside ours is executed only once it is better.
        let ahead = if self.tree.is_ancestor(&tip.hash, &goal) { tip.height + 2 * WINDOW } else { Height::MAX };
        let bodies = &mut self.relay.bodies;
        loop {
            let low = bodies.lowest().unwrap_or(bodies.next);
            if bodies.next > top || bodies.next >= low.saturating_add(WINDOW) || bodies.next > ahead {
                break;
            }
            let height = bodies.next;
            bodies.next += 1;
            let Some(hash) = self.tree.ancestor(&goal, height) else { break };
            let missing = self.tree.get(&hash).is_some_and(|info| info.status == Status::HeaderOnly);
            if missing && !bodies.flying.contains_key(&(height, hash)) {
                bodies.free.insert((height, hash));
            }
        }
    }

    /// Hands the missing blocks out.
    fn assign(&mut self, goal: BlockHash) {
        while !self.relay.bodies.free.is_empty() {
            let bodies = &self.relay.bodies;
            if bodies.flying.len() * bodies.average >= FLYING {
                break;
            }
            let Some((id, run)) = self.next_run(goal) else { break };
            run.iter().for_each(|key| _ = self.relay.bodies.reserve(*key, id));
            let hashes: Vec<BlockHash> = run.into_iter().map(|(_, hash)| hash).collect();
            if let Some(peer) = self.relay.peers.get_mut(&id) {
                peer.asked_blocks += 1;
            }
            self.ask_peer(id, Question::Blocks(hashes.clone()), Request::Blocks(hashes));
        }
    }

    /// The least busy peer that has any of the blocks that are free, and the lowest of those that it has. Who failed lately
    /// comes last.
    fn next_run(&self, goal: BlockHash) -> Option<(PeerId, Vec<Key>)> {
        let bodies = &self.relay.bodies;
        let able = self.relay.peers.iter().filter(|(_, peer)| {
            peer.asked_blocks < PER_PEER && peer.blocks_after <= self.steady && peer.claim.is_some()
        });
        let mut able: Vec<_> = able.map(|(id, peer)| (peer.failed_blocks, peer.asked_blocks, *id)).collect();
        able.sort_unstable();
        able.into_iter().find_map(|(.., id)| {
            let (oldest, top) = self.kept_by(id, goal).filter(|(oldest, top)| oldest <= top)?;
            let kept = (oldest, BlockHash::default())..=(top, BlockHash([0xff; 32]));
            let run: Vec<Key> = bodies.free.range(kept).take(bodies.run()).copied().collect();
            (!run.is_empty()).then_some((id, run))
        })
    }

    /// From where up to where a peer has the blocks of a branch, as far as is known.
    pub(super) fn kept_by(&self, id: PeerId, goal: BlockHash) -> Option<(Height, Height)> {
        let oldest = self.relay.peers.get(&id)?.claim.map_or(0, |claim| claim.oldest);
        Some((oldest, self.common_height(id, goal)?))
    }

    /// Whether a peer has the block at a height of a branch, as far as is known.
    pub(super) fn keeps(&self, id: PeerId, goal: BlockHash, height: Height) -> bool {
        self.kept_by(id, goal).is_some_and(|(oldest, top)| (oldest..=top).contains(&height))
    }

    /// Up to where a peer has the blocks of a branch, as far as is known.
    fn common_height(&self, id: PeerId, goal: BlockHash) -> Option<Height> {
        let peer = self.relay.peers.get(&id)?;
        // The best block that it knows may be on another branch than the one where it stands.
        let stands = peer.claim.filter(|claim| claim.found).map(|claim| claim.hash);
        let known = peer.best.into_iter().chain(stands);
        known
            .filter_map(|hash| self.tree.fork_point(&hash, &goal))
            .filter_map(|fork| self.tree.get(&fork).map(|fork| fork.height))
            .max()
    }

    /// Keeps an eye on the lowest missing block.
    fn note_head(&mut self) {
        let now = self.steady;
        let bodies = &mut self.relay.bodies;
        let head = bodies.flying.first_key_value().map(|(key, _)| *key);
        if head != bodies.head.map(|(key, _)| key) {
            bodies.head = head.map(|key| (key, now));
            bodies.overtook = 0;
        }
    }

    /// Blocks came.
    pub(super) fn on_blocks_answer(&mut self, id: PeerId, asked: Vec<BlockHash>, came: Vec<Body>) -> Result<(), Fatal> {
        self.block_question_ended(id);
        if came.is_empty() || came.len() > asked.len() {
            self.penalize(id, Offence::WrongAnswer("blocks"));
            self.free_flights(id, &asked, Some(PAUSE));
            return Ok(());
        }
        let mut good = 0;
        let mut blocks = Vec::with_capacity(came.len());
        for (body, hash) in came.into_iter().zip(&asked) {
            match body.into_decoded() {
                Ok((block, bytes)) if block.hash() == *hash => blocks.push((block, bytes)),
                Ok(_) => break,
                Err(error) => {
                    self.penalize(id, Offence::Malformed(error));
                    break;
                }
            }
            good += 1;
        }
        if good == 0 {
            self.penalize(id, Offence::WrongAnswer("blocks"));
        }
        let pause = (good == 0).then_some(PAUSE);
        self.free_flights(id, &asked[good..], pause);
        if self.relay.origins.len() >= ORIGINS {
            self.relay.origins.clear();
        }
        let missing = |hash: &BlockHash| self.tree.get(hash).is_some_and(|info| info.status == Status::HeaderOnly);
        let hashes = blocks.iter().map(|(block, _)| block.hash());
        self.relay.origins.extend(hashes.filter(missing).map(|hash| (hash, id)));
        let sizes: Vec<usize> = blocks.iter().map(|(_, bytes)| bytes.len()).collect();
        let refused = self.take_downloaded(blocks)?;
        // What a block says of its sender counts only now: a body under an honest header may be anybody's.
        if refused.len() < good {
            self.note_delivery(id, &sizes);
        }
        self.free_flights(id, &asked[..good], (!refused.is_empty()).then_some(PAUSE));
        for (hash, rule) in refused {
            self.relay.origins.remove(&hash);
            self.penalize(id, Offence::InvalidBlock(rule));
        }
        Ok(())
    }

    /// Takes blocks in, and those held that waited for them.
    pub(super) fn take_downloaded(
        &mut self,
        blocks: Vec<(HashedBlock, Bytes)>,
    ) -> Result<Vec<(BlockHash, RuleError)>, Fatal> {
        let hashes: Vec<BlockHash> = blocks.iter().map(|(block, _)| block.hash()).collect();
        let refused = self.take_bodies(blocks)?;
        hashes.into_iter().try_for_each(|hash| self.take_children(hash))?;
        Ok(refused)
    }

    /// A peer delivered what it was asked for.
    fn note_delivery(&mut self, id: PeerId, sizes: &[usize]) {
        if let Some(peer) = self.relay.peers.get_mut(&id) {
            peer.lacking = LACKING;
            peer.failed_blocks = 0;
        }
        self.relay.bodies.came = self.steady;
        self.relay.bodies.overtook += sizes.len();
        sizes.iter().for_each(|bytes| self.relay.bodies.learn(*bytes));
    }

    /// Blocks did not come: the peer does not have them, or did not answer in time.
    pub(super) fn on_no_blocks(&mut self, id: PeerId, asked: &[BlockHash], lacks: bool) {
        self.block_question_ended(id);
        if self.relay.repair.is_of(asked) {
            // Says nothing about the blocks that it stands on: another is asked next.
            self.relay.repair.failed(asked);
            return;
        }
        let claim = self.relay.peers.get(&id).and_then(|peer| peer.claim).filter(|claim| claim.found);
        // It lacks what it says to stand on, or did not answer.
        let strange = claim.is_some_and(|claim| asked.iter().any(|hash| self.tree.is_ancestor(hash, &claim.hash)));
        self.free_flights(id, asked, (!lacks || strange).then_some(PAUSE));
        let (Some(first), true) = (asked.first(), lacks) else { return };
        let parent = self.tree.get(first).map(|info| info.header.prev);
        if let Some(peer) = self.relay.peers.get_mut(&id) {
            // Until it has them, it has what is below them.
            peer.lacks = peer.best.map(|best| (best, self.steady.after(peer.lacking)));
            peer.best = parent;
            peer.lacking = (peer.lacking * 2).min(LONGEST_LACKING);
        }
    }

    fn block_question_ended(&mut self, id: PeerId) {
        if let Some(peer) = self.relay.peers.get_mut(&id) {
            peer.asked_blocks = peer.asked_blocks.saturating_sub(1);
        }
    }

    /// Blocks may be asked of another peer.
    pub(super) fn free_flights(&mut self, id: PeerId, hashes: &[BlockHash], pause: Option<u64>) {
        let bodies = &mut self.relay.bodies;
        for hash in hashes {
            let Some(info) = self.tree.get(hash) else { continue };
            let key = (info.height, *hash);
            if bodies.land(&key, id) && info.status == Status::HeaderOnly && self.tree.is_ancestor(hash, &bodies.goal) {
                bodies.free.insert(key);
            }
        }
        if let (Some(pause), Some(peer)) = (pause, self.relay.peers.get_mut(&id)) {
            peer.blocks_after = self.steady.after(pause);
            peer.failed_blocks = peer.failed_blocks.saturating_add(1);
        }
    }

    /// Asks another peer for the lowest missing block if it is overdue, and drops whoever holds up a window.
    pub(super) fn tick_bodies(&mut self) -> Result<(), Fatal> {
        let bodies = &self.relay.bodies;
        let (Some((head, since)), goal) = (bodies.head, bodies.goal) else { return Ok(()) };
        let Some(slow) = bodies.flying.get(&head).copied() else { return Ok(()) };
        if since.after(bodies.patience) > self.steady {
            return Ok(());
        }
        let ids: Vec<PeerId> = self.relay.peers.keys().copied().filter(|id| *id != slow).collect();
        let others = ids.into_iter().any(|id| self.keeps(id, goal, head.0));
        self.relay.bodies.head = Some((head, self.steady));
        if !others {
            return Ok(());
        }
        let held_up = self.relay.bodies.overtook >= HELD_UP;
        self.relay.bodies.patience = (self.relay.bodies.patience * 2).min(LONGEST_STALL);
        if held_up {
            self.penalize(slow, Offence::Stalled);
            return self.disconnect(slow, "stalls");
        }
        let flights = self.relay.bodies.flying.iter().filter(|(_, peer)| **peer == slow).map(|((_, hash), _)| *hash);
        let flights: Vec<BlockHash> = flights.collect();
        self.free_flights(slow, &flights, Some(PAUSE));
        Ok(())
    }

    /// If nobody is known to have the lowest missing block, or it is late, the others are asked where they stand: the peer that
    /// gossiped it may be gone or keep it back, and gossip names only the first that sent a block.
    fn look_for_source(&mut self, goal: BlockHash) {
        let lowest = self.lowest_missing(goal).and_then(|hash| self.tree.get(&hash));
        let Some(lowest) = lowest.map(|info| info.height) else { return };
        if self.steady.since(self.relay.bodies.asked_all) < ASK_ALL {
            return;
        }
        let has = |id: &PeerId| self.keeps(*id, goal, lowest);
        let (have, lack): (Vec<PeerId>, Vec<PeerId>) = self.relay.peers.keys().copied().partition(has);
        if !have.is_empty() && !self.relay.withheld.is_late(self.steady) {
            return;
        }
        self.relay.bodies.asked_all = self.steady;
        for id in lack {
            if self.relay.peers.get(&id).is_some_and(|peer| peer.claim.is_some()) {
                self.ask_status(id);
            }
        }
    }
}
