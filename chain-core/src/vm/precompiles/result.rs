//! Shared by all precompiled contracts: their result, price, and how they read and write words.

use alloy_primitives::Bytes;

use crate::units::Gas;

/// Why a precompiled contract failed. All its gas is consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrecompileError {
    /// Out of gas.
    OutOfGas,
    /// Invalid input.
    InvalidInput,
}

/// Gas used and output.
pub type PrecompileResult = Result<(Gas, Bytes), PrecompileError>;

/// Returns the price, if the gas covers it.
pub(super) fn charge(gas: Gas, price: Gas) -> Result<Gas, PrecompileError> {
    // VM-18
    if price > gas { Err(PrecompileError::OutOfGas) } else { Ok(price) }
}

/// `N` bytes of the input from `start` on, padded with zeros.
pub(super) fn padded<const N: usize>(input: &[u8], start: usize) -> [u8; N] {
    let mut bytes = [0; N];
    let rest = input.get(start..).unwrap_or_default();
    let len = rest.len().min(N);
    bytes[..len].copy_from_slice(&rest[..len]);
    bytes
}

/// A word that is 1 or 0.
pub(super) fn truth(value: bool) -> Bytes {
    let mut word = [0; 32];
    word[31] = u8::from(value);
    Bytes::copy_from_slice(&word)
}
