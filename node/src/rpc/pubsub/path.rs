//! The way from one block to another through the tree.

use crate::{
    rpc::base::{RpcResult, parent},
    store::{BlockRef, Snapshot},
};

/// Blocks to disconnect and to connect, to get from one block to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Highest first.
    pub disconnected: Vec<BlockRef>,
    /// Lowest first.
    pub connected: Vec<BlockRef>,
}

impl Path {
    /// The way between two blocks of any branches.
    ///
    /// # Errors
    /// If the header of a block is missing; whatever `check` says.
    pub fn between(
        snapshot: &Snapshot,
        from: BlockRef,
        to: BlockRef,
        check: impl Fn() -> RpcResult<()>,
    ) -> RpcResult<Self> {
        let mut path = Self::default();
        let (mut from, mut to) = (from, to);
        while from != to {
            check()?;
            if from.height >= to.height {
                path.disconnected.push(from);
                from = parent(snapshot, from)?;
            } else {
                path.connected.push(to);
                to = parent(snapshot, to)?;
            }
        }
        path.connected.reverse();
        Ok(path)
    }
}
