//! The way from one block to another through the tree.

use chain_core::hash::BlockHash;

use crate::{
    rpc::base::{RpcResult, not_found},
    store::{BlockRef, HeaderRecord, Snapshot},
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
                from = parent(snapshot, &from.hash)?;
            } else {
                path.connected.push(to);
                to = parent(snapshot, &to.hash)?;
            }
        }
        path.connected.reverse();
        Ok(path)
    }
}

fn record(snapshot: &Snapshot, hash: &BlockHash) -> RpcResult<HeaderRecord> {
    snapshot.header(hash)?.ok_or_else(|| not_found(format!("block {hash} is unknown")))
}

fn parent(snapshot: &Snapshot, hash: &BlockHash) -> RpcResult<BlockRef> {
    let record = record(snapshot, hash)?;
    Ok(BlockRef { height: record.height.saturating_sub(1), hash: record.header.prev })
}
