//! 0x02 SHA-256, 0x03 RIPEMD-160 and 0x04, the identity.

use alloy_primitives::Bytes;
use ripemd::Ripemd160;
use sha2::{Digest, Sha256};

use super::result::{PrecompileResult, charge};
use crate::units::Gas;

pub(super) fn sha256(input: &[u8], gas: Gas) -> PrecompileResult {
    let used = charge(gas, price(input, 60, 12))?;
    Ok((used, Bytes::copy_from_slice(&Sha256::digest(input))))
}

pub(super) fn ripemd160(input: &[u8], gas: Gas) -> PrecompileResult {
    let used = charge(gas, price(input, 600, 120))?;
    let mut word = [0; 32];
    word[12..].copy_from_slice(&Ripemd160::digest(input));
    Ok((used, Bytes::copy_from_slice(&word)))
}

pub(super) fn identity(input: &[u8], gas: Gas) -> PrecompileResult {
    let used = charge(gas, price(input, 15, 3))?;
    Ok((used, Bytes::copy_from_slice(input)))
}

/// A base price and a price per word, rounded up.
fn price(input: &[u8], base: Gas, word: Gas) -> Gas {
    base + word * input.len().div_ceil(32) as Gas
}
