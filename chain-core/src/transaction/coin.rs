//! Coins: unspent outputs, and the transactions that spend and create them.

use alloy_primitives::Address;
use serde::{Deserialize, Deserializer, Serialize, de};
use sha2::{Digest, Sha256};
use std::fmt;

use crate::{
    codec::{self, Tight},
    gas,
    hash::{TxId, sha256, sha256d},
    transaction::policy::{Policy, Proof},
    units::{Amount, Gas, Height},
};

pub use crate::{
    hash::OutPoint,
    transaction::key::{KeyBytes, Signature},
};

/// Who may spend a coin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lock {
    /// The holder of this key.
    Key(KeyBytes),
    /// Creates no coin: credits the account when the transaction runs.
    Account(#[serde(with = "codec::fixed")] Address),
    /// Anyone who reveals the policy with this hash and satisfies it.
    Policy(#[serde(with = "codec::fixed")] [u8; 32]),
}

impl Policy {
    /// The lock that this policy opens.
    pub fn lock(&self) -> Lock {
        Lock::Policy(self.hash())
    }
}

/// An amount under a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Output {
    /// Value in grains.
    pub amount: Amount,
    /// Who may spend it.
    pub lock: Lock,
}

/// An unspent output with its origin, which later rules need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Coin {
    /// Amount and lock.
    pub output: Output,
    /// Height of the block that created it.
    pub height: Height,
    /// Whether a coinbase created it, so that it must mature.
    pub coinbase: bool,
}

/// The proof of the right to spend one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Witness {
    /// For [`Lock::Key`].
    Key(Signature),
    /// For [`Lock::Policy`]: the policy, and one item for each of its leaves.
    Policy(Policy, Proof),
}

/// A coin transaction. `witnesses[i]` spends `inputs[i]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoinTransaction {
    /// Coins that are spent.
    pub inputs: Vec<OutPoint>,
    /// Coins to create and accounts to credit.
    pub outputs: Vec<Output>,
    /// One for each input.
    pub witnesses: Vec<Witness>,
}

impl<'de> Deserialize<'de> for CoinTransaction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TransactionVisitor;
        impl<'de> de::Visitor<'de> for TransactionVisitor {
            type Value = CoinTransaction;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("inputs, outputs and as many witnesses as inputs")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut fields: A) -> Result<CoinTransaction, A::Error> {
                let cut = || de::Error::custom("fewer fields than a coin transaction has");
                let Tight(inputs) = fields.next_element()?.ok_or_else(cut)?;
                let Tight(outputs) = fields.next_element()?.ok_or_else(cut)?;
                let witnesses = fields.next_element_seed(Witnesses { expected: inputs.len() })?.ok_or_else(cut)?;
                Ok(CoinTransaction { inputs, outputs, witnesses })
            }
        }
        deserializer.deserialize_tuple(3, TransactionVisitor)
    }
}

/// The witnesses of this many inputs. Another number is rejected here already (COIN-3): a witness of three bytes takes
/// 72 in memory, an input of 33 about as many, so only both together are bounded by the bytes received.
struct Witnesses {
    expected: usize,
}

impl<'de> de::DeserializeSeed<'de> for Witnesses {
    type Value = Vec<Witness>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Witness>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> de::Visitor<'de> for Witnesses {
    type Value = Vec<Witness>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} witnesses, one for each input", self.expected)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Witness>, A::Error> {
        // COIN-3
        match seq.size_hint() {
            Some(count) if count != self.expected => return Err(de::Error::invalid_length(count, &self)),
            _ => {}
        }
        let mut witnesses = Vec::with_capacity(self.expected);
        while let Some(witness) = seq.next_element()? {
            witnesses.push(witness);
        }
        Ok(witnesses)
    }
}

/// Tag byte of a coin transaction, as in [`crate::transaction::Transaction`].
const COIN_TAG: u8 = 1;

impl CoinTransaction {
    /// SHA-256d of the encoding without witnesses: tag, inputs, outputs.
    pub fn txid(&self) -> TxId {
        TxId(sha256d(&codec::encode(&(COIN_TAG, &self.inputs, &self.outputs))))
    }

    /// Appends the encoded transaction, tag included, to the buffer; returns its identifier and merkle leaf. The
    /// identifier hashes a prefix of the encoding, so both share the work.
    pub(crate) fn digest(&self, buffer: &mut Vec<u8>) -> (TxId, [u8; 32]) {
        let start = buffer.len();
        codec::encode_into(buffer, &(COIN_TAG, &self.inputs, &self.outputs));
        let without_witnesses = Sha256::new_with_prefix(&buffer[start..]);
        let witnesses = buffer.len();
        codec::encode_into(buffer, &self.witnesses);
        let all = without_witnesses.clone().chain_update(&buffer[witnesses..]);
        (TxId(sha256(&without_witnesses.finalize())), sha256(&all.finalize()))
    }

    /// Gas of a transaction of `size` encoded bytes: 16 a byte, 5,000 an input or signature, 8,000 an output.
    pub fn gas(&self, size: usize) -> Gas {
        let signatures = self.witnesses.iter().map(Witness::signatures).sum::<u64>();
        gas::BYTE * size as u64 + gas::SIGNATURE * signatures + gas::OUTPUT * self.outputs.len() as u64
    }

    /// Size in bytes of the encoded [`crate::transaction::Transaction`], tag and witnesses included.
    pub fn size(&self) -> usize {
        1 + codec::encode(self).len()
    }
}

impl Witness {
    /// Number of signatures charged: those given, at least one.
    pub fn signatures(&self) -> u64 {
        match self {
            Self::Key(_) => 1,
            Self::Policy(_, proof) => proof.signatures().max(1),
        }
    }
}
