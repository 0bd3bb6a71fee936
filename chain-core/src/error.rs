//! What is wrong with a block, header or transaction, and how much its sender is to blame.

use crate::{codec::CodecError, state::ViewError};

/// A broken consensus rule: one variant a rule (or family of equal rules), with what was got and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// COD-1.
    #[error("{0}")]
    Encoding(#[from] CodecError),
    /// AMT-1.
    #[error("a sum of amounts does not fit in 64 bits")]
    AmountOverflow,
}

/// How bad it is to have sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Penalty {
    /// Nothing: honest peers send such things.
    None,
    /// Odd, but harmless a few times.
    Minor,
    /// No honest node sends it.
    Ban,
}

impl RuleError {
    /// What the sender deserves. Exhaustive, so that a new rule forces the decision.
    pub fn penalty(&self) -> Penalty {
        match self {
            Self::Encoding(_) | Self::AmountOverflow => Penalty::Ban,
        }
    }
}

/// Why a block could not be executed: its own fault, or ours.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExecuteError {
    /// The block breaks a rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The state could not be read.
    #[error(transparent)]
    View(#[from] ViewError),
}
