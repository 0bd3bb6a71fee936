//! The history contract (EIP-2935): hashes of the latest blocks, in storage.

use alloy_primitives::{Address, KECCAK256_EMPTY, U256, address, hex};

use super::BlockContext;
use crate::state::{Overlay, ViewError};

/// Address of the history contract.
pub const HISTORY: Address = address!("0000f90827f1c53a10cb7a02335b175320002935");

/// Its code: it returns the hash of a block by its number.
pub const HISTORY_CODE: [u8; 83] = hex!(
    "3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f"
    "5260205ff35b5f5ffd5b5f35611fff60014303065500"
);

/// Number of blocks that it remembers.
pub const HISTORY_WINDOW: u32 = 8_191;

/// Writes the parent's hash, in the byte order of `eth_*`, to the contract's storage. Writes nothing if the contract
/// does not exist.
pub(super) fn record_parent(state: &mut Overlay<'_>, context: &BlockContext) -> Result<(), ViewError> {
    let history = state.account(&HISTORY)?;
    if state.info(history).code_hash == KECCAK256_EMPTY {
        return Ok(());
    }
    // VM-5
    let place = context.height.saturating_sub(1) % HISTORY_WINDOW;
    let slot = state.slot(history, U256::from(place))?;
    state.set_storage(slot, U256::from_le_bytes(context.parent.0));
    state.end_transaction();
    Ok(())
}
