//! Signing a coin transaction, alone or with others, and completing it.

use std::collections::BTreeSet;

use chain_core::{
    transaction::{
        coin::{Coin, CoinTransaction, KeyBytes, Witness},
        policy::Proof,
        sighash::{SignatureCheck, sighash},
        spend::spend_checks,
    },
    units::Height,
};

use super::{
    coin::{CoinDraft, Hex32, Input, KeySignature, rule},
    error::DraftError,
    proof::Gathered,
};
use crate::{keys::Signer, network::Network, own::KeyTable};

impl CoinDraft {
    /// Drops every signature that does not verify or is by a key that the input does not ask for: else anyone who handles
    /// the file could keep an owner from signing. Returns how many were dropped.
    pub fn drop_bogus(&mut self, network: &Network) -> Result<usize, DraftError> {
        let (tx, spent) = self.unsigned(network)?;
        let message_of = sighash(&network.genesis, &tx, &spent);
        let mut dropped = 0;
        for ((number, input), coin) in (0u32..).zip(&mut self.inputs).zip(&spent) {
            let keys = input.keys(&coin.output.lock);
            let before = input.signatures.len();
            let mut seen = BTreeSet::new();
            input.signatures.retain(|given| {
                let key = KeyBytes(given.key.0);
                let check = SignatureCheck { key, message: message_of(number), signature: given.signature.into() };
                keys.contains(&key) && check.verify() && seen.insert(key)
            });
            dropped += before - input.signatures.len();
        }
        Ok(dropped)
    }

    /// Signs what this wallet has keys for, after dropping what does not verify; returns how many signatures are new.
    pub(super) fn sign(&mut self, network: &Network, signer: &Signer, own: &KeyTable) -> Result<usize, DraftError> {
        self.check(network)?;
        self.drop_bogus(network)?;
        let (tx, spent) = self.unsigned(network)?;
        let message_of = sighash(&network.genesis, &tx, &spent);
        let mut new = 0;
        for ((number, input), coin) in (0u32..).zip(&mut self.inputs).zip(&spent) {
            for key in input.keys(&coin.output.lock) {
                let Some((branch, index)) = own.coin(&key, input.key) else { continue };
                if input.signature_of(&key).is_some() {
                    continue;
                }
                let signature = signer.sign_coin(branch, index, &message_of(number))?;
                input.signatures.push(KeySignature { key: Hex32(key.0), signature: signature.0 });
                new += 1;
            }
        }
        Ok(new)
    }

    /// The transaction with its witnesses, verified as a node would.
    pub(super) fn finish(&self, network: &Network, height: Height) -> Result<CoinTransaction, DraftError> {
        self.check(network)?;
        let (mut tx, spent) = self.unsigned_at(network, height)?;
        for (number, (input, coin)) in self.inputs.iter().zip(&spent).enumerate() {
            tx.witnesses.push(witness(number, input, coin, height)?);
        }
        let checks = spend_checks(&network.genesis, &tx, &spent, height).map_err(rule)?;
        match checks.iter().find(|check| !check.verify()) {
            Some(bad) => {
                let what = format!("the signature by key {} does not verify", hex::encode(bad.key.0));
                Err(DraftError::Contradiction(what))
            }
            None => Ok(tx),
        }
    }

    /// Adds what another copy has gathered, as far as it verifies.
    pub(super) fn combine(&mut self, network: &Network, mut other: Self) -> Result<(), DraftError> {
        if self.outputs != other.outputs {
            return Err(DraftError::NotParts("the outputs"));
        }
        let bare = |input: &Input| Input { preimages: Vec::new(), signatures: Vec::new(), ..input.clone() };
        if !self.inputs.iter().map(bare).eq(other.inputs.iter().map(bare)) {
            return Err(DraftError::NotParts("the inputs"));
        }
        self.drop_bogus(network)?;
        other.drop_bogus(network)?;
        for (input, more) in self.inputs.iter_mut().zip(other.inputs) {
            let known: BTreeSet<_> = input.signatures.iter().map(|given| given.key).collect();
            input.signatures.extend(more.signatures.into_iter().filter(|given| !known.contains(&given.key)));
            let known: BTreeSet<_> = input.preimages.iter().copied().collect();
            input.preimages.extend(more.preimages.into_iter().filter(|given| !known.contains(given)));
        }
        Ok(())
    }
}

/// The witness of one input from what has been gathered.
fn witness(number: usize, input: &Input, coin: &Coin, height: Height) -> Result<Witness, DraftError> {
    let lock = &coin.output.lock;
    let Some(policy) = &input.policy else {
        let signature = input.keys(lock).first().and_then(|key| input.signature_of(key));
        let missing = || DraftError::Incomplete(format!("input {number} ({}) is not signed", input.address));
        return Ok(Witness::Key(signature.ok_or_else(missing)?));
    };
    let (preimages, age) = (&input.preimages, height.saturating_sub(coin.height));
    let gathered = Gathered { signature: &|key| input.signature_of(key), preimages, height, age };
    let proof: Proof = policy.prove(&gathered).ok_or_else(|| DraftError::Incomplete(gathered.lacks(number, policy)))?;
    Ok(Witness::Policy(policy.clone(), proof))
}
