//! 0x100: an ECDSA signature on the curve P-256 (EIP-7951).

use alloy_primitives::Bytes;
use aws_lc_rs::{
    digest::{Digest, SHA256},
    signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey},
};

use super::result::{PrecompileResult, charge, truth};
use crate::units::Gas;

const PRICE: Gas = 6_900;

/// Tag of an uncompressed point (SEC 1).
const UNCOMPRESSED: u8 = 4;

/// Input: hash, `r`, `s`, and the key's `x` and `y`, 32 bytes each. Returns 1, or no bytes if the signature is invalid.
pub(super) fn verify(input: &[u8], gas: Gas) -> PrecompileResult {
    let used = charge(gas, PRICE)?;
    let output = if is_signed(input) == Some(true) { truth(true) } else { Bytes::new() };
    Ok((used, output))
}

fn is_signed(input: &[u8]) -> Option<bool> {
    let (hash, rest) = input.split_first_chunk::<32>()?;
    let (signature, point) = rest.split_first_chunk::<64>()?;
    let mut key = [UNCOMPRESSED; 65];
    key[1..].copy_from_slice(<&[u8; 64]>::try_from(point).ok()?);
    let hash = Digest::import_less_safe(hash, &SHA256).ok()?;
    let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).ok()?;
    Some(key.verify_digest_sig(&hash, signature).is_ok())
}
