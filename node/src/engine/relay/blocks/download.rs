//! Downloading the blocks on the way to the best header, from many peers at once.
//!
//! A window moves up the best branch. Its missing blocks are asked for in runs, lowest first, of peers that have them and are
//! least busy. If the lowest one does not come, it is asked of another peer; a peer that so holds up a window is disconnected.

use chain_core::{hash::BlockHash, headers::Status, units::Height};
use std::collections::{BTreeMap, BTreeSet};

use super::goal::Withheld;
use crate::{
    engine::{
        Chain, Offence, Outbox, PeerId, Time,
        relay::peers::{Peer, Peers, Question},
    },
    wire::{BLOCKS, Request},
};

/// Blocks from the lowest missing one up that may be fetched or wait for it.
pub(in crate::engine::relay) const WINDOW: Height = 1_024;

/// Requests for blocks that may be open with one peer.
pub(in crate::engine::relay) const PER_PEER: usize = 4;

/// Bytes that a response should have, as far as can be estimated.
const ANSWER: usize = 512 << 10;

/// Bytes that may be in flight, as far as can be estimated.
const FLYING: usize = 32 << 20;

/// Milliseconds beyond the way there and back in which what a peer is asked for should come: else it is asked for less at a time.
const SOON: u64 = 1_000;

/// Bytes in a millisecond that even a slow peer sends: 2 Mbit/s.
const SLOW: usize = 256;

/// Milliseconds that the lowest missing block may take besides its way and its bytes, at first and at most.
const STALL: u64 = 2_000;
const LONGEST_STALL: u64 = 64_000;

/// Blocks that came in the meantime, from which on a stalling peer is disconnected.
const HELD_UP: usize = 16;

/// Milliseconds in which a peer that failed is not asked for blocks.
pub(super) const PAUSE: u64 = 5_000;

/// Milliseconds between two times at which all peers are asked where they stand. An attacker that announces a header and
/// disconnects must not keep a node from its block for longer than this.
const ASK_ALL: u64 = 5_000;

/// A missing block. The hash is part of the key: blocks of several branches may be missing at one height, and a false body
/// of one must not hide the other.
pub(super) type Key = (Height, BlockHash);

/// What is asked of one peer.
#[derive(Clone, Copy, Debug)]
struct Source {
    /// Requests that are open.
    asked: usize,
    /// Blocks that it may be asked for at a time: twice as many each time that they come soon.
    room: usize,
    /// Whether it delivered blocks since it last held up the window.
    delivers: bool,
    /// Requests that failed since it last delivered a block.
    failed: u32,
    /// It is not asked before this time.
    after: Time,
}

impl Default for Source {
    fn default() -> Self {
        Self { asked: 0, room: 1, delivers: false, failed: 0, after: Time(0) }
    }
}

impl Source {
    fn may_be_asked(&self, now: Time) -> bool {
        self.asked < self.room.min(PER_PEER) && self.after <= now
    }

    /// It holds up the window; returns whether it delivered blocks since it last did.
    fn hold_up(&mut self) -> bool {
        self.room = 1;
        std::mem::take(&mut self.delivers)
    }

    /// It delivered, so many milliseconds later than the way there and back needs.
    fn delivered(&mut self, late: u64) {
        self.failed = 0;
        self.delivers = true;
        self.room = if late <= SOON { (self.room * 2).min(PER_PEER * BLOCKS) } else { (self.room / 2).max(1) };
    }
}

/// What is fetched.
#[derive(Debug)]
pub(in crate::engine::relay) struct Download {
    /// Where to.
    goal: BlockHash,
    withheld: Withheld,
    sources: BTreeMap<PeerId, Source>,
    /// Lowest height of the goal's branch that was not looked at yet.
    next: Height,
    /// Missing blocks of the goal's branch that no peer was asked for.
    free: BTreeSet<Key>,
    /// Missing blocks in flight, and from whom.
    flying: BTreeMap<Key, PeerId>,
    /// The lowest block in flight, from whom, and since when it is.
    head: Option<(Key, PeerId, Time)>,
    /// Blocks that came since.
    overtook: usize,
    patience: u64,
    /// Bytes of a block, as seen lately.
    average: usize,
    /// When a block last came.
    came: Time,
    /// When peers were last asked where they stand because no peer is known to have the lowest missing block.
    asked_all: Time,
}

impl Default for Download {
    fn default() -> Self {
        Self {
            goal: BlockHash::default(),
            withheld: Withheld::default(),
            sources: BTreeMap::new(),
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

impl Download {
    pub(super) fn connect(&mut self, id: PeerId) {
        self.sources.insert(id, Source::default());
    }

    pub(super) fn disconnect(&mut self, id: PeerId) {
        self.sources.remove(&id);
    }

    /// Notes that a peer is asked for parts of a block; returns `false` if the block is in flight already.
    pub(super) fn reserve(&mut self, key: Key, peer: PeerId) -> bool {
        let new = !self.flying.contains_key(&key);
        if new {
            self.free.remove(&key);
            self.flying.insert(key, peer);
        }
        new
    }

    /// A block is in flight from another peer than before.
    pub(super) fn hand_over(&mut self, key: Key, from: PeerId, to: PeerId) {
        if let Some(peer) = self.flying.get_mut(&key).filter(|peer| **peer == from) {
            *peer = to;
        }
    }

    /// A block is no longer in flight from this peer; returns whether it was.
    fn land(&mut self, key: &Key, peer: PeerId) -> bool {
        let flew = self.flying.get(key) == Some(&peer);
        if flew {
            self.flying.remove(key);
        }
        flew
    }

    /// A block is here, whichever peer sent it or was asked for it.
    pub(super) fn arrived(&mut self, key: &Key) {
        self.flying.remove(key);
        self.free.remove(key);
        if self.head.is_some_and(|(head, ..)| head == *key) {
            self.patience = (self.patience * 7 / 8).max(STALL);
        }
    }

    /// Blocks that are asked for or missing.
    pub(super) fn len(&self) -> usize {
        self.flying.len() + self.free.len()
    }

    /// When a block last came.
    pub(super) fn came(&self) -> Time {
        self.came
    }

    /// When the lowest block in flight is overdue, or, if there are peers to ask, the lowest missing one is late.
    pub(super) fn wake_at(&self, peers: &Peers, now: Time) -> Option<Time> {
        let overdue = self.overdue(peers).map(|(at, ..)| at);
        overdue.into_iter().chain(self.withheld.wake_at(now).filter(|_| !peers.is_empty())).min()
    }

    /// When the lowest block in flight is overdue, which it is, and whose.
    fn overdue(&self, peers: &Peers) -> Option<(Time, Key, PeerId)> {
        let (head, slow, since) = self.head.filter(|(head, from, _)| self.flying.get(head) == Some(from))?;
        let bytes = (self.average / SLOW) as u64;
        Some((since.after(self.patience + peers.round_trip(slow) + bytes), head, slow))
    }

    /// Whether a block on the way to this one does not come.
    pub(in crate::engine::relay) fn is_withheld(&self, hash: &BlockHash, chain: &Chain, now: Time) -> bool {
        self.withheld.is_withheld(hash, chain, now)
    }

    /// Asks for blocks that are missing on the way to the goal.
    pub(in crate::engine::relay) fn fetch(&mut self, peers: &mut Peers, chain: &Chain, out: &mut Outbox) {
        let goal = self.withheld.goal(peers, chain, out.steady());
        let missing = chain.work_of(&goal) > chain.work_of(&chain.tree().candidate());
        if !missing && self.len() == 0 {
            self.withheld.forget_missing();
            return;
        }
        self.aim(goal, chain);
        if missing {
            self.look_ahead(goal, chain);
        }
        self.assign(goal, peers, chain, out);
        self.look_for_source(goal, peers, chain, out);
        self.note_head(out.steady());
        self.withheld.note_missing(self.lowest_missing(goal, chain), out.steady());
    }

    /// The lowest block on the way to the goal that is asked for or missing.
    pub(super) fn lowest_missing(&self, goal: BlockHash, chain: &Chain) -> Option<BlockHash> {
        let flying = self.flying.keys().find(|(_, hash)| chain.tree().is_ancestor(hash, &goal));
        flying.into_iter().chain(self.free.first()).min().map(|(_, hash)| *hash)
    }

    /// Turns to another goal if it changed.
    fn aim(&mut self, goal: BlockHash, chain: &Chain) {
        let before = std::mem::replace(&mut self.goal, goal);
        if before != goal && !chain.tree().is_ancestor(&before, &goal) {
            self.free.clear();
            let fork = chain.tree().fork_point(&chain.store().tip().hash, &goal);
            self.next = fork.and_then(|fork| chain.tree().get(&fork)).map_or(1, |fork| fork.height + 1);
        }
    }

    /// Moves the window up.
    fn look_ahead(&mut self, goal: BlockHash, chain: &Chain) {
        let (tree, tip) = (chain.tree(), chain.store().tip());
        let Some(top) = tree.get(&goal).map(|info| info.height) else { return };
        // Blocks that wait to be connected wait in memory or on disk; a branch beside ours is connected only once it is better.
        let ahead = if tree.is_ancestor(&tip.hash, &goal) { tip.height + 2 * WINDOW } else { Height::MAX };
        loop {
            let low = self.lowest().unwrap_or(self.next);
            if self.next > top || self.next >= low.saturating_add(WINDOW) || self.next > ahead {
                break;
            }
            let height = self.next;
            self.next += 1;
            let Some(hash) = tree.ancestor(&goal, height) else { break };
            let missing = tree.get(&hash).is_some_and(|info| info.status == Status::HeaderOnly);
            if missing && !self.flying.contains_key(&(height, hash)) {
                self.free.insert((height, hash));
            }
        }
    }

    fn lowest(&self) -> Option<Height> {
        let flying = self.flying.first_key_value().map(|((height, _), _)| *height);
        flying.into_iter().chain(self.free.first().map(|(height, _)| *height)).min()
    }

    /// Hands the missing blocks out.
    fn assign(&mut self, goal: BlockHash, peers: &mut Peers, chain: &Chain, out: &mut Outbox) {
        while !self.free.is_empty() && self.flying.len() * self.average < FLYING {
            let Some((id, run)) = self.next_run(goal, peers, chain, out.steady()) else { break };
            run.iter().for_each(|key| _ = self.reserve(*key, id));
            self.ask(id, run.into_iter().map(|(_, hash)| hash).collect(), peers, out);
        }
    }

    /// Asks a peer for blocks.
    pub(super) fn ask(&mut self, id: PeerId, hashes: Vec<BlockHash>, peers: &mut Peers, out: &mut Outbox) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.asked += 1;
        }
        peers.ask(id, Question::Blocks(hashes.clone()), Request::Blocks(hashes), out);
    }

    /// Whether a peer may be asked for more.
    pub(super) fn has_room(&self, id: PeerId) -> bool {
        self.sources.get(&id).is_some_and(|source| source.asked < PER_PEER)
    }

    /// The least busy peer that has any of the blocks that are free, and the lowest of those that it has. Those that this node chose
    /// come first, and peers that failed lately last.
    fn next_run(&self, goal: BlockHash, peers: &Peers, chain: &Chain, now: Time) -> Option<(PeerId, Vec<Key>)> {
        let able = self.sources.iter().filter(|(id, source)| source.may_be_asked(now) && peers.is_met(**id));
        let chosen = |id: PeerId| peers.get(id).is_some_and(Peer::chosen);
        let order = |(id, source): (&PeerId, &Source)| (source.failed, !chosen(*id), source.asked, *id, source.room);
        let mut able: Vec<_> = able.map(order).collect();
        able.sort_unstable();
        let most = (ANSWER / self.average.max(1)).clamp(1, BLOCKS);
        able.into_iter().find_map(|(.., id, room)| {
            let (oldest, top) = peers.kept_by(id, goal, chain).filter(|(oldest, top)| oldest <= top)?;
            let kept = (oldest, BlockHash::default())..=(top, BlockHash([0xff; 32]));
            let run: Vec<Key> = self.free.range(kept).take(most.min(room.div_ceil(PER_PEER))).copied().collect();
            (!run.is_empty()).then_some((id, run))
        })
    }

    /// Notes which block in flight is the lowest, from whom, and since when: the next peer that is asked for it has its own time.
    fn note_head(&mut self, now: Time) {
        let head = self.flying.first_key_value().map(|(key, from)| (*key, *from));
        if head != self.head.map(|(key, from, _)| (key, from)) {
            self.head = head.map(|(key, from)| (key, from, now));
            self.overtook = 0;
        }
    }

    /// If no peer is known to have the lowest missing block, or it is late, the others are asked where they stand: the peer that
    /// gossiped it may be gone or keep it back, and gossip names only the first that sent a block.
    fn look_for_source(&mut self, goal: BlockHash, peers: &mut Peers, chain: &Chain, out: &mut Outbox) {
        let lowest = self.lowest_missing(goal, chain).and_then(|hash| chain.tree().get(&hash));
        let Some(lowest) = lowest.map(|info| info.height) else { return };
        let now = out.steady();
        if now.since(self.asked_all) < ASK_ALL {
            return;
        }
        let has = |id: &PeerId| peers.keeps(*id, goal, lowest, chain);
        let (have, lack): (Vec<PeerId>, Vec<PeerId>) = peers.iter().map(|(id, _)| id).partition(has);
        if !have.is_empty() && !self.withheld.is_late(now) {
            return;
        }
        self.asked_all = now;
        for id in lack {
            if peers.is_met(id) {
                peers.ask_status(id, chain, out);
            }
        }
    }

    /// A request for blocks was answered, or not.
    pub(super) fn request_ended(&mut self, id: PeerId) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.asked = source.asked.saturating_sub(1);
        }
    }

    /// A peer delivered what it was asked for, so many milliseconds later than its way needs: blocks of these sizes.
    pub(super) fn note_delivery(&mut self, id: PeerId, sizes: &[usize], late: u64, now: Time) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.delivered(late);
        }
        self.came = now;
        self.overtook += sizes.len();
        sizes.iter().for_each(|bytes| self.average = (self.average * 15 + bytes) / 16);
    }

    /// Blocks did not come: the peer does not have them, or did not answer in time.
    pub(super) fn on_no_blocks(
        &mut self,
        id: PeerId,
        asked: &[BlockHash],
        lacks: bool,
        peers: &mut Peers,
        chain: &Chain,
        now: Time,
    ) {
        let claim = peers.get(id).and_then(|peer| peer.claim()).filter(|claim| claim.found);
        // It lacks what it says to stand on, or did not answer.
        let strange = claim.is_some_and(|claim| asked.iter().any(|hash| chain.tree().is_ancestor(hash, &claim.hash)));
        self.release(id, asked, chain);
        // Otherwise it may have them soon; but those that deliver come first, or a dozen that never do would keep all blocks.
        self.pause(id, if !lacks || strange { PAUSE } else { 0 }, now);
        if let (Some(first), true) = (asked.first(), lacks) {
            peers.note_lacking(id, chain.tree().get(first).map(|info| info.header.prev), now);
        }
    }

    /// Blocks are no longer in flight from a peer: another may be asked for those that are missing.
    pub(super) fn release(&mut self, id: PeerId, hashes: &[BlockHash], chain: &Chain) {
        for hash in hashes {
            let Some(info) = chain.tree().get(hash) else { continue };
            let key = (info.height, *hash);
            if self.land(&key, id) && info.status == Status::HeaderOnly && chain.tree().is_ancestor(hash, &self.goal) {
                self.free.insert(key);
            }
        }
    }

    /// A peer failed: others come before it, and it is not asked for so many milliseconds.
    pub(super) fn pause(&mut self, id: PeerId, pause: u64, now: Time) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.after = source.after.max(now.after(pause));
            source.failed = source.failed.saturating_add(1);
        }
    }

    /// Asks another peer for the lowest block in flight if it is overdue; returns a peer that stalls the window, which is to be
    /// disconnected. One that this node chose and that delivered blocks is slow at most: it is asked for fewer.
    pub(super) fn tick(&mut self, peers: &Peers, chain: &Chain, out: &mut Outbox) -> Option<PeerId> {
        let now = out.steady();
        let (_, head, slow) = self.overdue(peers).filter(|(at, ..)| *at <= now)?;
        let others = peers.iter().any(|(id, _)| id != slow && peers.keeps(id, self.goal, head.0, chain));
        self.head = Some((head, slow, now));
        if !others {
            return None;
        }
        self.patience = (self.patience * 2).min(LONGEST_STALL);
        let delivers = self.sources.get_mut(&slow).is_some_and(Source::hold_up);
        let is_slow = delivers && peers.get(slow).is_some_and(Peer::chosen);
        if self.overtook >= HELD_UP && !is_slow {
            out.penalize(slow, Offence::Stalled);
            return Some(slow);
        }
        let flights = self.flying.iter().filter(|(_, peer)| **peer == slow).map(|((_, hash), _)| *hash);
        let flights: Vec<BlockHash> = flights.collect();
        self.release(slow, &flights, chain);
        self.pause(slow, PAUSE, now);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_failure_does_not_end_the_pause_for_the_first() {
        let (mut download, peer) = (Download::default(), PeerId(1));
        download.connect(peer);
        download.pause(peer, PAUSE, Time(0));
        download.pause(peer, 0, Time(1_000));
        assert!(!download.sources[&peer].may_be_asked(Time(PAUSE - 1)));
        assert!(download.sources[&peer].may_be_asked(Time(PAUSE)));
    }

    #[test]
    fn a_peer_is_asked_for_more_while_its_blocks_come_soon_and_for_one_when_it_holds_up() {
        let mut source = Source::default();
        (0..10).for_each(|_| source.delivered(SOON));
        assert_eq!(source.room, PER_PEER * BLOCKS);
        source.delivered(SOON + 1);
        assert_eq!(source.room, PER_PEER * BLOCKS / 2);
        assert!(source.hold_up() && source.room == 1, "it is slow at most");
        assert!(!source.hold_up(), "it delivered nothing since");
    }
}
