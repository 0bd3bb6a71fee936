//! What is remembered of a transaction that was sent: its bytes, which `resend` hands in again, and what `bump` needs
//! beside them. A sweep of a thousand coins takes some 300 KB of JSON so, a quarter of the file that was signed.

use std::collections::BTreeSet;

use chain_core::{
    codec,
    execute::GATEWAY,
    hash::{BlockHash, TxId},
    transaction::{
        Transaction,
        account::AccountTransaction,
        coin::{CoinTransaction, Lock, OutPoint, Witness},
        policy::ProofItem,
    },
    units::{Amount, Height},
};
use serde::{Deserialize, Serialize};

use crate::{
    keys::KeyPath,
    network::Network,
    request::{AccountRequest, Body, CoinRequest, Hex32, Input, KeyTable, OutputLine, Request, withdraw_lock},
};

/// What is known of a transaction's way to the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SentState {
    /// Handed in, and no answer came: the node may have it.
    Unclear,
    /// The node has taken it.
    #[default]
    Accepted,
    /// The node refused it, or said so: a lying node may have passed it on. So what is paid next spends one of its coins or
    /// has its nonce, and both can never be mined.
    Refused,
}

/// A coin that was spent, as far as the transaction does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct SpentCoin {
    amount: Amount,
    lock: Lock,
    height: Option<Height>,
}

/// What replacing a transaction needs beside its bytes. Consensus encoding in hex: it is bulk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Details {
    spent: Vec<SpentCoin>,
    change: Option<u32>,
    rest: bool,
    function: Option<String>,
}

/// A transaction that was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sent {
    /// Its identifier.
    #[serde(with = "crate::text")]
    pub txid: TxId,
    /// When, in seconds since 1970.
    pub time: u64,
    /// What it replaces.
    #[serde(with = "crate::text::option")]
    pub replaces: Option<TxId>,
    /// What the mempool dropped with what it replaces.
    #[serde(default, with = "crate::text::list", skip_serializing_if = "Vec::is_empty")]
    pub drops: Vec<TxId>,
    /// First block of the chain that it was sent on: chains begun anew from one spec share the genesis block.
    #[serde(default, with = "crate::text::option", skip_serializing_if = "Option::is_none")]
    pub first_block: Option<BlockHash>,
    /// What the node said.
    #[serde(default, skip_serializing_if = "is_accepted")]
    pub state: SentState,
    /// The signed transaction.
    #[serde(default, with = "hex::serde", skip_serializing_if = "Vec::is_empty")]
    raw: Vec<u8>,
    #[serde(default, with = "hex::serde", skip_serializing_if = "Vec::is_empty")]
    details: Vec<u8>,
    /// What wallet files of version 1 held instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<Box<Request>>,
}

fn is_accepted(state: &SentState) -> bool {
    *state == SentState::Accepted
}

impl Sent {
    /// What is about to be handed in. `request` must be what `transaction` was made from.
    pub fn new(request: &Request, transaction: &Transaction, time: u64, first_block: Option<BlockHash>) -> Self {
        let details = match &request.transaction {
            Body::Account(account) => Details { function: account.function.clone(), ..Details::default() },
            Body::Coin(coin) => details(&request.network, coin),
        };
        Self {
            txid: transaction.txid(),
            time,
            replaces: None,
            drops: Vec::new(),
            first_block,
            state: SentState::Unclear,
            raw: transaction.encode(),
            details: codec::encode(&details),
            request: None,
        }
    }

    /// The same without the file that version 1 kept; nothing if that was not complete.
    pub(super) fn compact(self) -> Option<Self> {
        let Some(request) = &self.request else { return Some(self) };
        // The signatures suffice for the policy as they did then, whatever the height.
        let transaction = request.finish(Height::MAX).ok()?;
        let new = Self::new(request, &transaction, self.time, None);
        Some(Self { replaces: self.replaces, state: SentState::Accepted, ..new })
    }

    /// Whether it was sent on the chain with this first block, as far as that is known.
    pub fn is_on(&self, first_block: Option<BlockHash>) -> bool {
        self.first_block.is_none() || self.first_block == first_block
    }

    /// Roughly the bytes that it takes in the wallet's file.
    pub fn weight(&self) -> usize {
        2 * (self.raw.len() + self.details.len()) + 80 * self.drops.len() + 600
    }

    /// The encoded transaction.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The transaction; nothing in a wallet file that was tampered with.
    pub fn transaction(&self) -> Option<Transaction> {
        codec::decode(&self.raw).ok()
    }

    /// The coins that it spends.
    pub fn spends(&self) -> Vec<OutPoint> {
        match self.transaction() {
            Some(Transaction::Coin(tx)) => tx.inputs,
            _ => Vec::new(),
        }
    }

    /// The account that sent it, with its nonce and what it may cost at most.
    pub fn account(&self) -> Option<(alloy_primitives::Address, u64, alloy_primitives::U256)> {
        let Some(Transaction::Account(tx)) = self.transaction() else { return None };
        let fields = tx.fields();
        let cost = fields.fees.fee_cap().saturating_mul(alloy_primitives::U256::from(fields.gas_limit));
        Some((tx.recover_sender().ok()?, fields.nonce, cost.saturating_add(fields.value)))
    }

    /// Whether a request pays the same to the same: for coins all outputs but the change, for accounts all but nonce and fee.
    pub fn pays_the_same(&self, request: &Request) -> bool {
        match (self.transaction(), &request.transaction) {
            (Some(Transaction::Coin(tx)), Body::Coin(coin)) => {
                let Some(details) = self.details() else { return false };
                let kept = (0u32..).zip(&tx.outputs).filter(|(index, _)| details.change != Some(*index));
                let paid: BTreeSet<_> =
                    kept.map(|(_, output)| (output.lock, rest_or(details.rest, output.amount))).collect();
                let lines = coin.outputs.iter().filter(|line| !is_change(&request.network, coin, line));
                let asked: Option<BTreeSet<_>> = lines
                    .map(|line| Some((request.network.destination(&line.to).ok()?, rest_or(line.rest, line.amount))))
                    .collect();
                Some(paid) == asked
            }
            (Some(Transaction::Account(tx)), Body::Account(account)) => {
                let Ok(fields) = account.fields(&request.network) else { return false };
                let same =
                    (tx.fields().to, tx.fields().value, &tx.fields().input) == (fields.to, fields.value, &fields.input);
                same && request.network.account(&account.from).ok() == tx.recover_sender().ok()
            }
            _ => false,
        }
    }

    fn details(&self) -> Option<Details> {
        codec::decode(&self.details).ok()
    }

    /// The unsigned file that it was made from, for replacing it.
    pub fn request(&self, network: &Network, own: &KeyTable) -> Option<Request> {
        let details = self.details()?;
        let body = match self.transaction()? {
            Transaction::Coin(tx) => Body::Coin(coin_request(network, own, &tx, &details)?),
            Transaction::Account(tx) => Body::Account(account_request(network, own, &tx, details)?.into()),
            Transaction::Coinbase(_) => return None,
        };
        Some(Request::new(network.clone(), 0, 0, body))
    }
}

/// "Everything" is the same payment whatever it amounts to.
fn rest_or(rest: bool, amount: Amount) -> Option<Amount> {
    (!rest).then_some(amount)
}

/// Whether an output returns to the sender: marked so, or to the policy that is spent.
pub(crate) fn is_change(network: &Network, coin: &CoinRequest, line: &OutputLine) -> bool {
    let returns = || coin.inputs.iter().any(|input| input.policy.is_some() && input.address == line.to);
    line.change.is_some()
        || network.destination(&line.to).is_ok_and(|lock| matches!(lock, Lock::Policy(_)) && returns())
}

fn details(network: &Network, coin: &CoinRequest) -> Details {
    let spent = coin.inputs.iter().filter_map(|input| {
        let lock = network.coin_address(&input.address).ok()?;
        Some(SpentCoin { amount: input.amount, lock, height: input.height })
    });
    let change = (0u32..).zip(&coin.outputs).find(|(_, line)| is_change(network, coin, line));
    Details {
        spent: spent.collect(),
        change: change.map(|(index, _)| index),
        rest: coin.outputs.iter().any(|line| line.rest),
        function: None,
    }
}

fn coin_request(network: &Network, own: &KeyTable, tx: &CoinTransaction, details: &Details) -> Option<CoinRequest> {
    let path = |lock: &Lock| match lock {
        Lock::Key(key) => own.coin(key, None).map(|(branch, index)| KeyPath::Coin(branch, index)),
        _ => None,
    };
    if details.spent.len() != tx.inputs.len() || tx.witnesses.len() != tx.inputs.len() {
        return None;
    }
    let inputs = tx.inputs.iter().zip(&details.spent).zip(&tx.witnesses).map(|((outpoint, spent), witness)| {
        let (policy, preimages) = match witness {
            Witness::Key(_) => (None, Vec::new()),
            Witness::Policy(policy, proof) => {
                let preimages = proof.0.iter().filter_map(|item| match item {
                    ProofItem::Preimage(preimage) => Some(Hex32(*preimage)),
                    _ => None,
                });
                (Some(policy.clone()), preimages.collect())
            }
        };
        Input {
            txid: outpoint.txid,
            index: outpoint.index,
            amount: spent.amount,
            address: network.address(&spent.lock),
            height: spent.height,
            key: path(&spent.lock),
            policy,
            preimages,
            signatures: Vec::new(),
        }
    });
    let outputs = (0u32..).zip(&tx.outputs).map(|(index, output)| OutputLine {
        to: network.address(&output.lock),
        amount: output.amount,
        change: path(&output.lock).filter(|_| details.change == Some(index)),
        rest: details.rest && details.change != Some(index),
    });
    let sum = |amounts: &mut dyn Iterator<Item = Amount>| Amount::sum(amounts).ok();
    let spent = sum(&mut details.spent.iter().map(|coin| coin.amount))?;
    let paid = sum(&mut tx.outputs.iter().map(|output| output.amount))?;
    Some(CoinRequest { inputs: inputs.collect(), outputs: outputs.collect(), fee: spent.checked_sub(paid)? })
}

fn account_request(
    network: &Network,
    own: &KeyTable,
    tx: &AccountTransaction,
    details: Details,
) -> Option<AccountRequest> {
    let (fields, from) = (tx.fields(), tx.recover_sender().ok()?);
    let withdraw_to = withdraw_lock(&fields.input).filter(|_| fields.to == Some(GATEWAY));
    Some(AccountRequest {
        from: from.to_string(),
        key: own.account(&from, None).map(KeyPath::Account),
        nonce: fields.nonce,
        to: fields.to.map(|to| to.to_string()),
        value_wei: fields.value,
        gas_limit: fields.gas_limit,
        max_fee_per_gas_wei: fields.fees.fee_cap(),
        max_priority_fee_per_gas_wei: fields.fees.tip_cap(),
        input: fields.input.to_vec(),
        withdraw_to: withdraw_to.map(|lock| network.address(&lock)),
        function: details.function,
        signed: Vec::new(),
    })
}
