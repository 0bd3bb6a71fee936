//! Whether any peer keeps the blocks that come next. Peers that prune know a chain and do not have its first blocks: with them
//! alone a new node stays where it is, must say so, and must not take its own chain for the best.

use chain_core::units::Height;

use super::download::Download;
use crate::engine::{Chain, Time, relay::peers::Peers};

/// Blocks that the best header is ahead at least: honest peers that prune keep so many (`--prune`), so that fewer are missing
/// for another reason. An attacker who withholds blocks would need as many to stop miners.
const LEAST: Height = 288;

/// Milliseconds until the first warning, in which other peers may be found, and between two.
const PATIENCE: u64 = 10_000;
const AGAIN: u64 = 600_000;

/// Blocks that no peer keeps.
#[derive(Debug)]
struct Unkept {
    since: Time,
    /// When a peer on the chain was last connected.
    seen: Time,
    warned: Option<Time>,
}

/// The peers that know a better chain and do not keep its next block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pruned {
    pub(super) lowest: Height,
    pub(super) peers: usize,
    pub(super) oldest: Height,
}

/// Whether any peer keeps the next blocks.
#[derive(Debug, Default)]
pub(super) struct Keepers {
    /// Blocks of a better chain that no peer keeps.
    unkept: Option<Unkept>,
}

impl Keepers {
    /// Whether blocks of a better chain are kept by no peer.
    pub(super) fn are_missing(&self) -> bool {
        self.unkept.is_some()
    }

    /// When that no longer counts, if no peer on the chain comes.
    pub(super) fn lapses_at(&self) -> Option<Time> {
        self.unkept.as_ref().map(|unkept| unkept.seen.after(AGAIN))
    }

    /// Time passed: looks whether a peer keeps the next blocks of the best chain.
    pub(super) fn look(&mut self, download: &Download, peers: &Peers, chain: &Chain, now: Time) {
        let best = chain.height_of(&chain.tree().best_header());
        if best < chain.store().tip().height.saturating_add(LEAST) {
            self.unkept = None;
            return;
        }
        match next_is_pruned(download, peers, chain) {
            Some(Some(pruned)) => self.warn(&pruned, now),
            Some(None) => self.unkept = None,
            // That the peers which knew the chain have left makes its blocks no easier to get; but a chain of which no peer has
            // spoken for long must not stop miners for ever.
            None => _ = self.unkept.take_if(|unkept| now >= unkept.seen.after(AGAIN)),
        }
    }

    fn warn(&mut self, pruned: &Pruned, now: Time) {
        let unkept = self.unkept.get_or_insert(Unkept { since: now, seen: now, warned: None });
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

/// Whether the lowest missing block is pruned by all peers on the best chain; `None` if no peer is on it.
pub(super) fn next_is_pruned(download: &Download, peers: &Peers, chain: &Chain) -> Option<Option<Pruned>> {
    let tree = chain.tree();
    let best = tree.best_header();
    let missing = download.lowest_missing(best, chain).and_then(|hash| tree.get(&hash)).map(|info| info.height);
    let fork = tree.fork_point(&chain.store().tip().hash, &best).and_then(|fork| tree.get(&fork));
    let lowest = missing.or(fork.map(|fork| fork.height + 1))?;
    let on_it = peers.iter().filter(|(_, peer)| peer.claim().is_some());
    let kept = on_it.filter_map(|(id, _)| peers.kept_by(id, best, chain)).filter(|(_, top)| *top >= lowest);
    let oldest: Vec<Height> = kept.map(|(oldest, _)| oldest).collect();
    let least = *oldest.iter().min()?;
    Some((least > lowest).then_some(Pruned { lowest, peers: oldest.len(), oldest: least }))
}
