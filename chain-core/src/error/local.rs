//! Local failures: they say nothing about the block or its sender.

use std::sync::Arc;

use super::RuleError;

/// The state could not be read. A local failure: it says nothing about who sent a block.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot read the state: {0}")]
pub struct ViewError(pub Arc<dyn std::error::Error + Send + Sync>);

/// Why a block could not be executed: the block's fault, or a local failure.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExecuteError {
    /// The block breaks a rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The state could not be read.
    #[error(transparent)]
    View(#[from] ViewError),
}
