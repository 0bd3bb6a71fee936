//! What members sign, and whether they did.

use secp256k1::Keypair;
use serde::{Deserialize, Serialize};
use sha2::Digest;

use super::error::FinalityError;
use crate::{
    codec,
    hash::{BlockHash, tagged_hasher},
    spec::{Finality, MOST_MEMBERS},
    transaction::{
        coin::{KeyBytes, Signature},
        sighash::SignatureCheck,
    },
    units::Height,
};

/// Most signatures of a certificate or proof: a quorum of the largest group.
pub(super) const MOST_SIGNATURES: usize = 2 * (MOST_MEMBERS / 3) + 1;

/// The hash that a signature is of.
pub(super) type Digest32 = [u8; 32];

/// Verifies signatures; the verdicts are in their order. The caller has the cores for that, and may remember verdicts.
pub type Verify<'v> = dyn FnMut(&[SignatureCheck]) -> Vec<bool> + 'v;

/// Verifies one signature after the other, for callers without a [`Verify`] of their own.
pub fn verify_each(checks: &[SignatureCheck]) -> Vec<bool> {
    checks.iter().map(|check| check.verify()).collect()
}

/// The signature of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Whose: a place in the list of members.
    pub member: u8,
    /// The signature (BIP 340).
    pub signature: Signature,
}

/// Who votes on which chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Electorate {
    /// Hash of the genesis block: no signature of one chain is valid on another.
    pub genesis: BlockHash,
    /// The chain's parameters.
    pub rules: Finality,
}

impl Electorate {
    /// The message of a certificate's signatures.
    pub(super) fn certificate_message(&self, height: Height, hash: &BlockHash) -> Digest32 {
        // FIN-2
        let hasher = tagged_hasher("Cairn/certificate").chain_update(self.genesis.0);
        hasher.chain_update(height.to_le_bytes()).chain_update(hash.0).finalize().into()
    }

    /// The message of a vote's signature.
    pub(super) fn vote_message<T: Serialize>(&self, height: Height, content: &T) -> Digest32 {
        let hasher = tagged_hasher("Cairn/vote").chain_update(self.genesis.0);
        hasher.chain_update(height.to_le_bytes()).chain_update(codec::encode(content)).finalize().into()
    }

    /// Checks that a height is that of a checkpoint.
    pub(super) fn check_height(&self, height: Height) -> Result<(), FinalityError> {
        // FIN-2
        if self.rules.is_checkpoint(height) {
            Ok(())
        } else {
            Err(FinalityError::Height { got: height, interval: self.rules.interval })
        }
    }

    /// Checks that there is a member of this number.
    pub(super) fn check_member(&self, member: u8) -> Result<(), FinalityError> {
        let members = self.rules.count();
        if member < members { Ok(()) } else { Err(FinalityError::Foreign { member, members }) }
    }

    /// Checks that exactly a quorum of members is there, each once and in order: a list has one form.
    pub(super) fn check_quorum(&self, members: impl ExactSizeIterator<Item = u8>) -> Result<(), FinalityError> {
        let (got, expected) = (members.len(), self.rules.quorum());
        // FIN-2
        if got != expected {
            return Err(FinalityError::Count { got, expected });
        }
        let mut before = None;
        for member in members {
            self.check_member(member)?;
            if before.is_some_and(|before| before >= member) {
                return Err(FinalityError::Order(member));
            }
            before = Some(member);
        }
        Ok(())
    }

    /// Checks that members signed messages. Nobody else did.
    pub(super) fn verify(&self, signed: &[(Signed, Digest32)], verify: &mut Verify) -> Result<(), FinalityError> {
        let check = |(signed, message): &(Signed, Digest32)| {
            let (member, members) = (signed.member, self.rules.count());
            let key = self.rules.members.get(usize::from(member));
            let key = *key.ok_or(FinalityError::Foreign { member, members })?;
            Ok(SignatureCheck { key, message: *message, signature: signed.signature })
        };
        let checks = signed.iter().map(check).collect::<Result<Vec<_>, _>>()?;
        let verdicts = verify(&checks);
        let forged = signed.iter().zip(verdicts).find(|(_, is_good)| !is_good);
        forged.map_or(Ok(()), |((signed, _), _)| Err(FinalityError::Signature(signed.member)))
    }

    /// The member that has this key, if one has.
    pub fn member(&self, pair: &Keypair) -> Option<u8> {
        let key = KeyBytes::of(pair);
        let place = self.rules.members.iter().position(|member| *member == key)?;
        u8::try_from(place).ok()
    }
}

/// A signature, the same each time: there is no randomness here.
pub(super) fn sign(message: &Digest32, pair: &Keypair) -> Signature {
    pair.sign_schnorr_no_aux_rand(message).to_byte_array().into()
}
