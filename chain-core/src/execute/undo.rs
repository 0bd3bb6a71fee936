//! Disconnecting a block.

use alloy_primitives::B256;

use super::roots;
use crate::{
    state::{AccountChange, BlockUndo, StateView, StorageChange, ViewError, lthash::LtHash},
    trie::NodeChange,
};

/// The parts of the parent's state that are computed again, since [`BlockUndo`] does not have them. It restores coins,
/// accounts and slots.
#[derive(Clone, Debug)]
pub struct Reversal {
    /// Changed trie nodes.
    pub nodes: Vec<NodeChange>,
    /// State root of the parent.
    pub state_root: B256,
    /// Digest of the parent's coin set.
    pub coins_digest: LtHash,
}

/// Disconnects a block: `view` is the state after it, the result leads to the state of its parent.
///
/// # Errors
/// [`ViewError`] if the state cannot be read.
pub fn undo_block(view: &dyn StateView, undo: &BlockUndo) -> Result<Reversal, ViewError> {
    let turn_account = |change: &AccountChange| AccountChange { before: change.after, after: change.before, ..*change };
    let turn_slot = |change: &StorageChange| StorageChange { before: change.after, after: change.before, ..*change };
    let mut accounts: Vec<AccountChange> = undo.accounts.iter().map(turn_account).collect();
    let storage: Vec<StorageChange> = undo.storage.iter().map(turn_slot).collect();
    let (state_root, nodes) = roots::change_state(view, &mut accounts, &storage)?;
    let mut coins_digest = view.coins_digest()?;
    roots::change_coins(&mut coins_digest, &undo.spent, &undo.created);
    Ok(Reversal { nodes, state_root, coins_digest })
}
