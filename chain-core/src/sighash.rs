//! The message that a coin transaction's signatures sign.

use crate::{
    coin::{Coin, CoinTransaction, KeyBytes, Signature},
    hash::BlockHash,
};

/// The message that the signatures of each input sign, by input index. What the inputs share is hashed once, so that
/// signing or checking a transaction is linear in its size.
///
/// `spent` are the coins of `tx.inputs`, in order; their heights do not matter.
pub fn sighash(_genesis: &BlockHash, _tx: &CoinTransaction, _spent: &[Coin]) -> impl Fn(u32) -> [u8; 32] + use<> {
    |_| todo!()
}

/// A signature to verify: dear, and independent of all others. Its verdict depends on nothing but its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignatureCheck {
    /// Who should have signed.
    pub key: KeyBytes,
    /// What should have been signed.
    pub message: [u8; 32],
    /// The signature.
    pub signature: Signature,
}

impl SignatureCheck {
    /// Whether the signature is one by the key over the message (BIP 340).
    pub fn verify(&self) -> bool {
        todo!()
    }
}
