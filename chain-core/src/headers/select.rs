//! The status of blocks, and fork choice.

use std::cmp::Reverse;

use super::{
    HeaderTree,
    node::{Executed, Id, NONE, Node},
};
use crate::hash::BlockHash;

impl HeaderTree {
    /// The header with the most work that is not known to be invalid: where to sync to. First seen wins a tie.
    pub fn best_header(&self) -> BlockHash {
        self.node(self.best_header).hash
    }

    /// The block with the most work whose branch has all bodies stored and none known to be invalid: where to connect
    /// to. The first complete one wins a tie.
    pub fn candidate(&self) -> BlockHash {
        self.node(self.candidate).hash
    }

    /// The finalized block: all chains to choose from go through it, or end before it. The genesis block without finality.
    pub fn finalized(&self) -> BlockHash {
        self.node(self.finalized).hash
    }

    /// Makes a known block the finalized one, whatever was finalized before; returns whether it is known and not invalid.
    pub fn finalize(&mut self, hash: &BlockHash) -> bool {
        let Some(id) = self.find(hash).filter(|id| !self.node(*id).invalid) else { return false };
        let is_ahead = self.ancestor_is(id, self.finalized);
        self.finalized = id;
        // What is best of more chains is best of fewer, if it is among them.
        if !is_ahead || !self.fits_finality(self.best_header) {
            self.choose_header();
        }
        if !is_ahead || !self.fits_finality(self.candidate) {
            self.choose_candidate();
        }
        true
    }

    /// Whether a block's chain goes through the finalized block, or ends before it.
    pub(super) fn fits_finality(&self, id: Id) -> bool {
        // FIN-1
        self.finalized == 0 || self.ancestor_is(id, self.finalized) || self.ancestor_is(self.finalized, id)
    }

    /// Whether a block is on the branch of another.
    fn ancestor_is(&self, id: Id, ancestor: Id) -> bool {
        let height = self.node(ancestor).height;
        height <= self.node(id).height && self.ancestor_id(id, height) == ancestor
    }

    fn choose_header(&mut self) {
        self.best_header = self.heaviest(|_| true, |id, _| id);
    }

    fn choose_candidate(&mut self) {
        self.candidate = self.heaviest(Node::is_complete, |_, node| node.sequence);
    }

    /// Records that the body of a known block is stored.
    pub fn mark_body(&mut self, hash: &BlockHash) {
        let Some(id) = self.find(hash) else { return };
        self.node_mut(id).body = true;
        let parent = self.node(id).parent;
        if parent == NONE || self.node(parent).is_complete() {
            self.complete_from(id);
        }
    }

    /// Records that a known block was executed; its body is stored.
    pub fn mark_valid(&mut self, hash: &BlockHash, executed: Executed) {
        let Some(id) = self.find(hash) else { return };
        self.node_mut(id).executed = Some(executed);
        self.mark_body(hash);
    }

    /// Records that a known block breaks a rule; returns it and all its descendants, which are invalid too.
    pub fn mark_invalid(&mut self, hash: &BlockHash) -> Vec<BlockHash> {
        let Some(id) = self.find(hash) else { return Vec::new() };
        let mut fallen = vec![id];
        let mut next = 0;
        while let Some(&id) = fallen.get(next) {
            self.node_mut(id).invalid = true;
            fallen.extend(self.children(id));
            next += 1;
        }
        if self.node(self.best_header).invalid {
            self.choose_header();
        }
        if self.node(self.candidate).invalid {
            self.choose_candidate();
        }
        fallen.into_iter().map(|id| self.node(id).hash).collect()
    }

    /// Makes a block win ties from now on: the stored tip, after loading.
    pub fn prefer(&mut self, hash: &BlockHash) {
        let Some(id) = self.find(hash) else { return };
        if !self.node(id).is_complete() || self.node(id).invalid || !self.fits_finality(id) {
            return;
        }
        self.node_mut(id).sequence = 0;
        if self.node(id).work >= self.node(self.candidate).work {
            self.candidate = id;
        }
    }

    /// Gives a block whose ancestors are complete, and the descendants that wait for it, their position in the order of
    /// completion.
    fn complete_from(&mut self, id: Id) {
        let mut ready = vec![id];
        let mut next = 0;
        while let Some(&id) = ready.get(next) {
            next += 1;
            if self.node(id).is_complete() {
                continue;
            }
            self.node_mut(id).sequence = self.next_sequence;
            self.next_sequence += 1;
            // HDR-6
            let is_heavier = !self.node(id).invalid && self.node(id).work > self.node(self.candidate).work;
            if is_heavier && self.fits_finality(id) {
                self.candidate = id;
            }
            let mut waiting: Vec<_> = self.children(id).filter(|child| self.node(*child).body).collect();
            waiting.sort_unstable();
            ready.extend(waiting);
        }
    }

    /// The node with the most work that fits, contradicts no certificate and is not invalid; the lowest `order` wins a tie. The
    /// genesis block always fits.
    fn heaviest(&self, fits: impl Fn(&Node) -> bool, order: impl Fn(Id, &Node) -> u32) -> Id {
        let fitting = self.nodes().filter(|(_, node)| !node.invalid && fits(node));
        let allowed = fitting.filter(|(id, _)| self.fits_finality(*id));
        // HDR-6
        allowed.max_by_key(|(id, node)| (node.work, Reverse(order(*id, node)))).map_or(0, |(id, _)| id)
    }
}
