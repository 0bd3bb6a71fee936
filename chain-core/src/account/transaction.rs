//! Decoding and signing hash of account transactions.

use alloy_primitives::{Address, B256, Bytes, U256};
use secp256k1::{
    Message, SecretKey,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{error::RuleError, units::Gas};

/// How a transaction bids for gas, in wei a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fees {
    /// Types 0 and 1.
    Legacy {
        /// Paid for each unit, base fee included.
        gas_price: U256,
    },
    /// Types 2 and 4 (EIP-1559).
    Dynamic {
        /// Most that is paid, base fee included.
        max_fee: U256,
        /// Most of it that goes to the beneficiary.
        max_priority_fee: U256,
    },
}

/// An EIP-7702 authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// 0 for any chain.
    pub chain_id: U256,
    /// The code to delegate to.
    pub address: Address,
    /// Nonce of the authority.
    pub nonce: u64,
    /// Parity of the signature, as encoded.
    pub y_parity: u8,
    /// Signature.
    pub r: U256,
    /// Signature.
    pub s: U256,
}

/// What an account transaction says, whatever its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// EIP-2718 type; 0 for legacy.
    pub tx_type: u8,
    /// The chain it is for.
    pub chain_id: u64,
    /// The sender's nonce.
    pub nonce: u64,
    /// Bid for gas.
    pub fees: Fees,
    /// Most gas to use.
    pub gas_limit: Gas,
    /// Whom it calls; `None` creates a contract.
    pub to: Option<Address>,
    /// Wei sent along.
    pub value: U256,
    /// Calldata or initcode.
    pub input: Bytes,
    /// EIP-2930.
    pub access_list: Vec<(Address, Vec<B256>)>,
    /// EIP-7702.
    pub authorizations: Vec<Authorization>,
}

/// A decoded, well-formed account transaction together with its raw bytes. The sender is recovered apart, since that is
/// the dear part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTransaction {
    raw: Bytes,
    hash: B256,
    fields: Fields,
    signing_hash: B256,
    /// `r || s`, then the parity.
    signature: ([u8; 64], bool),
}

impl AccountTransaction {
    /// Decodes the raw bytes of a signed transaction.
    ///
    /// # Errors
    /// [`RuleError`] for malformed RLP, unsupported types, legacy signatures without a chain id, and r or s out of range.
    pub fn decode(_raw: Bytes) -> Result<Self, RuleError> {
        todo!()
    }

    /// The raw EIP-2718 bytes.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Assembles a signed transaction from what it says and a signature of [`Fields::signing_hash`]: `r || s`, and the
    /// parity of the point's y.
    ///
    /// # Errors
    /// [`RuleError`] as for [`AccountTransaction::decode`].
    pub fn from_parts(_fields: Fields, _signature: [u8; 64], _parity: bool) -> Result<Self, RuleError> {
        todo!()
    }

    /// Signs what `fields` say; deterministic (RFC 6979).
    ///
    /// # Errors
    /// [`RuleError`] if the fields are not those of a well-formed transaction.
    pub fn sign(fields: Fields, key: &SecretKey) -> Result<Self, RuleError> {
        let signature =
            RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(fields.signing_hash().0), key);
        let (parity, bytes) = signature.serialize_compact();
        Self::from_parts(fields, bytes, parity == RecoveryId::One)
    }

    /// keccak-256 of the raw bytes.
    pub fn hash(&self) -> B256 {
        self.hash
    }

    /// What it says.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Recovers who signed it: one elliptic curve operation.
    ///
    /// # Errors
    /// [`RuleError::BadAccountSignature`] if no key gives this signature.
    pub fn recover_sender(&self) -> Result<Address, RuleError> {
        let _ = (&self.signing_hash, &self.signature);
        todo!()
    }
}

impl Fields {
    /// The hash that the sender signs.
    pub fn signing_hash(&self) -> B256 {
        todo!()
    }

    /// Wei for each unit of gas that goes to the beneficiary; `None` if the fee cap does not cover the base fee.
    pub fn effective_tip(&self, _base_fee: u64) -> Option<U256> {
        todo!()
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
