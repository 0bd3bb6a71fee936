//! What members sign, and whether they did.

use secp256k1::Keypair;
use serde::{Deserialize, Serialize};
use sha2::Digest;

use crate::{
    codec,
    hash::{BlockHash, tagged_hasher},
    spec::Finality,
    transaction::{
        coin::{KeyBytes, Signature},
        sighash::SignatureCheck,
    },
    units::Height,
};

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
    pub(super) fn certificate_message(&self, height: Height, hash: &BlockHash) -> [u8; 32] {
        // FIN-2
        let hasher = tagged_hasher("Cairn/certificate").chain_update(self.genesis.0);
        hasher.chain_update(height.to_le_bytes()).chain_update(hash.0).finalize().into()
    }

    /// The message of a vote's signature.
    pub(super) fn vote_message<T: Serialize>(&self, height: Height, content: &T) -> [u8; 32] {
        let hasher = tagged_hasher("Cairn/vote").chain_update(self.genesis.0);
        hasher.chain_update(height.to_le_bytes()).chain_update(codec::encode(content)).finalize().into()
    }

    /// Whether a member signed a message. Nobody else did.
    pub(super) fn verify(&self, member: u8, message: [u8; 32], signature: Signature) -> bool {
        let key = self.rules.members.get(usize::from(member));
        key.is_some_and(|key| SignatureCheck { key: *key, message, signature }.verify())
    }

    /// The member that has this key, if one has.
    pub fn member(&self, pair: &Keypair) -> Option<u8> {
        let key = KeyBytes(pair.x_only_public_key().0.to_byte_array());
        let place = self.rules.members.iter().position(|member| *member == key)?;
        u8::try_from(place).ok()
    }
}

/// A signature, the same each time: there is no randomness here.
pub(super) fn sign(message: &[u8; 32], pair: &Keypair) -> Signature {
    pair.sign_schnorr_no_aux_rand(message).to_byte_array().into()
}

/// What is wrong with the members of a list of signatures.
pub(super) enum BadSigners {
    Count(usize),
    Foreign(u8),
    Order(u8),
}

/// Checks that exactly a quorum of members is there, each once and in order: a list has one form.
pub(super) fn check_signers(rules: &Finality, members: impl ExactSizeIterator<Item = u8>) -> Result<(), BadSigners> {
    if members.len() != rules.quorum() {
        return Err(BadSigners::Count(members.len()));
    }
    let mut before = None;
    for member in members {
        if member >= rules.count() {
            return Err(BadSigners::Foreign(member));
        }
        if before.is_some_and(|before| before >= member) {
            return Err(BadSigners::Order(member));
        }
        before = Some(member);
    }
    Ok(())
}
