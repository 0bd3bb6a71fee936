//! A coin transaction that is to be signed.

use std::collections::BTreeSet;

use chain_core::{
    block::check::check_coin_transaction,
    hash::TxId,
    transaction::{
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Output, Signature, Witness},
        policy::{Policy, PolicyNode, Proof},
        sighash::{SignatureCheck, sighash},
        spend::spend_checks,
    },
    units::{Amount, Height},
};
use serde::{Deserialize, Serialize};

use super::{KeyTable, RequestError, proof::Gathered, unspendable::keeps_all};
use crate::{
    keys::{KeyPath, Signer},
    network::Network,
};

/// A coin transaction that is to be signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CoinRequest {
    /// Coins that are spent.
    pub inputs: Vec<Input>,
    /// Who is paid.
    pub outputs: Vec<OutputLine>,
    /// Inputs less outputs.
    #[serde(with = "crate::text::crn")]
    pub fee: Amount,
}

/// A coin that is spent, with all that its signature commits to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Input {
    /// The transaction that made it.
    #[serde(with = "crate::text")]
    pub txid: TxId,
    /// Which of its outputs.
    pub index: u32,
    /// What it is worth.
    #[serde(with = "crate::text::crn")]
    pub amount: Amount,
    /// Its lock.
    pub address: String,
    /// Height of the block that made it; nothing if none did yet.
    pub height: Option<Height>,
    /// Where the key of a plain coin stands in its owner's tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyPath>,
    /// The policy behind the lock.
    #[serde(default, with = "crate::text::option", skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Preimages for the policy, in hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preimages: Vec<Hex32>,
    /// What has been signed so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<KeySignature>,
}

/// 32 bytes in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hex32(#[serde(with = "hex::serde")] pub [u8; 32]);

/// A signature and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySignature {
    /// An x-only key.
    pub key: Hex32,
    /// By BIP 340.
    #[serde(with = "hex::serde")]
    pub signature: [u8; 64],
}

/// An output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutputLine {
    /// Who is paid: a coin address or an account.
    pub to: String,
    /// How much.
    #[serde(with = "crate::text::crn")]
    pub amount: Amount,
    /// Where the key stands, if it is the sender's change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<KeyPath>,
    /// Whether it takes all that is left after the fee.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rest: bool,
}

impl Input {
    /// What it names.
    pub fn outpoint(&self) -> OutPoint {
        OutPoint { txid: self.txid, index: self.index }
    }

    /// The coin, with a lock read from the address. A coin of no block yet counts as made by the next.
    fn coin(&self, network: &Network, next: Height) -> Result<Coin, RequestError> {
        let lock = network.coin_address(&self.address)?;
        let output = Output { amount: self.amount, lock };
        Ok(Coin { output, height: self.height.unwrap_or(next), coinbase: false })
    }

    /// The keys that may sign for it.
    fn keys(&self, lock: &Lock) -> Vec<KeyBytes> {
        match (lock, &self.policy) {
            (Lock::Key(key), _) => vec![*key],
            (_, Some(policy)) => policy_keys(policy),
            _ => Vec::new(),
        }
    }

    fn signature_of(&self, key: &KeyBytes) -> Option<Signature> {
        self.signatures.iter().find(|given| given.key.0 == key.0).map(|given| given.signature.into())
    }
}

/// The keys of a policy, each once, in order.
pub fn policy_keys(policy: &Policy) -> Vec<KeyBytes> {
    let keys = policy.0.iter().filter_map(|node| match node {
        PolicyNode::Key(key) => Some(key),
        _ => None,
    });
    let mut seen = BTreeSet::new();
    keys.filter(|key| seen.insert(*key)).collect()
}

fn rule(error: impl std::fmt::Display) -> RequestError {
    RequestError::Rule(error.to_string())
}

impl CoinRequest {
    /// The transaction without witnesses, and the coins that it spends.
    ///
    /// # Errors
    /// [`RequestError::Address`].
    pub fn unsigned(&self, network: &Network) -> Result<(CoinTransaction, Vec<Coin>), RequestError> {
        self.unsigned_at(network, Height::MAX)
    }

    fn unsigned_at(&self, network: &Network, next: Height) -> Result<(CoinTransaction, Vec<Coin>), RequestError> {
        let outputs = self.outputs.iter().map(|line| {
            let lock = network.destination(&line.to)?;
            Ok(Output { amount: line.amount, lock })
        });
        let tx = CoinTransaction {
            inputs: self.inputs.iter().map(Input::outpoint).collect(),
            outputs: outputs.collect::<Result<_, RequestError>>()?,
            witnesses: Vec::new(),
        };
        let spent = self.inputs.iter().map(|input| input.coin(network, next)).collect::<Result<_, _>>()?;
        Ok((tx, spent))
    }

    /// Checks that its parts agree.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn check(&self, network: &Network) -> Result<(), RequestError> {
        let (tx, spent) = self.unsigned(network)?;
        if let Some(rest) = self.outputs.iter().find(|line| line.rest && self.outputs.len() > 1) {
            let what = format!("{} is to take all that is left, but there are others", rest.to);
            return Err(RequestError::Contradiction(what));
        }
        for (output, line) in tx.outputs.iter().zip(&self.outputs) {
            if let Lock::Account(account) = &output.lock
                && let Some(what) = keeps_all(account)
            {
                return Err(RequestError::Kept { to: line.to.clone(), what });
            }
        }
        let placeholders = vec![Witness::Key([0; 64].into()); tx.inputs.len()];
        check_coin_transaction(&CoinTransaction { witnesses: placeholders, ..tx.clone() }).map_err(rule)?;
        let sum_in = Amount::sum(spent.iter().map(|coin| coin.output.amount)).map_err(rule)?;
        let sum_out = Amount::sum(tx.outputs.iter().map(|output| output.amount)).map_err(rule)?;
        let fee = sum_in.checked_sub(sum_out);
        if fee != Some(self.fee) {
            let what = format!("inputs of {sum_in} less outputs of {sum_out} are not a fee of {}", self.fee);
            return Err(RequestError::Contradiction(what));
        }
        for (index, (input, coin)) in self.inputs.iter().zip(&spent).enumerate() {
            match (&coin.output.lock, &input.policy) {
                (Lock::Policy(hash), Some(policy)) => {
                    policy.check().map_err(rule)?;
                    if policy.hash() != *hash {
                        let what = format!("the policy of input {index} is not that of its address");
                        return Err(RequestError::Contradiction(what));
                    }
                }
                (Lock::Policy(_), None) => {
                    let what = format!("input {index} has a policy address, but its policy is not given");
                    return Err(RequestError::Contradiction(what));
                }
                (_, Some(_)) => {
                    let what = format!("input {index} has a policy, but not a policy address");
                    return Err(RequestError::Contradiction(what));
                }
                (_, None) => {}
            }
        }
        Ok(())
    }

    /// Refuses what is called change and is not this wallet's, though all that is spent is: a mark that can only be a lie.
    ///
    /// # Errors
    /// [`RequestError::Contradiction`]; [`RequestError::Address`].
    pub fn check_change(&self, network: &Network, own: &KeyTable) -> Result<(), RequestError> {
        let is_own = |lock: &Lock, hint| matches!(lock, Lock::Key(key) if own.coin(key, hint).is_some());
        for input in &self.inputs {
            if !is_own(&network.coin_address(&input.address)?, input.key) {
                return Ok(());
            }
        }
        for line in self.outputs.iter().filter(|line| line.change.is_some()) {
            if !is_own(&network.destination(&line.to)?, line.change) {
                let what = format!("{} is called change, but its key is not this wallet's", line.to);
                return Err(RequestError::Contradiction(what));
            }
        }
        Ok(())
    }

    /// Drops every signature that does not verify or is by a key that the input does not ask for: else anybody whose hands
    /// the file goes through could keep an owner from signing. Returns how many were dropped.
    ///
    /// # Errors
    /// [`RequestError::Address`].
    pub fn drop_bogus(&mut self, network: &Network) -> Result<usize, RequestError> {
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
    pub(super) fn sign(&mut self, network: &Network, signer: &Signer, own: &KeyTable) -> Result<usize, RequestError> {
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
    pub(super) fn finish(&self, network: &Network, height: Height) -> Result<CoinTransaction, RequestError> {
        self.check(network)?;
        let (mut tx, spent) = self.unsigned_at(network, height)?;
        for (number, (input, coin)) in self.inputs.iter().zip(&spent).enumerate() {
            tx.witnesses.push(witness(number, input, coin, height)?);
        }
        let checks = spend_checks(&network.genesis, &tx, &spent, height).map_err(rule)?;
        match checks.iter().find(|check| !check.verify()) {
            Some(bad) => {
                let what = format!("the signature by key {} does not verify", hex::encode(bad.key.0));
                Err(RequestError::Contradiction(what))
            }
            None => Ok(tx),
        }
    }

    /// Adds what another copy has gathered, as far as it verifies.
    pub(super) fn combine(&mut self, network: &Network, mut other: Self) -> Result<(), RequestError> {
        if self.outputs != other.outputs {
            return Err(RequestError::NotParts("the outputs"));
        }
        let bare = |input: &Input| Input { preimages: Vec::new(), signatures: Vec::new(), ..input.clone() };
        if !self.inputs.iter().map(bare).eq(other.inputs.iter().map(bare)) {
            return Err(RequestError::NotParts("the inputs"));
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
fn witness(number: usize, input: &Input, coin: &Coin, height: Height) -> Result<Witness, RequestError> {
    let lock = &coin.output.lock;
    let Some(policy) = &input.policy else {
        let signature = input.keys(lock).first().and_then(|key| input.signature_of(key));
        let missing = || RequestError::Incomplete(format!("input {number} ({}) is not signed", input.address));
        return Ok(Witness::Key(signature.ok_or_else(missing)?));
    };
    let gathered = Gathered { input, height, age: height.saturating_sub(coin.height) };
    let proof: Proof = policy.prove(&gathered).ok_or_else(|| RequestError::Incomplete(gathered.lacks(number)))?;
    Ok(Witness::Policy(policy.clone(), proof))
}
