//! The prices of the one meter, in gas, and the limits that gas does not set.
//!
//! Every price of both kinds of transaction stands here; what instructions cost always is in the table of
//! `vm/opcode.rs`, and each precompile names its own price.

use crate::units::Gas;

// Coin transactions and coinbases.

/// Each encoded byte of a coin transaction, and each byte of calldata that is not zero (EIP-2028).
pub const BYTE: Gas = 16;
/// Each signature of a coin transaction; an input pays for at least one.
pub const SIGNATURE: Gas = 5_000;
/// Each output of a coin transaction or coinbase.
pub const OUTPUT: Gas = 8_000;

// Account transactions, before anything runs.

/// Most gas of one transaction (EIP-7825).
pub const MAX_TRANSACTION_GAS: Gas = 1 << 24;
/// A transaction.
pub const TRANSACTION: Gas = 21_000;
/// A creation, by transaction or instruction.
pub const CREATE: Gas = 32_000;
/// Each zero byte of calldata.
pub const ZERO_BYTE: Gas = 4;
/// The least that a zero byte of calldata costs in the end (EIP-7623).
pub const FLOOR_ZERO_BYTE: Gas = 10;
/// The least that any other byte of calldata costs in the end (EIP-7623).
pub const FLOOR_BYTE: Gas = 40;
/// Each address of an access list (EIP-2930).
pub const ACCESS_LIST_ADDRESS: Gas = 2_400;
/// Each slot of an access list (EIP-2930).
pub const ACCESS_LIST_SLOT: Gas = 1_900;
/// Each authorization (EIP-7702).
pub const AUTHORIZATION: Gas = 25_000;
/// Every call that reaches the gateway: an output of a coin transaction, and about a log (GW-4).
pub const GATEWAY: Gas = 10_000;

// Instructions, beyond what they always cost.

/// A storage slot, the first time in a transaction (EIP-2929).
pub const COLD_SLOT: Gas = 2_100;
/// An account, the first time in a transaction (EIP-2929).
pub const COLD_ACCOUNT: Gas = 2_600;
/// An account or slot, any other time (EIP-2929).
pub const WARM: Gas = 100;
/// SSTORE of a slot that was zero when the transaction began (EIP-2200).
pub const STORE_NEW: Gas = 20_000;
/// SSTORE of a slot that was not (EIP-2200, less what EIP-2929 takes for access).
pub const STORE_CHANGE: Gas = 5_000 - COLD_SLOT;
/// Refund for a slot made zero (EIP-3529).
pub const STORE_CLEAR_REFUND: i64 = 4_800;
/// What a call with value gets for free; SSTORE needs more than this left (EIP-2200).
pub const STIPEND: Gas = 2_300;
/// A call that sends value.
pub const CALL_VALUE: Gas = 9_000;
/// Value for an account that does not exist (EIP-161).
pub const NEW_ACCOUNT: Gas = 25_000;
/// Each byte of the exponent (EIP-160).
pub const EXP_BYTE: Gas = 50;
/// Each word hashed.
pub const KECCAK_WORD: Gas = 6;
/// Each word copied.
pub const COPY_WORD: Gas = 3;
/// Each byte logged.
pub const LOG_BYTE: Gas = 8;
/// Each word of initcode (EIP-3860).
pub const INITCODE_WORD: Gas = 2;
/// Each byte of a new contract's code.
pub const CODE_BYTE: Gas = 200;

// Limits.

/// Most bytes of initcode (EIP-3860).
pub const MAX_INITCODE: usize = 49_152;
/// Most bytes of a contract's code (EIP-170).
pub const MAX_CODE: usize = 24_576;
/// Most words of a stack.
pub const STACK_LIMIT: usize = 1_024;
/// Most frames below the first.
pub const DEPTH_LIMIT: usize = 1_024;

/// Gas for `bytes`, charged per 32-byte word.
pub(crate) fn words(bytes: usize, each: Gas) -> Gas {
    each * bytes.div_ceil(32) as Gas
}

/// Gas of a memory of so many words: linear, and quadratic beyond.
pub(crate) fn memory(words: u64) -> Gas {
    3 * words + words * words / 512
}
