//! Dynamic gas of instructions, and the limits that gas does not set.

use crate::units::Gas;

/// First access to a storage slot in a transaction (EIP-2929).
pub(super) const COLD_SLOT: Gas = 2_100;
/// First access to an account in a transaction (EIP-2929).
pub(super) const COLD_ACCOUNT: Gas = 2_600;
/// Any other access to an account or slot (EIP-2929).
pub(super) const WARM: Gas = 100;

/// SSTORE of a slot that was zero when the transaction began (EIP-2200).
pub(super) const STORE_NEW: Gas = 20_000;
/// SSTORE of a slot that was not zero (EIP-2200, less the price of access of EIP-2929).
pub(super) const STORE_CHANGE: Gas = 5_000 - COLD_SLOT;
/// Refund for clearing a slot (EIP-3529).
pub(super) const STORE_CLEAR_REFUND: i64 = 4_800;
/// SSTORE needs more than this left (EIP-2200).
pub(super) const STIPEND: Gas = 2_300;

/// A call that sends value.
pub(super) const CALL_VALUE: Gas = 9_000;
/// Value for an account that does not exist (EIP-161).
pub(super) const NEW_ACCOUNT: Gas = 25_000;

/// Each byte of the exponent (EIP-160).
pub(super) const EXP_BYTE: Gas = 50;
/// Each word hashed.
pub(super) const KECCAK_WORD: Gas = 6;
/// Each word copied.
pub(super) const COPY_WORD: Gas = 3;
/// Each byte logged.
pub(super) const LOG_BYTE: Gas = 8;
/// Each word of initcode (EIP-3860).
pub(super) const INITCODE_WORD: Gas = 2;
/// Each byte of a new contract's code.
pub(super) const CODE_BYTE: Gas = 200;

/// Maximum size of initcode (EIP-3860).
pub const MAX_INITCODE: usize = 49_152;
/// Maximum size of a contract's code (EIP-170).
pub(super) const MAX_CODE: usize = 24_576;
/// Maximum stack height, in words.
pub(super) const STACK_LIMIT: usize = 1_024;
/// Maximum call depth; the first frame has depth 0.
pub(super) const DEPTH_LIMIT: usize = 1_024;

/// Gas for `bytes`, charged per 32-byte word.
pub(super) fn words(bytes: usize, each: Gas) -> Gas {
    each * bytes.div_ceil(32) as Gas
}

/// Gas of a memory of this many words: a linear and a quadratic part.
pub(super) fn memory(words: u64) -> Gas {
    3 * words + words * words / 512
}
