//! What all precompiled contracts share: how they end, how they are paid, how they read and write words.

use alloy_primitives::Bytes;

use crate::units::Gas;

/// Why a precompiled contract broke off. All its gas is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrecompileError {
    /// The gas does not pay for it.
    OutOfGas,
    /// It refuses the input.
    InvalidInput,
}

/// Gas used and output.
pub type PrecompileResult = Result<(Gas, Bytes), PrecompileError>;

/// The price, if the gas covers it.
pub(super) fn charge(gas: Gas, price: Gas) -> Result<Gas, PrecompileError> {
    // VM-18
    if price > gas { Err(PrecompileError::OutOfGas) } else { Ok(price) }
}

/// `N` bytes of the input from `start` on; where it has ended, zeros.
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
