//! What a member has told others, and must keep to after a restart.

use chain_core::{
    finality::{Lock, pbft},
    hash::BlockHash,
    units::Height,
};
use serde::{Deserialize, Serialize};

/// What a member has told others of one checkpoint. It is on disk before they hear it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// Height of the checkpoint.
    pub height: Height,
    /// Its view.
    pub view: pbft::View,
    /// Whether it has left its last view and waits for this one.
    pub changing: bool,
    /// What it accepted last, and the view of that.
    pub accepted: Option<(pbft::View, BlockHash)>,
    /// What it prepared last, with the proof.
    pub prepared: Option<Lock>,
    /// What it called final: it never calls another block of this height so.
    pub finalized: Option<BlockHash>,
}

impl Promise {
    /// Nothing was said of this checkpoint yet.
    pub fn new(height: Height) -> Self {
        Self { height, ..Self::default() }
    }
}
