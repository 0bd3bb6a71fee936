//! Ways through the tree.

use super::HeaderTree;
use crate::{hash::BlockHash, units::Height};

/// The way from one block to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Blocks to disconnect, in that order: from the start down to above the fork.
    pub disconnect: Vec<BlockHash>,
    /// Blocks to connect, in that order: from above the fork up to the goal.
    pub connect: Vec<BlockHash>,
}

impl HeaderTree {
    /// The ancestor at a height, the block itself included; in steps logarithmic in the distance.
    pub fn ancestor(&self, _hash: &BlockHash, _height: Height) -> Option<BlockHash> {
        todo!()
    }

    /// Whether `ancestor` is on the branch of `hash`; a block is its own ancestor.
    pub fn is_ancestor(&self, _ancestor: &BlockHash, _hash: &BlockHash) -> bool {
        todo!()
    }

    /// The last common ancestor of two known blocks.
    pub fn fork_point(&self, _a: &BlockHash, _b: &BlockHash) -> Option<BlockHash> {
        todo!()
    }

    /// The way from one known block to another.
    pub fn path(&self, _from: &BlockHash, _to: &BlockHash) -> Option<Path> {
        todo!()
    }

    /// Hashes that let a peer find the fork with a known block: ten in a row, then ever wider, the genesis last.
    pub fn locator(&self, _tip: &BlockHash) -> Vec<BlockHash> {
        todo!()
    }

    /// The first hash of a locator that is on the branch of `tip`; the genesis if there is none.
    pub fn find_fork(&self, _locator: &[BlockHash], _tip: &BlockHash) -> BlockHash {
        todo!()
    }

    /// Blocks without children: the tip of every branch, in no particular order.
    pub fn tips(&self) -> Vec<BlockHash> {
        todo!()
    }
}
