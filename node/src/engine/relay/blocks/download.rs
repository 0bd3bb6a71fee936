//! Downloading the blocks on the way to the best header, from many peers at once.
//!
//! A window moves up the best branch. Its missing blocks are asked for in runs, lowest first, of peers that have them and are
//! least busy. If the lowest one does not come, it is asked of another peer, and sooner if blocks above wait for it. Slow peers
//! are not penalized: they are asked last.

use chain_core::{hash::BlockHash, headers::Status, units::Height};
use std::collections::{BTreeMap, BTreeSet};

use super::{
    budget::Budget,
    goal::Withheld,
    source::{Key, PAUSE, PER_PEER, Source},
};
use crate::{
    engine::{
        Chain, Outbox, PeerId, Time,
        relay::peers::{Peer, Peers, Question},
    },
    wire::{BLOCKS, Request},
};

/// Blocks from the lowest missing one up that may be fetched or wait for it.
pub(in crate::engine::relay) const WINDOW: Height = 1_024;

/// Bytes that a response should have, as far as can be estimated.
const ANSWER: usize = 512 << 10;

/// Bytes that any peer may be asked for at a time.
const LEAST: usize = 64 << 10;

/// Bytes in a millisecond that even a slow peer sends: 2 Mbit/s; and ten times that, from which on others are not kept waiting.
const SLOW: usize = 256;
const QUICK: usize = 10 * SLOW;

/// Milliseconds that the lowest missing block may take besides its way and its bytes, at first and at most.
const PATIENCE: u64 = 2_000;
const LONGEST_PATIENCE: u64 = 16_000;

/// Milliseconds that it may take if it holds up others, before it is asked of a second peer, and what its way counts at most then.
const HURRY: u64 = 500;
const LONGEST_WAY: u64 = 1_000;

/// Blocks above it that are here, from which on it does hold them up.
const HELD_UP: Height = 16;

/// Milliseconds until it is looked again who can help, if nobody can.
const LOOK: u64 = 500;

/// Peers that are tried at a time: an attacker has as many as it likes. Their blocks may be half of the bytes in flight.
const TRIALS: usize = 16;

/// Milliseconds between two times at which all peers are asked where they stand. An attacker that announces a header and
/// disconnects must not keep a node from its block for longer than this.
const ASK_ALL: u64 = 5_000;

/// A missing block that a peer was asked for.
#[derive(Clone, Copy, Debug)]
struct Flight {
    peer: PeerId,
    since: Time,
    /// Whether another peer was asked for it before.
    again: bool,
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
    /// Missing blocks in flight.
    flying: BTreeMap<Key, Flight>,
    patience: u64,
    /// When it last became longer.
    raised: Time,
    /// When it is looked again who can help.
    look: Time,
    /// Bytes of a block, as seen lately.
    average: usize,
    budget: Budget,
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
            patience: PATIENCE,
            raised: Time(0),
            look: Time(0),
            average: 16 << 10,
            budget: Budget::default(),
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
    pub(super) fn reserve(&mut self, key: Key, peer: PeerId, now: Time) -> bool {
        let new = !self.flying.contains_key(&key);
        if new {
            self.free.remove(&key);
            self.flying.insert(key, Flight { peer, since: now, again: false });
        }
        new
    }

    /// A block is in flight from another peer than before.
    pub(super) fn hand_over(&mut self, key: Key, from: PeerId, to: PeerId, now: Time) {
        if let Some(flight) = self.flying.get_mut(&key).filter(|flight| flight.peer == from) {
            *flight = Flight { peer: to, since: now, again: true };
        }
    }

    /// A block is no longer in flight from this peer; returns whether it was.
    fn land(&mut self, key: &Key, peer: PeerId) -> bool {
        let flew = self.flying.get(key).is_some_and(|flight| flight.peer == peer);
        if flew {
            self.flying.remove(key);
        }
        flew
    }

    /// A block is here, whichever peer sent it or was asked for it.
    pub(super) fn arrived(&mut self, key: &Key) {
        if self.flying.first_key_value().is_some_and(|(head, _)| head == key) {
            self.patience = (self.patience * 7 / 8).max(PATIENCE);
        }
        self.flying.remove(key);
        self.free.remove(key);
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
        let trials = self.sources.iter().filter_map(|(id, source)| self.fails_at(*id, source, peers));
        overdue.into_iter().chain(trials).chain(self.withheld.wake_at(now).filter(|_| !peers.is_empty())).min()
    }

    /// When the lowest block in flight is overdue, which it is, and how it flies. What counts is when the peer was asked, so that many
    /// who each keep a block back hold up the window once.
    fn overdue(&self, peers: &Peers) -> Option<(Time, Key, Flight)> {
        let (head, flight) = self.flying.first_key_value().map(|(key, flight)| (*key, *flight))?;
        let way = peers.round_trip(flight.peer);
        let patient = self.patience + way + self.milliseconds(SLOW);
        let wait = match self.holds_up(head, flight) {
            true => patient.min(HURRY + way.min(LONGEST_WAY) + self.milliseconds(QUICK)),
            false => patient,
        };
        Some((flight.since.after(wait).max(self.look), head, flight))
    }

    /// What a block takes at a speed.
    fn milliseconds(&self, speed: usize) -> u64 {
        (self.average / speed) as u64
    }

    /// When a peer that is tried has failed.
    fn fails_at(&self, id: PeerId, source: &Source, peers: &Peers) -> Option<Time> {
        let (_, since) = source.trial?;
        Some(since.after(PATIENCE + peers.round_trip(id) + self.milliseconds(SLOW)))
    }

    /// Whether blocks that are here wait for the lowest one in flight, and one peer alone was asked for it.
    fn holds_up(&self, (head, _): Key, flight: Flight) -> bool {
        let missing = Height::try_from(self.len()).unwrap_or(Height::MAX);
        !flight.again && self.next.saturating_sub(head).saturating_sub(missing) >= HELD_UP
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
        let now = out.steady();
        while !self.free.is_empty() {
            let full = self.flying.len() * self.average >= self.budget.bytes();
            let spare = if full { self.spare(goal, peers, chain, now) } else { None };
            if full && spare.is_none() {
                break;
            }
            let Some((id, run)) = self.next_run(spare, goal, peers, chain, now) else { break };
            run.iter().for_each(|key| _ = self.reserve(*key, id, now));
            if let Some(source) = self.sources.get_mut(&id).filter(|source| !source.is_trusted(chosen(id, peers))) {
                source.trial = run.first().map(|key| (*key, now));
            }
            self.ask(id, run.into_iter().map(|(_, hash)| hash).collect(), peers, out);
        }
    }

    /// Asks a peer for blocks.
    pub(super) fn ask(&mut self, id: PeerId, hashes: Vec<BlockHash>, peers: &mut Peers, out: &mut Outbox) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.ask(out.steady());
        }
        peers.ask(id, Question::Blocks(hashes.clone()), Request::Blocks(hashes), out);
    }

    /// Whether a peer may be asked for more.
    pub(super) fn has_room(&self, id: PeerId) -> bool {
        self.sources.get(&id).is_some_and(|source| source.asked < PER_PEER)
    }

    /// Blocks of a response, as far as can be estimated.
    fn most(&self) -> usize {
        (ANSWER / self.average.max(1)).clamp(1, BLOCKS)
    }

    /// Who may be asked even if no more may be in flight: the quickest peer, if nothing is asked of it or of one as quick. Slow
    /// ones could otherwise hold all that may be in flight, and blocks would never come in good time.
    fn spare(&self, goal: BlockHash, peers: &Peers, chain: &Chain, now: Time) -> Option<PeerId> {
        let lowest = self.free.first()?.0;
        let busy = self.sources.values().filter(|source| source.asked > 0).map(|source| source.takes(now)).min();
        let quicker = |source: &Source| source.asked == 0 && busy.is_none_or(|busy| source.takes(now) < busy);
        let able =
            self.sources.iter().filter(|(id, source)| quicker(source) && source.has_room(1, now) && peers.is_met(**id));
        let able = able.filter(|(id, _)| peers.keeps(**id, goal, lowest, chain));
        able.min_by_key(|(id, source)| (source.takes(now), **id)).map(|(id, _)| *id)
    }

    /// The peer that comes first, or the only one that may be asked, and has any of the blocks that are free; and the lowest of those
    /// that it has, or the highest if it is tried.
    fn next_run(
        &self,
        only: Option<PeerId>,
        goal: BlockHash,
        peers: &Peers,
        chain: &Chain,
        now: Time,
    ) -> Option<(PeerId, Vec<Key>)> {
        let tried = self.sources.values().filter(|source| source.trial.is_some()).count();
        let may_try = tried < TRIALS.min(self.budget.bytes() / 2 / self.average.max(1)).max(1);
        let least = (LEAST / self.average.max(1)).max(1);
        let able = self.sources.iter().filter(|(id, source)| source.has_room(least, now) && peers.is_met(**id));
        let able = able.filter(|(id, _)| only.is_none_or(|only| only == **id));
        let able = able.map(|(id, source)| {
            let chosen = chosen(*id, peers);
            (source.order(chosen, *id), *id, source.is_trusted(chosen), source)
        });
        let mut able: Vec<_> =
            able.filter(|(.., trusted, source)| *trusted || may_try && source.trial.is_none()).collect();
        able.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
        able.into_iter().find_map(|(_, id, trusted, source)| {
            let (oldest, top) = peers.kept_by(id, goal, chain).filter(|(oldest, top)| oldest <= top)?;
            let mut kept = self.free.range((oldest, BlockHash::default())..=(top, BlockHash([0xff; 32]))).copied();
            let run: Vec<Key> = match trusted {
                true => kept.take(source.run(least).min(self.most())).collect(),
                false => kept.next_back().into_iter().collect(),
            };
            (!run.is_empty()).then_some((id, run))
        })
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
    pub(super) fn request_ended(&mut self, id: PeerId, now: Time) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.ended(now);
        }
    }

    /// A peer delivered what it was asked for at a time: blocks of these sizes.
    pub(super) fn note_delivery(&mut self, id: PeerId, sizes: &[usize], asked: Time, peers: &Peers, now: Time) {
        let (way, chosen, most) = (peers.round_trip(id), chosen(id, peers), self.most());
        if let Some(source) = self.sources.get_mut(&id) {
            source.delivered(asked, way, chosen, most, now);
        }
        self.budget.delivered(sizes.iter().sum(), asked, now);
        self.came = now;
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
        if !lacks {
            self.budget.late(now);
        }
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
            source.pause(pause, now);
        }
    }

    /// Asks another peer for the lowest block in flight if it is overdue. Should the first deliver it yet, it is taken.
    pub(super) fn tick(&mut self, peers: &mut Peers, chain: &Chain, out: &mut Outbox) {
        let now = out.steady();
        self.end_trials(peers, chain, now);
        let Some((_, head, flight)) = self.overdue(peers).filter(|(at, ..)| *at <= now) else { return };
        let slow = flight.peer;
        if !chain.tree().is_ancestor(&head.1, &self.goal) {
            self.flying.remove(&head);
            return;
        }
        let Some(other) = self.helper(slow, head, peers, chain, now) else {
            self.look = now.after(LOOK);
            return;
        };
        if let Some(source) = self.sources.get_mut(&slow) {
            source.hold_up(now);
        }
        if !self.holds_up(head, flight) {
            self.pause(slow, PAUSE, now);
            // Those that were asked before it last became longer are late for the same reason.
            if flight.since >= self.raised {
                (self.patience, self.raised) = ((self.patience * 2).min(LONGEST_PATIENCE), now);
            }
        }
        let flights = self.flying.iter().filter(|(_, flight)| flight.peer == slow).map(|((_, hash), _)| *hash);
        let flights: Vec<BlockHash> = flights.collect();
        self.release(slow, &flights, chain);
        if self.free.remove(&head) {
            self.flying.insert(head, Flight { peer: other, since: now, again: true });
            self.ask(other, vec![head.1], peers, out);
        }
    }

    /// Peers that did not deliver the block that they were tried with come last.
    fn end_trials(&mut self, peers: &Peers, chain: &Chain, now: Time) {
        let failed = |(id, source): (&PeerId, &Source)| {
            self.fails_at(*id, source, peers).filter(|at| *at <= now).and(source.trial).map(|(key, _)| (*id, key.1))
        };
        let failed: Vec<(PeerId, BlockHash)> = self.sources.iter().filter_map(failed).collect();
        for (id, hash) in failed {
            if let Some(source) = self.sources.get_mut(&id) {
                source.trial = None;
                source.hold_up(now);
            }
            self.release(id, &[hash], chain);
        }
    }

    /// Who is asked for a block that another peer does not deliver: no new peer if there is one that delivered.
    fn helper(&self, slow: PeerId, (height, _): Key, peers: &Peers, chain: &Chain, now: Time) -> Option<PeerId> {
        let others = self.sources.iter().filter(|(id, _)| **id != slow && peers.is_met(**id));
        let others: Vec<_> = others.filter(|(id, _)| peers.keeps(**id, self.goal, height, chain)).collect();
        let any_proven = others.iter().any(|(_, source)| source.is_proven());
        let able = others.into_iter().filter(|(_, source)| source.may_help(now));
        let able = able.filter(|(id, source)| !any_proven || source.is_trusted(chosen(**id, peers)));
        able.min_by_key(|(id, source)| source.order(chosen(**id, peers), **id)).map(|(id, _)| *id)
    }
}

/// Whether this node chose a peer.
fn chosen(id: PeerId, peers: &Peers) -> bool {
    peers.get(id).is_some_and(Peer::chosen)
}
