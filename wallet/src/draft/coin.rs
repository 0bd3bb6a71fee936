//! A coin transaction that is to be signed.

use chain_core::{
    block::check::check_coin_transaction,
    hash::TxId,
    transaction::{
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Output, Signature, Witness},
        policy::Policy,
    },
    units::{Amount, Height},
};
use serde::{Deserialize, Serialize};

use super::{error::DraftError, unspendable::keeps_all};
use crate::{
    keys::KeyPath,
    network::Network,
    own::{KeyTable, policy_keys},
};

/// A coin transaction that is to be signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CoinDraft {
    /// Coins that are spent.
    pub inputs: Vec<Input>,
    pub outputs: Vec<OutputLine>,
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
    pub address: String,
    /// Height of the block that made it; nothing if none did yet.
    pub height: Option<Height>,
    /// Path of the key of a plain coin in its owner's tree.
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

/// A signature and its key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySignature {
    pub key: Hex32,
    #[serde(with = "hex::serde")]
    pub signature: [u8; 64],
}

/// An output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutputLine {
    /// Who is paid: a coin address or an account.
    pub to: String,
    #[serde(with = "crate::text::crn")]
    pub amount: Amount,
    /// Path of the key, if it is the sender's change.
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
    fn coin(&self, network: &Network, next: Height) -> Result<Coin, DraftError> {
        let lock = network.coin_address(&self.address)?;
        let output = Output { amount: self.amount, lock };
        Ok(Coin { output, height: self.height.unwrap_or(next), coinbase: false })
    }

    /// The keys that may sign for it.
    pub(super) fn keys(&self, lock: &Lock) -> Vec<KeyBytes> {
        match (lock, &self.policy) {
            (Lock::Key(key), _) => vec![*key],
            (_, Some(policy)) => policy_keys(policy),
            _ => Vec::new(),
        }
    }

    pub(super) fn signature_of(&self, key: &KeyBytes) -> Option<Signature> {
        self.signatures.iter().find(|given| given.key.0 == key.0).map(|given| given.signature.into())
    }
}

pub(super) fn rule(error: impl std::fmt::Display) -> DraftError {
    DraftError::Rule(error.to_string())
}

impl CoinDraft {
    /// The transaction without witnesses, and the coins that it spends.
    pub fn unsigned(&self, network: &Network) -> Result<(CoinTransaction, Vec<Coin>), DraftError> {
        self.unsigned_at(network, Height::MAX)
    }

    pub(super) fn unsigned_at(
        &self,
        network: &Network,
        next: Height,
    ) -> Result<(CoinTransaction, Vec<Coin>), DraftError> {
        let outputs = self.outputs.iter().map(|line| {
            let lock = network.destination(&line.to)?;
            Ok(Output { amount: line.amount, lock })
        });
        let tx = CoinTransaction {
            inputs: self.inputs.iter().map(Input::outpoint).collect(),
            outputs: outputs.collect::<Result<_, DraftError>>()?,
            witnesses: Vec::new(),
        };
        let spent = self.inputs.iter().map(|input| input.coin(network, next)).collect::<Result<_, _>>()?;
        Ok((tx, spent))
    }

    /// Checks that its parts agree.
    pub fn check(&self, network: &Network) -> Result<(), DraftError> {
        let (tx, spent) = self.unsigned(network)?;
        if let Some(rest) = self.outputs.iter().find(|line| line.rest && self.outputs.len() > 1) {
            let what = format!("{} is to take all that is left, but there are others", rest.to);
            return Err(DraftError::Contradiction(what));
        }
        for (output, line) in tx.outputs.iter().zip(&self.outputs) {
            if let Lock::Account(account) = &output.lock
                && let Some(what) = keeps_all(account)
            {
                return Err(DraftError::Kept { to: line.to.clone(), what });
            }
        }
        let placeholders = vec![Witness::Key([0; 64].into()); tx.inputs.len()];
        check_coin_transaction(&CoinTransaction { witnesses: placeholders, ..tx.clone() }).map_err(rule)?;
        let sum_in = Amount::sum(spent.iter().map(|coin| coin.output.amount)).map_err(rule)?;
        let sum_out = Amount::sum(tx.outputs.iter().map(|output| output.amount)).map_err(rule)?;
        let contradiction = |what: String| Err(DraftError::Contradiction(what));
        if sum_in.checked_sub(sum_out) != Some(self.fee) {
            return contradiction(format!(
                "inputs of {sum_in} less outputs of {sum_out} are not a fee of {}",
                self.fee
            ));
        }
        for (index, (input, coin)) in self.inputs.iter().zip(&spent).enumerate() {
            match (&coin.output.lock, &input.policy) {
                (Lock::Policy(hash), Some(policy)) => {
                    policy.check().map_err(rule)?;
                    if policy.hash() != *hash {
                        return contradiction(format!("the policy of input {index} is not that of its address"));
                    }
                }
                (Lock::Policy(_), None) => {
                    return contradiction(format!("input {index} has a policy address, but its policy is not given"));
                }
                (_, Some(_)) => {
                    return contradiction(format!("input {index} has a policy, but not a policy address"));
                }
                (_, None) => {}
            }
        }
        Ok(())
    }

    /// Refuses change that is not this wallet's though all that is spent is: a mark that can only be a lie.
    pub fn check_change(&self, network: &Network, own: &KeyTable) -> Result<(), DraftError> {
        let is_own = |lock: &Lock, hint| matches!(lock, Lock::Key(key) if own.coin(key, hint).is_some());
        for input in &self.inputs {
            if !is_own(&network.coin_address(&input.address)?, input.key) {
                return Ok(());
            }
        }
        for line in self.outputs.iter().filter(|line| line.change.is_some()) {
            if !is_own(&network.destination(&line.to)?, line.change) {
                let what = format!("{} is called change, but its key is not this wallet's", line.to);
                return Err(DraftError::Contradiction(what));
            }
        }
        Ok(())
    }
}
