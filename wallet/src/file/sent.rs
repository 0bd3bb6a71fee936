//! What is remembered of a transaction that was sent: its bytes, which `resend` broadcasts again, and what `bump` needs
//! beside them. A sweep of a thousand coins takes some 300 KB of JSON so, a quarter of the file that was signed.

use chain_core::{
    codec,
    execute::GATEWAY,
    hash::{BlockHash, TxId},
    transaction::{
        Transaction,
        account::AccountTransaction,
        coin::{CoinTransaction, Lock, OutPoint, Output, Witness},
        policy::ProofItem,
    },
    units::{Amount, Height},
};
use serde::{Deserialize, Serialize};

use crate::{
    draft::{AccountDraft, Body, CoinDraft, Draft, Hex32, Input, OutputLine, withdraw_lock},
    keys::{Branch, KeyPath},
    network::Network,
    own::{KeyTable, Owner},
};

/// What is known of a transaction's way to the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SentState {
    /// Sent, and no answer came: the node may have it.
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
    /// Earlier versions kept here which output the file called change. It is not believed: [`is_change`] says which is.
    unused: Option<u32>,
    /// Whether the file called an output all that is left: believed only of the one output that there is.
    rest: bool,
    function: Option<String>,
}

/// A transaction that was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sent {
    #[serde(with = "crate::text")]
    pub txid: TxId,
    /// When, in seconds since 1970.
    pub time: u64,
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
    #[serde(default, with = "hex::serde", skip_serializing_if = "Vec::is_empty")]
    raw: Vec<u8>,
    #[serde(default, with = "hex::serde", skip_serializing_if = "Vec::is_empty")]
    details: Vec<u8>,
    /// What wallet files of version 1 held instead.
    #[serde(default, rename = "request", skip_serializing_if = "Option::is_none")]
    draft: Option<Box<Draft>>,
}

fn is_accepted(state: &SentState) -> bool {
    *state == SentState::Accepted
}

impl Sent {
    /// What is about to be broadcast. `draft` must be what `transaction` was made from.
    pub fn new(draft: &Draft, transaction: &Transaction, time: u64, first_block: Option<BlockHash>) -> Self {
        let details = match &draft.transaction {
            Body::Account(account) => Details { function: account.function.clone(), ..Details::default() },
            Body::Coin(coin) => details(&draft.network, coin),
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
            draft: None,
        }
    }

    /// The same without the file that version 1 kept; nothing if that was not complete.
    pub(super) fn compact(self) -> Option<Self> {
        let Some(draft) = &self.draft else { return Some(self) };
        // The signatures suffice for the policy as they did then, whatever the height.
        let transaction = draft.finish(Height::MAX).ok()?;
        let new = Self::new(draft, &transaction, self.time, None);
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

    /// Whether a draft pays the same to the same: for coins all that others get, or the wallet itself if no one else gets
    /// anything; for accounts all but nonce and fee. What is the wallet's own follows from its keys.
    pub fn pays_the_same(&self, draft: &Draft, own: &KeyTable) -> bool {
        match (self.transaction(), &draft.transaction) {
            (Some(Transaction::Coin(tx)), Body::Coin(coin)) => {
                let (Some(details), Ok((new, coins))) = (self.details(), coin.unsigned(&draft.network)) else {
                    return false;
                };
                let spent: Vec<Lock> = details.spent.iter().map(|coin| coin.lock).collect();
                let coins: Vec<Lock> = coins.iter().map(|coin| coin.output.lock).collect();
                let (paid, asked) = (paid(own, &spent, &tx.outputs), paid(own, &coins, &new.outputs));
                // "Everything" is the same payment whatever it amounts to.
                let all = details.rest && coin.outputs.iter().any(|line| line.rest);
                let everything = all && matches!((&paid[..], &asked[..]), ([one], [other]) if one.0 == other.0);
                !paid.is_empty() && (everything || paid == asked)
            }
            (Some(Transaction::Account(tx)), Body::Account(account)) => {
                let Ok(fields) = account.fields(&draft.network) else { return false };
                let same =
                    (tx.fields().to, tx.fields().value, &tx.fields().input) == (fields.to, fields.value, &fields.input);
                same && draft.network.account(&account.from).ok() == tx.recover_sender().ok()
            }
            _ => false,
        }
    }

    /// What it replaces, and whether it pays the same or, as a cancellation, nobody but this wallet.
    pub fn replaced(&self, others: &[Self], network: &Network, own: &KeyTable) -> Option<(TxId, bool)> {
        let old = self.replaces?;
        let pays = match self.transaction()? {
            Transaction::Coin(tx) => tx.outputs.iter().any(|output| !own.owns(&output.lock)),
            Transaction::Account(tx) => tx.fields().to != tx.recover_sender().ok() || !tx.fields().input.is_empty(),
            Transaction::Coinbase(_) => return None,
        };
        // What paid nobody else from the start is bumped, not cancelled.
        let gathers = || {
            let old = others.iter().find(|sent| sent.txid == old)?.draft(network, own)?;
            Some(self.pays_the_same(&old, own))
        };
        Some((old, pays || gathers().unwrap_or(false)))
    }

    fn details(&self) -> Option<Details> {
        codec::decode(&self.details).ok()
    }

    /// The unsigned file that it was made from, for replacing it.
    pub fn draft(&self, network: &Network, own: &KeyTable) -> Option<Draft> {
        let details = self.details()?;
        let body = match self.transaction()? {
            Transaction::Coin(tx) => Body::Coin(coin_draft(network, own, &tx, &details)?),
            Transaction::Account(tx) => Body::Account(account_draft(network, own, &tx, details)?.into()),
            Transaction::Coinbase(_) => return None,
        };
        Some(Draft::new(network.clone(), 0, 0, body))
    }
}

/// Whether an output returns to the sender: from the wallet's keys to one of those for change, or to the policy that all coins
/// come from. What a file says of that is not believed: the change pays for a higher fee, and is not part of a payment.
pub(crate) fn is_change(own: &KeyTable, spent: &[Lock], output: &Lock) -> bool {
    match output {
        Lock::Policy(_) => spent.iter().all(|lock| lock == output),
        _ => {
            let from_keys = || spent.iter().all(|lock| matches!(own.owner(lock), Owner::Key(_)));
            own.owner(output) == Owner::Key(Branch::Change) && from_keys()
        }
    }
}

/// Who is paid how much, in order: others, or the wallet itself if no one else is.
fn paid(own: &KeyTable, spent: &[Lock], outputs: &[Output]) -> Vec<(Lock, Amount)> {
    let kept = outputs.iter().filter(|output| !is_change(own, spent, &output.lock));
    let kept: Vec<_> = kept.map(|output| (output.lock, output.amount)).collect();
    let others = kept.iter().filter(|(lock, _)| !matches!(own.owner(lock), Owner::Key(_)));
    let others: Vec<_> = others.copied().collect();
    let mut paid = if others.is_empty() { kept } else { others };
    paid.sort();
    paid
}

fn details(network: &Network, coin: &CoinDraft) -> Details {
    let spent = coin.inputs.iter().filter_map(|input| {
        let lock = network.coin_address(&input.address).ok()?;
        Some(SpentCoin { amount: input.amount, lock, height: input.height })
    });
    let rest = coin.outputs.iter().any(|line| line.rest);
    Details { spent: spent.collect(), unused: None, rest, function: None }
}

fn coin_draft(network: &Network, own: &KeyTable, tx: &CoinTransaction, details: &Details) -> Option<CoinDraft> {
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
    let locks: Vec<Lock> = details.spent.iter().map(|coin| coin.lock).collect();
    let outputs = tx.outputs.iter().map(|output| OutputLine {
        to: network.address(&output.lock),
        amount: output.amount,
        change: path(&output.lock).filter(|_| is_change(own, &locks, &output.lock)),
        rest: details.rest && tx.outputs.len() == 1,
    });
    let sum = |amounts: &mut dyn Iterator<Item = Amount>| Amount::sum(amounts).ok();
    let spent = sum(&mut details.spent.iter().map(|coin| coin.amount))?;
    let paid = sum(&mut tx.outputs.iter().map(|output| output.amount))?;
    Some(CoinDraft { inputs: inputs.collect(), outputs: outputs.collect(), fee: spent.checked_sub(paid)? })
}

fn account_draft(network: &Network, own: &KeyTable, tx: &AccountTransaction, details: Details) -> Option<AccountDraft> {
    let (fields, from) = (tx.fields(), tx.recover_sender().ok()?);
    let withdraw_to = withdraw_lock(&fields.input).filter(|_| fields.to == Some(GATEWAY));
    Some(AccountDraft {
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
