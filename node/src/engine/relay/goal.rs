//! Where blocks are fetched to: the best header, unless blocks on the way to it are withheld.
//!
//! Work proves that somebody made a block, not that anybody can have it. A branch of which a block does not come is left
//! aside for a while, and the best tip that a peer says to stand on is aimed at instead: peers stand only on blocks that
//! they have.

use chain_core::{hash::BlockHash, headers::Status};
use std::collections::VecDeque;

use crate::engine::{Engine, Time};

/// Milliseconds that the lowest missing block may take altogether, whoever is asked.
const WITHHELD: u64 = 20_000;

/// Milliseconds after which peers that are not known to have it are asked whether they do.
const LATE: u64 = 2_000;

/// Milliseconds in which its branch is left aside then, while there is a better one than ours beside it.
const ASIDE: u64 = 60_000;

/// Blocks that are remembered as withheld.
const MOST: usize = 16;

/// Blocks that do not come.
#[derive(Debug, Default)]
pub(super) struct Withheld {
    /// The lowest missing block of the branch that is fetched, and since when it is that.
    missing: Option<(BlockHash, Time)>,
    /// Those whose branches are left aside, and until when.
    aside: VecDeque<(BlockHash, Time)>,
}

impl Withheld {
    /// Nothing is missing.
    pub(super) fn forget_missing(&mut self) {
        self.missing = None;
    }

    /// Whether the lowest missing block is late.
    pub(super) fn is_late(&self, now: Time) -> bool {
        self.missing.is_some_and(|(_, since)| now.since(since) >= LATE)
    }

    /// When the lowest missing block is late, and then when it counts as withheld.
    pub(super) fn wake_at(&self, now: Time) -> Option<Time> {
        self.missing.map(|(_, since)| since.after(if self.is_late(now) { WITHHELD } else { LATE }))
    }
}

impl Engine {
    /// The block to fetch bodies up to.
    pub(super) fn goal(&self) -> BlockHash {
        let best = self.tree.best_header();
        if !self.is_withheld(&best) {
            return best;
        }
        let own = self.work_of(&self.tree.candidate());
        let tips = self.relay.peers.values().filter_map(|peer| peer.claim.filter(|claim| claim.found));
        let better = tips.map(|claim| (self.work_of(&claim.hash), claim.hash)).filter(|(work, hash)| {
            let valid = self.tree.get(hash).is_some_and(|info| info.status != Status::Invalid);
            *work > own && valid && !self.is_withheld(hash)
        });
        better.max().map_or(best, |(_, hash)| hash)
    }

    /// Whether a block on the way to this one does not come.
    pub(super) fn is_withheld(&self, hash: &BlockHash) -> bool {
        let aside = &self.relay.withheld.aside;
        aside.iter().any(|(block, until)| *until > self.steady && self.tree.is_ancestor(block, hash))
    }

    /// Keeps an eye on the lowest missing block on the way to the goal.
    pub(super) fn note_missing(&mut self, goal: BlockHash) {
        let (now, lowest) = (self.steady, self.lowest_missing(goal));
        let withheld = &mut self.relay.withheld;
        match (lowest, withheld.missing) {
            (Some(block), Some((before, since))) if block == before => {
                if now.since(since) >= WITHHELD {
                    withheld.missing = None;
                    withheld.aside.retain(|(other, until)| *other != block && *until > now);
                    withheld.aside.push_back((block, now.after(ASIDE)));
                    if withheld.aside.len() > MOST {
                        withheld.aside.pop_front();
                    }
                }
            }
            (lowest, _) => withheld.missing = lowest.map(|block| (block, now)),
        }
    }
}
