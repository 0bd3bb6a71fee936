//! The message that a coin transaction's signatures sign.

use crate::coin::{KeyBytes, Signature};

/// A signature to verify, apart from all others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignatureCheck {
    /// Who should have signed.
    pub key: KeyBytes,
    /// What.
    pub message: [u8; 32],
    /// The signature.
    pub signature: Signature,
}
