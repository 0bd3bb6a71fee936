//! Paths through the tree.

use std::iter::successors;

use super::{
    HeaderTree,
    node::{Id, NONE, skip_height},
};
use crate::{block::header::Header, hash::BlockHash, units::Height};

/// The path from one block to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Blocks to disconnect, in order: from the start down to above the fork.
    pub disconnect: Vec<BlockHash>,
    /// Blocks to connect, in order: from above the fork up to the goal.
    pub connect: Vec<BlockHash>,
}

/// Consecutive hashes at the start of a locator.
const DENSE: usize = 10;

impl HeaderTree {
    /// The ancestor at a height, the block itself included; in steps logarithmic in the distance.
    pub fn ancestor(&self, hash: &BlockHash, height: Height) -> Option<BlockHash> {
        let id = self.find(hash)?;
        (height <= self.node(id).height).then(|| self.node(self.ancestor_id(id, height)).hash)
    }

    /// Whether `ancestor` is on the branch of `hash`; a block is its own ancestor.
    pub fn is_ancestor(&self, ancestor: &BlockHash, hash: &BlockHash) -> bool {
        let height = self.find(ancestor).map(|id| self.node(id).height);
        height.and_then(|height| self.ancestor(hash, height)) == Some(*ancestor)
    }

    /// The last common ancestor of two known blocks.
    pub fn fork_point(&self, a: &BlockHash, b: &BlockHash) -> Option<BlockHash> {
        Some(self.node(self.fork_id(self.find(a)?, self.find(b)?)).hash)
    }

    /// The path from one known block to another.
    pub fn path(&self, from: &BlockHash, to: &BlockHash) -> Option<Path> {
        let (from, to) = (self.find(from)?, self.find(to)?);
        let fork = self.fork_id(from, to);
        let mut connect = self.down_to(to, fork);
        connect.reverse();
        Some(Path { disconnect: self.down_to(from, fork), connect })
    }

    /// A block locator: ten consecutive hashes, then exponentially wider steps, the genesis last.
    pub fn locator(&self, tip: &BlockHash) -> Vec<BlockHash> {
        let Some(mut id) = self.find(tip) else { return Vec::new() };
        let (mut hashes, mut step) = (vec![*tip], 1);
        while self.node(id).height > 0 {
            id = self.ancestor_id(id, self.node(id).height.saturating_sub(step));
            hashes.push(self.node(id).hash);
            if hashes.len() >= DENSE {
                step = step.saturating_mul(2);
            }
        }
        hashes
    }

    /// The first hash of a locator that is on the branch of `tip`; the genesis if there is none.
    pub fn find_fork(&self, locator: &[BlockHash], tip: &BlockHash) -> BlockHash {
        locator.iter().find(|hash| self.is_ancestor(hash, tip)).copied().unwrap_or_else(|| self.genesis())
    }

    /// Up to `most` headers of the branch of `tip` that follow its ancestor `start`, in order.
    pub fn headers_after(&self, start: &BlockHash, tip: &BlockHash, most: usize) -> Vec<Header> {
        let (true, Some(start), Some(tip)) = (self.is_ancestor(start, tip), self.find(start), self.find(tip)) else {
            return Vec::new();
        };
        let most = Height::try_from(most).unwrap_or(Height::MAX);
        let last = self.node(start).height.saturating_add(most).min(self.node(tip).height);
        let ids = successors(Some(self.ancestor_id(tip, last)), |id| Some(self.node(*id).parent));
        let mut headers: Vec<_> = ids.take_while(|id| *id != start).map(|id| self.header(id)).collect();
        headers.reverse();
        headers
    }

    /// Blocks without children: the tip of every branch, in no particular order.
    pub fn tips(&self) -> Vec<BlockHash> {
        self.nodes().filter(|(_, node)| node.first_child == NONE).map(|(_, node)| node.hash).collect()
    }

    /// The ancestor at a height that is at most the block's own.
    pub(super) fn ancestor_id(&self, mut id: Id, height: Height) -> Id {
        while self.node(id).height > height {
            let node = self.node(id);
            let skip = skip_height(node.height);
            let parents_skip = skip_height(node.height - 1);
            // The parent's skip is better if it ends nearer to the goal without passing it.
            let parents_is_better = parents_skip >= height && parents_skip + 2 < skip;
            id = if skip == height || (skip > height && !parents_is_better) { node.skip } else { node.parent };
        }
        id
    }

    fn fork_id(&self, a: Id, b: Id) -> Id {
        let height = self.node(a).height.min(self.node(b).height);
        let (mut a, mut b) = (self.ancestor_id(a, height), self.ancestor_id(b, height));
        while a != b {
            let (left, right) = (self.node(a), self.node(b));
            (a, b) = if left.skip == right.skip { (left.parent, right.parent) } else { (left.skip, right.skip) };
        }
        a
    }

    /// From a block down to above one of its ancestors.
    fn down_to(&self, from: Id, ancestor: Id) -> Vec<BlockHash> {
        let ids = successors(Some(from), |id| Some(self.node(*id).parent));
        ids.take_while(|id| *id != ancestor).map(|id| self.node(id).hash).collect()
    }
}
