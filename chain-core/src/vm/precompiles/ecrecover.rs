//! 0x01: the account whose key signed a hash.

use alloy_primitives::Bytes;
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};

use super::result::{PrecompileResult, charge, padded};
use crate::{transaction::account::address_of, units::Gas};

const PRICE: Gas = 3_000;

/// Input: hash, `v` (27 or 28), `r`, `s`, 32 bytes each. Returns no bytes if no key gives this signature. A high `s` is
/// valid here, unlike in transactions.
pub(super) fn recover(input: &[u8], gas: Gas) -> PrecompileResult {
    let used = charge(gas, PRICE)?;
    let output = signer(&padded(input, 0)).unwrap_or_default();
    Ok((used, output))
}

fn signer(input: &[u8; 128]) -> Option<Bytes> {
    let (hash, rest) = input.split_first_chunk::<32>()?;
    let (v, signature) = rest.split_first_chunk::<32>()?;
    let parity = match v {
        [zeros @ .., 27] if zeros == &[0; 31] => RecoveryId::Zero,
        [zeros @ .., 28] if zeros == &[0; 31] => RecoveryId::One,
        _ => return None,
    };
    let signature = RecoverableSignature::from_compact(signature, parity).ok()?;
    let key = signature.recover_ecdsa(Message::from_digest(*hash)).ok()?;
    Some(Bytes::copy_from_slice(address_of(&key).into_word().as_slice()))
}
