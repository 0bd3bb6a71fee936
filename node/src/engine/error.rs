//! Errors of the engine. Each says whose fault it is.

use chain_core::{
    error::{ExecuteError, RuleError},
    hash::{BlockHash, TxId},
    headers::LoadError,
    state::ViewError,
    units::Height,
};

use crate::{program, store::StoreError};

/// Why a block was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitBlockError {
    /// It breaks a rule of consensus.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// It was found invalid before, or descends from a block that was.
    #[error("block {0} is known to be invalid or descends from an invalid block")]
    KnownInvalid(BlockHash),
    /// Its parent is unknown, and it is too large to be held until that comes.
    #[error("the parent {0} is unknown")]
    UnknownParent(BlockHash),
    /// The node could not read or write its own state; no peer's fault.
    #[error("the node failed: {0}")]
    Local(String),
    /// The engine is shutting down.
    #[error("the node is shutting down")]
    Stopped,
}

/// Why a certificate is not followed though the operator asks for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// No such certificate was refused for its depth.
    #[error("no certificate for block {0} was refused: see `refused` of chain_getFinality")]
    NotRefused(BlockHash),
    /// Another one is followed or was refused, or the block is invalid.
    #[error("block {0} contradicts another certificate, which `alarm` of chain_getFinality names, or is invalid")]
    Contradicts(BlockHash),
    /// Blocks that would have to be disconnected are gone.
    #[error(
        "the branch forks off at height {fork}, and blocks up to height {pruned} were pruned: start the node with an \
         empty data directory, into which a member moves its member.key and member.votes"
    )]
    Pruned {
        /// Height of the fork.
        fork: Height,
        /// The highest block that was pruned.
        pruned: Height,
    },
    /// The node could not write; it stops.
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
    /// The tip's time is further ahead of the clock than any node accepts (HDR-5).
    #[error(
        "the clock of this machine is {ahead} s behind the newest block: nothing can be mined for {wait} s more; set the \
        clock right (NTP)"
    )]
    ClockBehind {
        /// Seconds from the clock to the tip.
        ahead: u64,
        /// Seconds until a block on the tip is accepted.
        wait: u64,
    },
    /// Blocks of this chain are too hard to be mined on demand.
    #[error("this chain's blocks take too much work to be mined on demand")]
    TooHard,
    /// There is no such block to mine on or go back to.
    #[error("block {0} is unknown, was never executed, or is not on the active chain")]
    UnknownBlock(BlockHash),
    /// A time that HDR-4 or HDR-5 forbids.
    #[error("timestamp {got}: expected {least} (that of the previous block) to {most}")]
    Time {
        /// Asked for.
        got: u32,
        /// The parent's.
        least: u32,
        /// The most that is accepted now.
        most: u32,
    },
    /// No header can say so late a time.
    #[error("times of blocks are 32 bits and end on 7 February 2106, and this would be later")]
    EndOfTime,
    /// A transaction that was asked for is not valid in the block.
    #[error("transaction {txid} is not valid in block {height}: {rule}")]
    Transaction {
        /// Which.
        txid: TxId,
        /// The block.
        height: Height,
        /// What it breaks.
        rule: RuleError,
    },
    /// The node could not read its own state.
    #[error("the node failed: {0}")]
    Local(String),
    /// The engine is shutting down.
    #[error("the node is shutting down")]
    Stopped,
}

impl From<ExecuteError> for TemplateError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Rule(rule) => Self::Rule(rule),
            ExecuteError::View(error) => Self::Local(error.to_string()),
        }
    }
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is stored is no tree of headers.
    #[error("the stored headers are damaged: {0}; run `{command}`", command = program::on_this_data("reindex"))]
    Headers(#[from] LoadError),
    /// The thread could not be started.
    #[error("cannot start the engine's thread: {0}")]
    Thread(std::io::Error),
}

/// The engine is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is shutting down")]
pub struct Stopped;

/// Storage failed: the engine stops. Never a sender's fault.
#[derive(Debug)]
pub(crate) struct Fatal(pub(crate) String);

/// Local failures outside, refusals inside.
pub(super) type Judged<T, E> = Result<Result<T, E>, Fatal>;

impl From<StoreError> for Fatal {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

impl From<ViewError> for Fatal {
    fn from(error: ViewError) -> Self {
        Self(error.to_string())
    }
}
