//! Keys and signatures of coins (BIP 340).

use secp256k1::Keypair;
use serde::{Deserialize, Serialize};

use crate::codec;

/// An x-only public key (BIP 340). Any 32 bytes are accepted; only points of the curve can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyBytes(#[serde(with = "codec::fixed")] pub [u8; 32]);

impl KeyBytes {
    /// The public half of a pair.
    pub fn of(pair: &Keypair) -> Self {
        Self(pair.x_only_public_key().0.to_byte_array())
    }
}

/// A BIP 340 signature.
pub type Signature = codec::fixed::Array<64>;
