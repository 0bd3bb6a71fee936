//! Where blocks are fetched to: the best header, unless blocks on the way to it are withheld.
//!
//! Work proves that a block was made, not that it is available. A branch of which a block is withheld is avoided for a while,
//! and the best tip that a peer claims is downloaded instead: peers claim only blocks that they have.

use chain_core::{hash::BlockHash, headers::Status};
use std::collections::VecDeque;

use crate::engine::{Chain, Time, relay::peers::Peers};

/// Milliseconds that the lowest missing block may take altogether, whichever peers are asked.
const WITHHELD: u64 = 20_000;

/// Milliseconds after which peers that are not known to have it are asked whether they do.
const LATE: u64 = 2_000;

/// Milliseconds in which its branch is avoided then, while there is another that is better than ours.
const ASIDE: u64 = 60_000;

/// Blocks that are remembered as withheld.
const MOST: usize = 16;

/// Blocks that do not come.
#[derive(Debug, Default)]
pub(super) struct Withheld {
    /// The lowest missing block of the branch that is fetched, and since when it is that.
    missing: Option<(BlockHash, Time)>,
    /// Those whose branches are avoided, and until when.
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

    /// The block to fetch bodies up to.
    pub(super) fn goal(&self, peers: &Peers, chain: &Chain, now: Time) -> BlockHash {
        let best = chain.tree().best_header();
        if !self.is_withheld(&best, chain, now) {
            return best;
        }
        let own = chain.work_of(&chain.tree().candidate());
        let tips = peers.iter().filter_map(|(_, peer)| peer.claim().filter(|claim| claim.found));
        let better = tips.map(|claim| (chain.work_of(&claim.hash), claim.hash)).filter(|(work, hash)| {
            let valid = chain.tree().get(hash).is_some_and(|info| info.status != Status::Invalid);
            *work > own && valid && !self.is_withheld(hash, chain, now)
        });
        better.max().map_or(best, |(_, hash)| hash)
    }

    /// Whether a block on the way to this one does not come.
    pub(super) fn is_withheld(&self, hash: &BlockHash, chain: &Chain, now: Time) -> bool {
        self.aside.iter().any(|(block, until)| *until > now && chain.tree().is_ancestor(block, hash))
    }

    /// Notes the lowest missing block on the way to the goal, and when it is withheld.
    pub(super) fn note_missing(&mut self, lowest: Option<BlockHash>, now: Time) {
        match (lowest, self.missing) {
            (Some(block), Some((before, since))) if block == before => {
                if now.since(since) >= WITHHELD {
                    self.missing = None;
                    self.aside.retain(|(other, until)| *other != block && *until > now);
                    self.aside.push_back((block, now.after(ASIDE)));
                    if self.aside.len() > MOST {
                        self.aside.pop_front();
                    }
                }
            }
            (lowest, _) => self.missing = lowest.map(|block| (block, now)),
        }
    }
}
