//! The message that a coin transaction's signatures sign, and their verification.

use secp256k1::{XOnlyPublicKey, schnorr};
use sha2::Digest;

use crate::{
    codec,
    coin::{Coin, CoinTransaction, KeyBytes, Output, Signature},
    hash::{BlockHash, sha256, tagged_hasher},
};

/// The message that the signatures of each input sign, by input index. What the inputs share is hashed once, so that
/// signing or checking a transaction is linear in its size.
///
/// `spent` are the coins of `tx.inputs`, in order; their heights do not matter.
pub fn sighash(genesis: &BlockHash, tx: &CoinTransaction, spent: &[Coin]) -> impl Fn(u32) -> [u8; 32] + use<> {
    // SIG-1
    let spent: Vec<Output> = spent.iter().map(|coin| coin.output).collect();
    let common = sha256(&codec::encode(&(&tx.inputs, spent, &tx.outputs)));
    let shared = tagged_hasher("Cairn/sighash").chain_update(genesis.0).chain_update(common);
    move |input| shared.clone().chain_update(input.to_le_bytes()).finalize().into()
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
    /// Whether the signature is one by the key over the message (BIP 340). A key that is no point of the curve signs
    /// nothing.
    pub fn verify(&self) -> bool {
        // COIN-12
        XOnlyPublicKey::from_byte_array(self.key.0).is_ok_and(|key| {
            let signature = schnorr::Signature::from_byte_array(self.signature.0);
            schnorr::verify(&signature, &self.message, &key).is_ok()
        })
    }
}
