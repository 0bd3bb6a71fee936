//! What the engine answers when it refuses something. Errors say whose fault it is.

use chain_core::{error::RuleError, hash::BlockHash, hash::TxId, units::Height};

/// Why a block was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitBlockError {
    /// It breaks a rule of consensus.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// It was found invalid before, or descends from a block that was.
    #[error("block {0} is known to be invalid or descends from an invalid block")]
    KnownInvalid(BlockHash),
    /// Its parent is unknown and the pool of orphans is full of better ones.
    #[error("the parent {0} is unknown")]
    UnknownParent(BlockHash),
    /// It forks off too far below the tip with too little work to be worth keeping.
    #[error("the block forks off at height {fork}, {behind} blocks below the tip, with too little work")]
    TooLittleWork {
        /// Height of the fork.
        fork: Height,
        /// Blocks from there to the tip.
        behind: Height,
    },
    /// The node could not read or write its own state. Nobody's fault.
    #[error("the node failed: {0}")]
    Local(String),
    /// The engine is shutting down.
    #[error("the node is shutting down")]
    Stopped,
}

/// Why a template could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TemplateError {
    /// What was asked for would break a rule, as an `extra` that is too long.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A transaction asked for by name is not in the pool.
    #[error("transaction {0} is not in the pool")]
    UnknownTransaction(TxId),
    /// The node could not read its own state.
    #[error("the node failed: {0}")]
    Local(String),
    /// The engine is shutting down.
    #[error("the node is shutting down")]
    Stopped,
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store could not be read or written.
    #[error("the store failed: {0}")]
    Store(String),
    /// A stored block does not fit the stored state.
    #[error("the stored block {hash} at height {height} is damaged: {reason}; run `cairn-node reindex`")]
    Damaged {
        /// Which.
        hash: BlockHash,
        /// Where.
        height: Height,
        /// What is wrong.
        reason: String,
    },
}
