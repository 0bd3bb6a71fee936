//! Whether any peer keeps the blocks that come next. Peers that prune know a chain and do not have its first blocks: with them
//! alone a new node stays where it is, must say so, and must not take its own chain for the best.

use chain_core::units::Height;

use crate::engine::{Engine, Time};

/// Blocks that the best header is ahead at least: honest peers that prune keep so many (`--prune`), so that fewer are missing
/// for another reason. An attacker who withholds blocks would need as many to stop miners.
const LEAST: Height = 288;

/// Milliseconds until the first warning, in which other peers may be found, and between two.
const PATIENCE: u64 = 10_000;
const AGAIN: u64 = 600_000;

/// Blocks that no peer keeps.
#[derive(Debug)]
pub(super) struct Unkept {
    since: Time,
    /// When a peer on the chain was last connected.
    seen: Time,
    warned: Option<Time>,
}

impl Unkept {
    /// When it no longer counts, if no peer on the chain comes.
    pub(super) fn lapses_at(&self) -> Time {
        self.seen.after(AGAIN)
    }
}

/// The peers that know a better chain and do not keep its next block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pruned {
    pub(super) lowest: Height,
    pub(super) peers: usize,
    pub(super) oldest: Height,
}

impl Engine {
    /// Time passed, or something happened: looks whether somebody keeps the next blocks of the best chain.
    pub(super) fn note_keepers(&mut self) {
        let best = self.tree.get(&self.tree.best_header()).map_or(0, |info| info.height);
        if best < self.store.tip().height.saturating_add(LEAST) {
            self.relay.unkept = None;
            return;
        }
        match self.next_is_pruned() {
            Some(Some(pruned)) => self.warn_of_pruned(&pruned),
            Some(None) => self.relay.unkept = None,
            // That the peers which knew the chain have left makes its blocks no easier to get; but a chain of which no peer has
            // spoken for long must not stop miners for ever.
            None => {
                let now = self.steady;
                self.relay.unkept.take_if(|unkept| now >= unkept.lapses_at());
            }
        }
    }

    /// Whether the lowest missing block is pruned by all peers on the best chain; `None` if no peer is on it.
    pub(super) fn next_is_pruned(&self) -> Option<Option<Pruned>> {
        let best = self.tree.best_header();
        let missing = self.lowest_missing(best).and_then(|hash| self.tree.get(&hash)).map(|info| info.height);
        let fork = self.tree.fork_point(&self.store.tip().hash, &best).and_then(|fork| self.tree.get(&fork));
        let lowest = missing.or(fork.map(|fork| fork.height + 1))?;
        let on_it = self.relay.peers.iter().filter(|(_, peer)| peer.claim.is_some());
        let kept = on_it.filter_map(|(id, _)| self.kept_by(*id, best)).filter(|(_, top)| *top >= lowest);
        let oldest: Vec<Height> = kept.map(|(oldest, _)| oldest).collect();
        let least = *oldest.iter().min()?;
        Some((least > lowest).then_some(Pruned { lowest, peers: oldest.len(), oldest: least }))
    }

    fn warn_of_pruned(&mut self, pruned: &Pruned) {
        let now = self.steady;
        let unkept = self.relay.unkept.get_or_insert(Unkept { since: now, seen: now, warned: None });
        unkept.seen = now;
        let due = unkept.warned.map_or(unkept.since.after(PATIENCE), |warned| warned.after(AGAIN));
        if now < due {
            return;
        }
        unkept.warned = Some(now);
        let Pruned { lowest, peers, oldest } = pruned;
        tracing::warn!(
            "syncing stands still at block {lowest}: it needs a peer that keeps all blocks; the {peers} connected on this chain \
             keep them from {oldest} on. Add one that was started without --prune: --connect HOST:PORT or --bootnodes"
        );
    }
}
