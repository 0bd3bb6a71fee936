//! The precompiled contracts: functions of bytes that are expensive to compute in the EVM. They do not access the
//! state.
//!
//! Each charges its price before it allocates or computes anything, so that gas bounds time and memory. There is none
//! at 0x0a (KZG), since this chain has no blobs: that address is an ordinary account, except that it is always warm.

mod blake2f;
mod bls12_381;
mod bn254;
mod ecrecover;
mod hash;
mod modexp;
mod p256;
mod result;
#[cfg(test)]
mod tests;

pub use result::{PrecompileError, PrecompileResult};

use alloy_primitives::Address;

use crate::{units::Gas, vm::environment::Revision};

/// Address of Ethereum's point evaluation contract (EIP-4844).
const KZG: Address = Address::with_last_byte(0x0a);

type Precompile = fn(&[u8], Gas) -> PrecompileResult;

/// Whether a revision has a precompiled contract at an address.
#[inline]
pub fn is_precompile(revision: Revision, address: &Address) -> bool {
    find(revision, address).is_some()
}

/// Whether an address is warm at the start of a transaction because of its contract: 0x0a too, so that accessing it
/// costs the same as on Ethereum.
#[inline]
pub fn is_accessed(revision: Revision, address: &Address) -> bool {
    // VM-2
    is_precompile(revision, address) || *address == KZG
}

/// Runs the precompiled contract at an address; `None` if there is none.
#[inline]
pub fn run(revision: Revision, address: &Address, input: &[u8], gas: Gas) -> Option<PrecompileResult> {
    find(revision, address).map(|precompile| precompile(input, gas))
}

#[inline]
fn find(revision: Revision, address: &Address) -> Option<Precompile> {
    let (zeros, number) = address.split_last_chunk::<2>()?;
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    // VM-17
    match (revision, u16::from_be_bytes(*number)) {
        (_, 0x01) => Some(ecrecover::recover),
        (_, 0x02) => Some(hash::sha256),
        (_, 0x03) => Some(hash::ripemd160),
        (_, 0x04) => Some(hash::identity),
        (Revision::Cancun, 0x05) => Some(modexp::cancun),
        (_, 0x05) => Some(modexp::osaka),
        (_, 0x06) => Some(bn254::add),
        (_, 0x07) => Some(bn254::multiply),
        (_, 0x08) => Some(bn254::pairing),
        (_, 0x09) => Some(blake2f::compress),
        (Revision::Cancun, _) => None,
        (_, 0x0b) => Some(bls12_381::add_g1),
        (_, 0x0c) => Some(bls12_381::weigh_g1),
        (_, 0x0d) => Some(bls12_381::add_g2),
        (_, 0x0e) => Some(bls12_381::weigh_g2),
        (_, 0x0f) => Some(bls12_381::pairing),
        (_, 0x10) => Some(bls12_381::map_to_g1),
        (_, 0x11) => Some(bls12_381::map_to_g2),
        (_, 0x100) => Some(p256::verify),
        _ => None,
    }
}
