//! Decoding and signing hash of account transactions.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256, uint};
use secp256k1::{
    Message, PublicKey, SecretKey,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    fields::{Authorization, Fields},
    rlp,
};
use crate::error::RuleError;

/// A decoded, well-formed account transaction with its raw bytes. The sender is recovered separately, since that is
/// expensive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTransaction {
    raw: Bytes,
    hash: B256,
    /// Boxed, so that coin transactions do not take the size of account transactions.
    fields: Box<Fields>,
    signing_hash: B256,
    /// `r || s`, then the parity.
    signature: ([u8; 64], bool),
}

/// Half of the order of secp256k1: the largest `s` (EIP-2).
const HALF_ORDER: U256 = uint!(0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0_U256);
/// Order of secp256k1.
const ORDER: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);

/// The byte of r, which is 2^160 + an address, before that address.
const NAMED: usize = 11;

impl AccountTransaction {
    /// Decodes the raw bytes of a signed transaction.
    ///
    /// # Errors
    /// [`RuleError`] for malformed RLP, unsupported types, legacy signatures without a chain id, and r or s out of range.
    pub fn decode(raw: Bytes) -> Result<Self, RuleError> {
        let envelope = rlp::decode(&raw, &raw)?;
        // ACC-3
        if envelope.r.is_zero() || envelope.r >= ORDER || envelope.s.is_zero() || envelope.s > HALF_ORDER {
            return Err(RuleError::BadAccountSignature);
        }
        let fields = envelope.fields;
        let preimage = rlp::signing_preimage(fields.tx_type, fields.chain_id, envelope.unsigned);
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&envelope.r.to_be_bytes::<32>());
        signature[32..].copy_from_slice(&envelope.s.to_be_bytes::<32>());
        let parity = envelope.parity;
        Ok(Self {
            hash: keccak256(&raw),
            signing_hash: keccak256(preimage),
            signature: (signature, parity),
            fields: Box::new(fields),
            raw,
        })
    }

    /// The raw EIP-2718 bytes.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Assembles a signed transaction from its fields and a signature of [`Fields::signing_hash`]: `r || s`, and the
    /// parity of the point's y.
    ///
    /// # Errors
    /// [`RuleError`] as for [`AccountTransaction::decode`], and for fields that the type does not have.
    pub fn from_parts(fields: Fields, signature: [u8; 64], parity: bool) -> Result<Self, RuleError> {
        let r = U256::from_be_slice(&signature[..32]);
        let s = U256::from_be_slice(&signature[32..]);
        let transaction = Self::decode(rlp::encode_signed(&fields, r, s, parity).into())?;
        if *transaction.fields != fields {
            return Err(RuleError::MalformedAccountTransaction("the type has no room for these fields"));
        }
        Ok(transaction)
    }

    /// The transaction of a simulation: its signature is zero, so that no block may hold it.
    pub fn unsigned(fields: Fields) -> Self {
        let raw = Bytes::from(rlp::encode_signed(&fields, U256::ZERO, U256::ZERO, false));
        let signing_hash = fields.signing_hash();
        Self { hash: keccak256(&raw), signing_hash, signature: ([0; 64], false), fields: Box::new(fields), raw }
    }

    /// Signs the fields, deterministically (RFC 6979).
    ///
    /// # Errors
    /// [`RuleError`] if the fields are not those of a well-formed transaction.
    pub fn sign(fields: Fields, key: &SecretKey) -> Result<Self, RuleError> {
        let signature =
            RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(fields.signing_hash().0), key);
        let (parity, bytes) = signature.serialize_compact();
        Self::from_parts(fields, bytes, parity == RecoveryId::One)
    }

    /// A transaction that only names its sender: valid on development chains alone (DEV-2).
    ///
    /// # Errors
    /// As for [`AccountTransaction::from_parts`].
    pub fn naming(fields: Fields, sender: Address) -> Result<Self, RuleError> {
        let mut signature = [0; 64];
        signature[NAMED] = 1;
        signature[NAMED + 1..32].copy_from_slice(sender.as_slice());
        signature[63] = 1;
        Self::from_parts(fields, signature, false)
    }

    /// The sender that [`AccountTransaction::naming`] named. Everywhere but on development chains it means nothing.
    pub fn named_sender(&self) -> Option<Address> {
        let (signature, parity) = &self.signature;
        let mut expected = [0; 64];
        expected[NAMED..32].copy_from_slice(&signature[NAMED..32]);
        (expected[NAMED], expected[63]) = (1, 1);
        (*signature == expected && !parity).then(|| Address::from_slice(&signature[NAMED + 1..32]))
    }

    /// keccak-256 of the raw bytes.
    pub fn hash(&self) -> B256 {
        self.hash
    }

    /// The fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The signature: `r || s`, and the parity of the point's y.
    pub fn signature(&self) -> ([u8; 64], bool) {
        self.signature
    }

    /// Recovers the sender: one elliptic curve operation.
    ///
    /// # Errors
    /// [`RuleError::BadAccountSignature`] if no key gives this signature.
    pub fn recover_sender(&self) -> Result<Address, RuleError> {
        let (bytes, parity) = &self.signature;
        // ACC-3
        recover(bytes, *parity, Message::from_digest(self.signing_hash.0)).ok_or(RuleError::BadAccountSignature)
    }
}

impl Authorization {
    /// Recovers the signer; `None` if no key gives this signature.
    pub fn recover(&self) -> Option<Address> {
        if self.y_parity > 1 || self.r.is_zero() || self.r >= ORDER || self.s.is_zero() || self.s > HALF_ORDER {
            return None;
        }
        let message = Message::from_digest(keccak256(rlp::authorization_preimage(self)).0);
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.r.to_be_bytes::<32>());
        bytes[32..].copy_from_slice(&self.s.to_be_bytes::<32>());
        recover(&bytes, self.y_parity == 1, message)
    }
}

/// The account that made a signature, `r || s` and the parity of the point's y.
fn recover(signature: &[u8; 64], parity: bool, message: Message) -> Option<Address> {
    let parity = RecoveryId::from_u8_masked(u8::from(parity));
    let signature = RecoverableSignature::from_compact(signature, parity).ok()?;
    signature.recover_ecdsa(message).ok().map(|key| address_of(&key))
}

/// The account that a key controls: the last 20 bytes of the keccak-256 of the point.
pub fn address_of(key: &PublicKey) -> Address {
    Address::from_word(keccak256(&key.serialize_uncompressed()[1..]))
}

impl Fields {
    /// The hash that the sender signs.
    pub fn signing_hash(&self) -> B256 {
        keccak256(rlp::signing_preimage(self.tx_type, self.chain_id, &rlp::encode_unsigned(self)))
    }

    /// Effective tip per gas; `None` if the fee cap does not cover the base fee.
    pub fn effective_tip(&self, base_fee: u64) -> Option<U256> {
        self.fees.effective_tip(base_fee)
    }
}

impl Serialize for AccountTransaction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::codec::bytes::serialize(&self.raw, serializer)
    }
}

impl<'de> Deserialize<'de> for AccountTransaction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw: Vec<u8> = crate::codec::bytes::deserialize(deserializer)?;
        Self::decode(raw.into()).map_err(serde::de::Error::custom)
    }
}
