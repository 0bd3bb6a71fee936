//! What goes wrong.

use chain_core::hash::BlockHash;

use super::{Happening, World, links::name};
use crate::{
    node::{Backlog, Mining, Wire},
    oracle::Invariant,
    plan::Fault,
};

/// Writes that a loss of power takes back at most.
const MOST_LOST: usize = 60;

impl World {
    pub(super) fn go_wrong(&mut self, fault: Fault) {
        if self.phase != super::Phase::Rough {
            return;
        }
        self.log.line(self.now, "--", || format!("{fault:?}"));
        match fault {
            Fault::Partition(groups) => self.split(groups),
            Fault::Heal => self.links.partition = None,
            Fault::Crash { node, power, down } => {
                if self.nodes[node].engine.is_some() {
                    self.crash(node, power, down);
                }
            }
            Fault::Gone { node } => {
                self.nodes[node].gone = true;
                self.crash(node, true, 0);
            }
            Fault::CrashAtVote { node, power, down } => self.nodes[node].crash_at_vote = Some((power, down)),
            Fault::DiskFull { node, writes } => {
                self.nodes[node].failing = true;
                let faults = cairn_node::store::memory::Faults { writes_left: Some(writes), unreadable: false };
                self.nodes[node].kv.set_faults(faults);
            }
            Fault::Clock { node, skew } => self.nodes[node].skew = skew,
        }
    }

    /// A process ends without a word. After a loss of power, the disk has lost some of what was not synced.
    pub(super) fn crash(&mut self, node: usize, power: bool, down: u64) {
        self.stats.crashes += 1;
        self.drop_connections(node, !power);
        let state = &mut self.nodes[node];
        let Some(engine) = state.engine.take() else { return };
        let flushed = engine.store().flushed_tip();
        drop(engine);
        state.wire = Wire { banned: std::mem::take(&mut state.wire.banned), ..Wire::default() };
        state.backlog = Backlog::default();
        state.asks_members = false;
        // Whatever it finds next, it begins anew with, be it on the same tip.
        state.mining = Mining { parent: BlockHash::default(), generation: state.mining.generation + 1 };
        let lost = if power { self.chances.nodes.index(state.kv.unsynced().min(MOST_LOST) + 1) } else { 0 };
        if power {
            state.kv.crash(lost);
        }
        self.log
            .line(self.now, name(node), || format!("is gone, {lost} writes with it; had flushed {}", flushed.height));
        self.queue.plan(self.now + down, Happening::Start { node });
        if self.plan.sync || !power {
            self.check_disk(node, flushed);
        }
    }

    /// What a process had flushed is what the next one finds.
    fn check_disk(&mut self, node: usize, flushed: cairn_node::store::BlockRef) {
        self.nodes[node].kv.set_faults(Default::default());
        match crate::node::open(&self.nodes[node].kv, &self.chain, &self.plan, 0, None) {
            Ok(engine) if engine.store().tip() == flushed => {}
            Ok(engine) => {
                let detail = format!("{} had flushed {flushed:?}, finds {:?}", name(node), engine.store().tip());
                self.fail(Invariant::Storage, detail);
            }
            Err(error) => self.fail(Invariant::Storage, format!("{} would not start: {error}", name(node))),
        }
    }
}
