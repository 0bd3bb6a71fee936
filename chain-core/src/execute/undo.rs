//! Taking a block back.

use alloy_primitives::B256;

use crate::{
    lthash::LtHash,
    state::{BlockUndo, StateView, ViewError},
    trie::NodeChange,
};

/// What [`BlockUndo`] does not carry of the parent's state: it is computed again. Coins, accounts and slots go back as
/// the undo data says.
#[derive(Clone, Debug)]
pub struct Reversal {
    /// Trie nodes that differ.
    pub nodes: Vec<NodeChange>,
    /// State root of the parent.
    pub state_root: B256,
    /// Digest of the parent's coin set.
    pub coins_digest: LtHash,
}

/// Takes a block back: `view` is the state after it, the answer what leads to the state of its parent.
///
/// # Errors
/// [`ViewError`] if the state cannot be read.
pub fn undo_block(_view: &dyn StateView, _undo: &BlockUndo) -> Result<Reversal, ViewError> {
    todo!()
}
