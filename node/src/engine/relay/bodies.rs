//! Blocks on the way to the best header, fetched from many peers at once.
//!
//! A window moves up the best branch. Its missing blocks are asked for in runs, lowest first, of whoever has them and is
//! least busy. If the lowest one does not come, it is asked of another peer; a peer that so holds up a window is dropped.

use chain_core::{Bytes, check::HashedBlock, error::RuleError, hash::BlockHash, headers::Status, units::Height};
use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// Milliseconds after which a peer that lacked a block is asked for it again: at first, and at most after many times.
pub(super) const LACKING: u64 = 1_000;
const LONGEST_LACKING: u64 = 32_000;

/// A block that was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) height: Height,
    pub(super) peer: PeerId,
}

/// What is fetched.
#[derive(Debug)]
pub(super) struct Bodies {
    /// Where to.
    goal: BlockHash,
    /// Lowest height of the goal's branch that was not looked at yet.
    next: Height,
    /// Missing blocks that nobody was asked for.
    free: BTreeMap<Height, BlockHash>,
    flying: HashMap<BlockHash, Flight>,
    /// The same by height.
    heights: BTreeSet<(Height, BlockHash)>,
    /// The lowest missing block, and since when it is.
    head: Option<(BlockHash, Time)>,
    /// Blocks that came since.
    overtook: usize,
    patience: u64,
    /// Bytes of a block, as seen lately.
    average: usize,
    /// When a block last came.
    pub(super) came: Time,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            goal: BlockHash::default(),
            next: 0,
            free: BTreeMap::new(),
            flying: HashMap::new(),
            heights: BTreeSet::new(),
            head: None,
            overtook: 0,
            patience: STALL,
            average: 16 << 10,
            came: Time(0),
        }
    }
}

impl Bodies {
    fn lowest(&self) -> Option<Height> {
        let flying = self.heights.first().map(|(height, _)| *height);
        let free = self.free.first_key_value().map(|(height, _)| *height);
        flying.into_iter().chain(free).min()
    }

    fn take_off(&mut self, hash: BlockHash, flight: Flight) {
        self.heights.insert((flight.height, hash));
        self.flying.insert(hash, flight);
    }

    /// Notes that a block comes by other ways; answers `false` if it is asked for already.
    pub(super) fn reserve(&mut self, hash: BlockHash, flight: Flight) -> bool {
        let new = !self.flying.contains_key(&hash);
        if new {
            self.free.retain(|_, free| *free != hash);
            self.take_off(hash, flight);
        }
        new
    }

    /// A block no longer is on its way from this peer.
    pub(super) fn land(&mut self, hash: &BlockHash, peer: PeerId) -> Option<Flight> {
        let flight = *self.flying.get(hash).filter(|flight| flight.peer == peer)?;
        self.flying.remove(hash);
        self.heights.remove(&(flight.height, *hash));
        Some(flight)
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
        self.note_head();
        self.note_missing(goal);
    }

    /// The lowest block on the way to the goal that is asked for or missing.
    pub(super) fn lowest_missing(&self, goal: BlockHash) -> Option<BlockHash> {
        let bodies = &self.relay.bodies;
        let flying = bodies.heights.iter().find(|(_, hash)| self.tree.is_ancestor(hash, &goal)).copied();
        let free = bodies.free.first_key_value().map(|(height, hash)| (*height, *hash));
        flying.into_iter().chain(free).min().map(|(_, hash)| hash)
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
            if missing && !bodies.flying.contains_key(&hash) {
                bodies.free.insert(height, hash);
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
            let Some((id, hashes)) = self.next_run(goal) else { break };
            let bodies = &mut self.relay.bodies;
            for (height, hash) in &hashes {
                bodies.free.remove(height);
                bodies.take_off(*hash, Flight { height: *height, peer: id });
            }
            let hashes: Vec<BlockHash> = hashes.into_iter().map(|(_, hash)| hash).collect();
            if let Some(peer) = self.relay.peers.get_mut(&id) {
                peer.asked_blocks += 1;
            }
            self.ask_peer(id, Question::Blocks(hashes.clone()), Request::Blocks(hashes));
        }
    }

    /// The least busy peer that has any of the blocks that are free, and the lowest of those. Who failed lately comes last.
    fn next_run(&self, goal: BlockHash) -> Option<(PeerId, Vec<(Height, BlockHash)>)> {
        let bodies = &self.relay.bodies;
        let (lowest, _) = bodies.free.first_key_value()?;
        let able =
            self.relay.peers.iter().filter(|(_, peer)| {
                peer.asked_blocks < PER_PEER && peer.blocks_after <= self.now && peer.claim.is_some()
            });
        let mut able: Vec<_> = able.map(|(id, peer)| (peer.failed_blocks, peer.asked_blocks, *id)).collect();
        able.sort_unstable();
        able.into_iter().find_map(|(.., id)| {
            let top = self.common_height(id, goal).filter(|top| top >= lowest)?;
            let run = bodies.free.range(..=top).take(bodies.run());
            Some((id, run.map(|(height, hash)| (*height, *hash)).collect()))
        })
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
        let now = self.now;
        let bodies = &mut self.relay.bodies;
        let head = bodies.heights.first().map(|(_, hash)| *hash);
        if head != bodies.head.map(|(hash, _)| hash) {
            bodies.head = head.map(|hash| (hash, now));
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
        self.note_arrivals(id, blocks.iter().map(|(block, bytes)| (block.hash(), bytes.len())));
        let pause = (good == 0).then_some(PAUSE);
        self.free_flights(id, &asked[good..], pause);
        if self.relay.origins.len() >= ORIGINS {
            self.relay.origins.clear();
        }
        self.relay.origins.extend(blocks.iter().map(|(block, _)| (block.hash(), id)));
        for (hash, rule) in self.take_downloaded(blocks)? {
            self.on_bad_body(id, hash, rule);
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

    fn note_arrivals(&mut self, id: PeerId, blocks: impl Iterator<Item = (BlockHash, usize)>) {
        if let Some(peer) = self.relay.peers.get_mut(&id) {
            peer.lacking = LACKING;
            peer.failed_blocks = 0;
        }
        let bodies = &mut self.relay.bodies;
        bodies.came = self.now;
        for (hash, bytes) in blocks {
            bodies.learn(bytes);
            bodies.overtook += 1;
            // Whoever else was asked for it may still answer.
            let from = bodies.flying.get(&hash).map_or(id, |flight| flight.peer);
            bodies.land(&hash, from);
            if bodies.head.is_some_and(|(head, _)| head == hash) {
                bodies.patience = (bodies.patience * 7 / 8).max(STALL);
            }
        }
    }

    /// A body that was asked for by its hash breaks a rule alone.
    fn on_bad_body(&mut self, id: PeerId, hash: BlockHash, rule: RuleError) {
        self.penalize(id, Offence::InvalidBlock(rule));
        if let Some(info) = self.tree.get(&hash).filter(|info| info.status == Status::HeaderOnly) {
            self.relay.bodies.free.insert(info.height, hash);
        }
    }

    /// Blocks did not come: the peer does not have them, or did not answer in time.
    pub(super) fn on_no_blocks(&mut self, id: PeerId, asked: &[BlockHash], lacks: bool) {
        self.block_question_ended(id);
        let claim = self.relay.peers.get(&id).and_then(|peer| peer.claim).filter(|claim| claim.found);
        // It lacks what it says to stand on, or did not answer.
        let strange = claim.is_some_and(|claim| asked.iter().any(|hash| self.tree.is_ancestor(hash, &claim.hash)));
        self.free_flights(id, asked, (!lacks || strange).then_some(PAUSE));
        let (Some(first), true) = (asked.first(), lacks) else { return };
        let parent = self.tree.get(first).map(|info| info.header.prev);
        if let Some(peer) = self.relay.peers.get_mut(&id) {
            // Until it has them, it has what is below them.
            peer.lacks = peer.best.map(|best| (best, self.now.after(peer.lacking)));
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
            let Some(flight) = bodies.land(hash, id) else { continue };
            let missing = self.tree.get(hash).is_some_and(|info| info.status == Status::HeaderOnly);
            if missing && self.tree.is_ancestor(hash, &bodies.goal) {
                bodies.free.insert(flight.height, *hash);
            }
        }
        if let (Some(pause), Some(peer)) = (pause, self.relay.peers.get_mut(&id)) {
            peer.blocks_after = self.now.after(pause);
            peer.failed_blocks = peer.failed_blocks.saturating_add(1);
        }
    }

    /// Asks another peer for the lowest missing block if it is overdue, and drops whoever holds up a window.
    pub(super) fn tick_bodies(&mut self) -> Result<(), Fatal> {
        let bodies = &self.relay.bodies;
        let (Some((head, since)), goal) = (bodies.head, bodies.goal) else { return Ok(()) };
        let Some(Flight { height, peer: slow, .. }) = bodies.flying.get(&head).copied() else { return Ok(()) };
        if since.after(bodies.patience) > self.now {
            return Ok(());
        }
        let ids: Vec<PeerId> = self.relay.peers.keys().copied().filter(|id| *id != slow).collect();
        let others = ids.into_iter().any(|id| self.common_height(id, goal).is_some_and(|top| top >= height));
        self.relay.bodies.head = Some((head, self.now));
        if !others {
            return Ok(());
        }
        let held_up = self.relay.bodies.overtook >= HELD_UP;
        self.relay.bodies.patience = (self.relay.bodies.patience * 2).min(LONGEST_STALL);
        if held_up {
            self.penalize(slow, Offence::Stalled);
            return self.disconnect(slow, "stalls");
        }
        let flights: Vec<BlockHash> =
            self.relay.bodies.flying.iter().filter(|(_, flight)| flight.peer == slow).map(|(hash, _)| *hash).collect();
        self.free_flights(slow, &flights, Some(PAUSE));
        Ok(())
    }
}
