//! What can go wrong with a store, and what to do about it. Never anybody's fault but this machine's.

use std::{path::PathBuf, sync::Arc};

use chain_core::{hash::BlockHash, state::ViewError, units::Height};

use super::{BlockRef, column::Column};
use crate::program;

/// A failure of storage. It says nothing about who sent a block: the engine stops on it and punishes nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has the directory.
    #[error("{path} is in use by another cairn-node{}: stop it first, or choose another directory with --datadir",
        .process.map(|id| format!(" (process {id})")).unwrap_or_default())]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// Who has it, if known.
        process: Option<u32>,
    },
    /// The directory holds another chain.
    #[error(
        "the data directory holds the chain '{found}' (genesis {found_genesis}), not '{expected}' (genesis \
        {expected_genesis}): start with the chain it was made for, or choose another directory with --datadir"
    )]
    OtherChain {
        /// Name of the chain on disk.
        found: String,
        /// Its genesis block.
        found_genesis: BlockHash,
        /// Name of the chain asked for.
        expected: String,
        /// Its genesis block.
        expected_genesis: BlockHash,
    },
    /// A newer release wrote the directory.
    #[error(
        "the data directory has format {found}, but this cairn-node knows no format above {supported}: update \
        cairn-node, or choose another directory with --datadir"
    )]
    NewerSchema {
        /// Format on disk.
        found: u32,
        /// Newest that is known here.
        supported: u32,
    },
    /// An older release wrote the directory, by other rules of consensus.
    #[error(
        "the data directory has format {found}, but this cairn-node needs format {needed}, since rules of consensus have \
        changed: move the directory away and start again, which fetches the chain from its peers, or choose another with --datadir"
    )]
    OlderSchema {
        /// Format on disk.
        found: u32,
        /// The one that is read here.
        needed: u32,
    },
    /// An older release wrote the directory in another form.
    #[error(
        "the data directory has format {found}, but this cairn-node needs format {needed}: run `{}`, which makes it from the \
        stored blocks",
        program::on_this_data("reindex")
    )]
    OutdatedSchema {
        /// Format on disk.
        found: u32,
        /// The one that is read here.
        needed: u32,
    },
    /// Indexes were switched on over a chain that was stored without them.
    #[error(
        "{index} was off when this chain was stored: switch it off again, or run `{}` with it on",
        program::on_this_data("reindex")
    )]
    IndexMissing {
        /// Name of the setting.
        index: &'static str,
    },
    /// An index that is switched off was asked.
    #[error(
        "the {index} index is switched off on this node (--no-index): to have it, stop the node, run `{}` and start it \
         without --no-index",
        program::on_this_data("reindex")
    )]
    IndexOff {
        /// Which.
        index: &'static str,
    },
    /// The disk is full.
    #[error(
        "no space left on the disk{}: free some and start again; every block committed so far is kept",
        program::with_data()
    )]
    NoSpace,
    /// The operating system refused.
    #[error("cannot {action}: {reason}")]
    Io {
        /// What was tried.
        action: String,
        /// What it answered.
        reason: String,
    },
    /// What is on disk cannot be right.
    #[error(
        "the database is damaged ({0}): stop the node and run `{command}`, which rebuilds the state from the stored blocks",
        command = program::on_this_data("reindex")
    )]
    Corrupt(String),
    /// Not even headers and bodies can be read.
    #[error(
        "the database is damaged beyond what a reindex can rebuild ({reason}): its blocks cannot be read. Run `{}`, \
         which moves {path} aside; the node then fetches the chain from its peers",
        program::on_this_data("reindex --force")
    )]
    Lost {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A block cannot be disconnected, since its undo data was not kept.
    #[error("block {} at height {} is too deep to be disconnected: its undo data was not kept; \
         run `{}`", .0.hash, .0.height, program::on_this_data("reindex"))]
    NoUndo(BlockRef),
    /// A block that was deleted to save disk space is needed.
    #[error(
        "block {} at height {} was pruned: this node keeps only blocks above height {pruned} (--prune). To have it \
         again, stop the node and run `{}`, after which the node fetches the whole chain from its peers; without \
         --prune it then keeps every block",
        .at.hash, .at.height, program::on_this_data("reindex --force")
    )]
    Pruned {
        /// Which.
        at: BlockRef,
        /// The highest that was pruned.
        pruned: Height,
    },
    /// The body of a block on the active chain was not kept.
    #[error("the body of block {} at height {} is not stored", .0.hash, .0.height)]
    NoBody(BlockRef),
    /// A stored block cannot be read from the disk.
    #[error(
        "block {} at height {} cannot be read from the disk ({reason}): a running node fetches it again from its peers. If it \
        still cannot be read some minutes later, stop the node and run `{}`",
        .at.hash, .at.height, program::on_this_data("reindex --force")
    )]
    Unreadable {
        /// Which.
        at: BlockRef,
        /// What the disk answered.
        reason: String,
    },
    /// A block was connected to something else than its parent.
    #[error("block {block} does not follow the tip {tip}")]
    NotNext {
        /// The block.
        block: BlockHash,
        /// Where the store stands.
        tip: BlockHash,
    },
    /// The genesis block was to be disconnected.
    #[error("the genesis block cannot be disconnected")]
    Genesis,
    /// An earlier write failed.
    #[error("the store has stopped after a failed write: start the node again")]
    Stopped,
}

impl From<StoreError> for ViewError {
    fn from(error: StoreError) -> Self {
        Self(Arc::new(error))
    }
}

impl StoreError {
    /// What is wrong, without what to do about it.
    pub fn cause(&self) -> String {
        match self {
            Self::Corrupt(reason) | Self::Io { reason, .. } => reason.clone(),
            other => other.to_string(),
        }
    }

    /// Why a block of the active chain has no body.
    pub(super) fn no_body(at: BlockRef, pruned: Height) -> Self {
        if at.is_pruned(pruned) { Self::Pruned { at, pruned } } else { Self::NoBody(at) }
    }
}

/// A row that does not hold what it should.
pub(super) fn damaged(column: Column) -> StoreError {
    StoreError::Corrupt(format!("a row of column {} is malformed", column.name()))
}
