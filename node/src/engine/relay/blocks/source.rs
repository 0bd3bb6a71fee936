//! A peer that blocks are fetched from: how much it may be asked for at a time, and who comes first.
//!
//! A connection costs an attacker nothing, so that a hundred new ones could each hold the lowest missing blocks, give way to the
//! next hundred, and so keep them from everybody for ever. So a peer that came by itself is tried with the highest block of
//! the window first; once it delivered, it is proven.

use chain_core::{hash::BlockHash, units::Height};

use crate::{
    engine::{PeerId, Time},
    wire::BLOCKS,
};

/// Requests for blocks that may be open with one peer.
pub(in crate::engine::relay) const PER_PEER: usize = 4;

/// Milliseconds beyond the way there and back in which blocks come soon, or as many as that needs; after twice as many they are
/// late.
const SOON: u64 = 500;

/// What a peer counts as taking that did not deliver yet, in milliseconds: less than a slow one, more than a quick one.
const UNKNOWN: u64 = 8_000;

/// Milliseconds in which a peer that failed is not asked for blocks.
pub(super) const PAUSE: u64 = 5_000;

/// A missing block. The hash is part of the key: blocks of several branches may be missing at one height, and a false body
/// of one must not hide the other.
pub(super) type Key = (Height, BlockHash);

/// What is asked of one peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    /// Requests that are open.
    pub(super) asked: usize,
    /// When it was asked while none was open, or last answered or failed to.
    since: Time,
    /// Blocks that it may be asked for at a time.
    room: usize,
    /// When that last changed.
    changed: Time,
    /// Whether it delivered.
    proven: bool,
    /// The block that it is tried with, and since when.
    pub(super) trial: Option<(Key, Time)>,
    /// How often it failed or held up others since it last delivered; one more if that came late.
    failed: u32,
    /// Milliseconds that its last delivery took; the most there are if it failed since.
    took: u64,
    /// It is not asked before this time.
    after: Time,
}

impl Default for Source {
    fn default() -> Self {
        let start = Time(0);
        Self {
            asked: 0,
            since: start,
            room: 1,
            changed: start,
            proven: false,
            trial: None,
            failed: 0,
            took: UNKNOWN,
            after: start,
        }
    }
}

impl Source {
    /// Whether it may be asked for more; for so many blocks at a time in any case.
    pub(super) fn has_room(&self, least: usize, now: Time) -> bool {
        self.asked < self.room.max(least).min(PER_PEER) && self.after <= now
    }

    /// Whether it may be asked for a block that holds up all others, even if it has no room.
    pub(super) fn may_help(&self, now: Time) -> bool {
        self.asked <= PER_PEER && self.after <= now
    }

    /// Milliseconds that its last delivery took, as far as known; more if it has held back an answer for longer.
    pub(super) fn takes(&self, now: Time) -> u64 {
        if self.asked > 0 { self.took.max(now.since(self.since)) } else { self.took }
    }

    /// It is asked for blocks.
    pub(super) fn ask(&mut self, now: Time) {
        if self.asked == 0 {
            self.since = now;
        }
        self.asked += 1;
    }

    /// Blocks of its next request.
    pub(super) fn run(&self, least: usize) -> usize {
        self.room.max(least).div_ceil(PER_PEER)
    }

    /// Whether it may hold up others: the node chose it, or it delivered.
    pub(super) fn is_trusted(&self, chosen: bool) -> bool {
        chosen || self.proven
    }

    /// Whether it delivered on this connection.
    pub(super) fn is_proven(&self) -> bool {
        self.proven
    }

    /// Who is asked first is the least: those that delivered, of them those that did not fail, of these those that this node chose.
    pub(super) fn order(&self, chosen: bool, id: PeerId) -> impl Ord + use<> {
        (!self.proven, self.failed, !chosen, self.asked, id)
    }

    /// A request of it was answered, or will not be.
    pub(super) fn ended(&mut self, now: Time) {
        (self.asked, self.since, self.trial) = (self.asked.saturating_sub(1), now, None);
    }

    /// What it was asked for at a time came; the way there and back needs so many milliseconds. It is asked for twice as much at a
    /// time, at most for so many blocks in a request; for as much; or, if it was late, for half as much. One that this node chose comes
    /// first even so: those that come by themselves could otherwise be in time for once, and keep blocks back then.
    pub(super) fn delivered(&mut self, asked: Time, way: u64, chosen: bool, most: usize, now: Time) {
        self.took = now.since(asked);
        let (late, soon) = (self.took.saturating_sub(way), SOON.max(way));
        let is_late = late > 2 * soon;
        (self.proven, self.failed) = (true, u32::from(is_late && !chosen));
        // What was asked for before says nothing of the change.
        if asked >= self.changed {
            let room = match is_late {
                true => self.room / 2,
                false if late <= soon => self.room * 2,
                false => self.room,
            };
            (self.room, self.changed) = (room.clamp(1, PER_PEER * most.min(BLOCKS)), now);
        }
    }

    /// It holds up the blocks of others.
    pub(super) fn hold_up(&mut self, now: Time) {
        (self.room, self.changed) = (1, now);
        self.fail();
    }

    /// It failed: others come before it, and it is not asked for so many milliseconds.
    pub(super) fn pause(&mut self, pause: u64, now: Time) {
        self.after = self.after.max(now.after(pause));
        self.fail();
    }

    fn fail(&mut self) {
        (self.failed, self.took) = (self.failed.saturating_add(1), u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_failure_does_not_end_the_pause_for_the_first() {
        let mut source = Source::default();
        source.pause(PAUSE, Time(0));
        source.pause(0, Time(1_000));
        assert!(!source.has_room(1, Time(PAUSE - 1)) && !source.may_help(Time(PAUSE - 1)));
        assert!(source.has_room(1, Time(PAUSE)) && source.may_help(Time(PAUSE)));
    }

    #[test]
    fn a_peer_that_failed_is_the_slowest_until_it_delivers() {
        let mut source = Source::default();
        assert_eq!(source.takes(Time(0)), UNKNOWN);
        deliver(&mut source, 0, 5, 32);
        assert_eq!(source.takes(Time(9_000)), 15);
        source.hold_up(Time(20));
        assert_eq!(source.takes(Time(20)), u64::MAX);
        deliver(&mut source, 20, 0, 32);
        source.pause(PAUSE, Time(40));
        assert_eq!(source.takes(Time(40)), u64::MAX);
    }

    #[test]
    fn a_peer_that_keeps_a_request_open_takes_as_long_as_that() {
        let mut source = Source::default();
        deliver(&mut source, 0, 0, 32);
        [1_000, 1_500].into_iter().for_each(|now| source.ask(Time(now)));
        assert_eq!([1_005, 3_000].map(|now| source.takes(Time(now))), [10, 2_000]);
        source.ended(Time(3_000));
        assert_eq!([3_000, 3_500].map(|now| source.takes(Time(now))), [10, 500], "the other is open");
        source.ended(Time(4_000));
        assert_eq!(source.takes(Time(9_000)), 10, "it is asked for nothing");
    }

    /// The peer delivers what it was asked for at a time, so many milliseconds later than its way of 10.
    fn deliver(source: &mut Source, asked: u64, late: u64, most: usize) -> usize {
        source.delivered(Time(asked), 10, false, most, Time(asked + 10 + late));
        source.room
    }

    #[test]
    fn a_peer_is_asked_for_more_once_a_round_trip_while_its_blocks_come_soon() {
        let mut source = Source::default();
        assert_eq!(deliver(&mut source, 0, SOON, 32), 2);
        assert_eq!(deliver(&mut source, 100, 0, 32), 2, "it was asked before");
        assert_eq!(deliver(&mut source, 1_000, SOON, 32), 4);
        (2..9).for_each(|round| _ = deliver(&mut source, round * 1_000, 0, 32));
        assert_eq!(source.room, PER_PEER * BLOCKS);
        assert_eq!(deliver(&mut source, 10_000, 2 * SOON, 32), PER_PEER * BLOCKS, "for as much");
        assert_eq!(deliver(&mut source, 20_000, 2 * SOON + 1, 32), PER_PEER * BLOCKS / 2);
        assert_eq!((source.run(1), source.run(PER_PEER * BLOCKS)), (BLOCKS / 2, BLOCKS));
        assert_eq!(deliver(&mut source, 30_000, 2 * SOON, 1), PER_PEER, "blocks have become large");
        source.delivered(Time(40_000), 4 * SOON, false, 32, Time(40_000 + 8 * SOON));
        assert_eq!(source.room, 2 * PER_PEER, "who is far away varies more");
    }

    #[test]
    fn who_holds_up_others_or_is_late_comes_after_those_that_deliver_and_before_those_that_did_not_yet() {
        let (mut chosen, mut inbound, new) = (Source::default(), Source::default(), Source::default());
        deliver(&mut inbound, 0, 0, 32);
        let is_first = |chosen: &Source, other: &Source| chosen.order(true, PeerId(2)) < other.order(false, PeerId(1));
        assert!(is_first(&chosen, &new) && !is_first(&chosen, &inbound), "what counts most is to deliver");
        deliver(&mut chosen, 0, 2 * SOON, 32);
        assert!(is_first(&chosen, &inbound));
        chosen.hold_up(Time(0));
        assert!(is_first(&chosen, &new) && !is_first(&chosen, &inbound));
        deliver(&mut chosen, 10, 0, 32);
        assert!(is_first(&chosen, &inbound));
        deliver(&mut chosen, 20, 2 * SOON + 1, 32);
        assert!(!is_first(&chosen, &inbound));
        chosen.delivered(Time(30), 10, true, 32, Time(40_000));
        assert!(is_first(&chosen, &inbound), "it was chosen");
    }
}
