//! Signatures in bulk, for loads.

use chain_core::transaction::coin::Signature;
use secp256k1::{Keypair, ffi, ffi::CPtr, with_raw_global_context};

/// Signs without blinding the context anew after each signature, which takes as long as signing: fine for keys that are no
/// secret, and for no others.
///
/// # Panics
/// Never: a key pair can sign.
pub fn sign_fast(key: &Keypair, message: &[u8; 32]) -> Signature {
    let mut signature = [0; 64];
    let extra = ffi::SchnorrSigExtraParams::new(None, std::ptr::null());
    let sign = |context: std::ptr::NonNull<ffi::Context>| {
        // SAFETY: all pointers are to values that outlive the call, and the message is as long as is said.
        unsafe {
            ffi::secp256k1_schnorrsig_sign_custom(
                context.as_ptr(),
                signature.as_mut_ptr(),
                message.as_ptr(),
                message.len(),
                key.as_c_ptr(),
                &extra,
            )
        }
    };
    assert_eq!(with_raw_global_context(sign, None), 1, "a key pair can sign");
    Signature::from(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_slow_way_does() {
        let key = Keypair::from_secret_bytes([7; 32]).unwrap();
        let slow = key.sign_schnorr_no_aux_rand(&[1; 32]).to_byte_array();
        assert_eq!(sign_fast(&key, &[1; 32]), Signature::from(slow));
    }
}
