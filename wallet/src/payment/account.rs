//! Payments from accounts.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};
use cairn_client::counted;
use chain_core::{
    execute::{GATEWAY, IntrinsicGas, Revision, withdraw_calldata},
    gas::{self, MAX_TRANSACTION_GAS},
    transaction::coin::Lock,
    units::{Amount, Gas},
};

use super::{PaymentError, Shortage, Terms, check_fee, lacking};
use crate::{
    draft::{AccountDraft, Body, Draft, withdraw_lock},
    fees,
    file::{Sent, SentState, Wallet},
    keys::{IMPORTED, KeyPath},
    node::{Node, Trial},
};

/// How much is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountValue {
    Wei(U256),
    /// What is left after the highest fee; withdrawals leave what is less than a grain.
    All,
}

/// What an account is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountOrder {
    /// Whom to pay or call; none to deploy a contract.
    pub to: Option<Address>,
    pub value: AccountValue,
    /// Calldata, or the code that makes the contract.
    pub input: Vec<u8>,
    /// Signature of the function that is called, where it is known.
    pub function: Option<String>,
    /// Most gas to use; else the node estimates it.
    pub gas_limit: Option<Gas>,
}

/// Gas beyond the node's estimate for code, in percent: the state may change before the block.
const MARGIN: Gas = 20;

/// Builds a transaction of the wallet's account of this number.
pub fn account_payment(
    wallet: &Wallet,
    node: &Node,
    index: u32,
    terms: &Terms,
    order: &AccountOrder,
) -> Result<Draft, PaymentError> {
    let from = wallet.account(index)?;
    let (nonce, promised) = place(wallet, node, &from, terms)?;
    // What waits for a block is paid first.
    let balance = node.balance(&from)?.saturating_sub(promised);
    let tip = U256::from(terms.prices.tip);
    // To send everything, the price must not promise more than it takes.
    let max_fee = match order.value {
        AccountValue::All => U256::from(terms.prices.base_max) + tip,
        AccountValue::Wei(_) => terms.prices.account_max(),
    };
    let mut draft = AccountDraft {
        from: from.to_string(),
        key: (index < IMPORTED).then_some(KeyPath::Account(index)),
        nonce: 0,
        to: order.to.map(|to| to.to_string()),
        // For the estimate: any value that the account has will do.
        value_wei: match order.value {
            AccountValue::Wei(wei) if wei <= balance => wei,
            _ => Amount::from_grains(1).to_wei().min(balance),
        },
        gas_limit: 0,
        max_fee_per_gas_wei: max_fee,
        max_priority_fee_per_gas_wei: tip,
        input: order.input.clone(),
        withdraw_to: order.withdraw_to().map(|lock| wallet.network.address(&lock)),
        function: order.function.clone(),
        signed: Vec::new(),
    };
    // The node cannot try out what the account cannot pay for.
    let penniless = balance.is_zero() || matches!(order.value, AccountValue::Wei(wei) if wei > balance);
    draft.gas_limit = match order.gas_limit {
        Some(limit) => limit,
        None => gas_limit(wallet, node, &draft, penniless)?,
    };
    let gas_limit = draft.gas_limit;
    let cost = max_fee.checked_mul(U256::from(gas_limit)).ok_or(PaymentError::TooLarge)?;
    let (value, least) = match order.value {
        AccountValue::Wei(wei) => (wei, wei),
        AccountValue::All => {
            let rest = whole(balance.saturating_sub(cost), order.withdraw_to().is_some());
            (rest, rest.max(U256::from(1)))
        }
    };
    let needed = least.checked_add(cost).ok_or(PaymentError::TooLarge)?;
    if needed > balance {
        let (account, arriving) = (from.to_string(), node.arriving(&[from])?[0]);
        let shortage = Shortage { account, needed, fee: cost, balance, promised, arriving };
        return Err(lacking(terms, PaymentError::NotEnoughInAccount(Box::new(shortage))));
    }
    draft.value_wei = value;
    // Not what it may cost, but what the signature allows: a node that lies about one cannot hide the other.
    check_fee(terms, fees::check_wei(draft.max_fee(), draft.worth()))?;
    draft.nonce = nonce;
    draft.check(&wallet.network)?;
    Ok(terms.draft(wallet, Body::Account(draft.into())))
}

/// Transactions of an account that others than this wallet may have sent before that has to be said.
const SENT_ELSEWHERE: u64 = 64;

/// Refuses a number of mined transactions far beyond what this wallet has sent: one that a node makes up would leave what is
/// signed waiting, to be mined years later. A wallet that remembers nothing of the account cannot tell.
fn check_mined(wallet: &Wallet, from: &Address, mined: u64) -> Result<(), PaymentError> {
    let nonces = wallet.sent.iter().filter_map(|sent| sent.account().filter(|(sender, ..)| sender == from));
    let Some(known) = nonces.map(|(_, at, _)| at.saturating_add(1)).max() else { return Ok(()) };
    if mined.saturating_sub(known) <= SENT_ELSEWHERE {
        return Ok(());
    }
    Err(PaymentError::Refused(format!(
        "the node says that {mined} transactions of {from} are mined, but this wallet knows of {known}: if that is not true, a \
         transaction with nonce {mined} waits until all before it are mined. If another wallet of yours sent those, add \
         --nonce {mined}; if not, ask another node (--rpc)"
    )))
}

/// The nonce of an account's next transaction, and what those before it, which this wallet sent and no block holds, may
/// cost. Nodes lose their mempool and there are several: what this wallet remembers as sent keeps its nonce, whatever this
/// node knows or says of the first block. What the node refused does not: the next transaction takes its place, so
/// that both can never be mined. A nonce beyond what this wallet knows of is used only if the user names it: a node could make
/// the transaction wait forever.
fn place(wallet: &Wallet, node: &Node, from: &Address, terms: &Terms) -> Result<(u64, U256), PaymentError> {
    let mined = node.nonce(from, false)?;
    let pending = node.nonce(from, true)?.max(mined);
    if terms.nonce.is_none() {
        check_mined(wallet, from, mined)?;
    }
    let of_account = |sent: &Sent| sent.account().filter(|(sender, at, _)| sender == from && *at >= mined);
    let waiting: BTreeMap<u64, U256> = wallet.live().filter_map(of_account).map(|(_, at, cost)| (at, cost)).collect();
    let here: BTreeSet<u64> = wallet.live_on(terms.first_block).filter_map(of_account).map(|(_, at, _)| at).collect();
    let free = |mut nonce: u64| {
        while waiting.contains_key(&nonce) {
            nonce = nonce.saturating_add(1);
        }
        nonce
    };
    let mut nonce = free(pending);
    let refused = wallet.sent.iter().filter(|sent| sent.state == SentState::Refused);
    if let Some(again) =
        refused.filter_map(of_account).map(|(_, at, _)| at).filter(|at| !waiting.contains_key(at)).min()
    {
        nonce = nonce.min(again);
    }
    let (account, own) = (from.to_string(), free(mined));
    // What this node does not count and was sent while a node named another first block: the chain began anew, or a node lies.
    let elsewhere: Vec<u64> = (pending..nonce).filter(|at| !here.contains(at)).collect();
    let refused = |why: String| Err(PaymentError::Refused(why));
    match (terms.nonce, elsewhere.first()) {
        (Some(nonce), _) if nonce < mined => {
            return refused(format!("nonce {nonce} of {account} is used already: the next is {mined}"));
        }
        (Some(named), _) => nonce = named,
        (None, Some(anew)) => {
            return refused(format!(
                "{account} sent {} while the node named another block 1, and this node does not know of {}. If the chain began \
                 anew (--dev, or its data was deleted), run `cairn-wallet resend --began-anew`, or add --nonce {anew}; if not, \
                 run `cairn-wallet resend --other-chain`, or add --nonce {nonce}",
                counted(elsewhere.len() as u64, "transaction"),
                if elsewhere.len() == 1 { "it" } else { "them" }
            ));
        }
        (None, None) if nonce > own => {
            return refused(format!(
                "the node says that the next nonce of {account} is {nonce}, but {mined} of its transactions are mined and \
                 this wallet knows of {} that wait: a transaction with nonce {nonce} waits until all before it are mined. \
                 If another wallet of yours sent those, add --nonce {nonce}; if not, add --nonce {own}",
                waiting.len()
            ));
        }
        (None, None) => {}
    }
    let promised = waiting.range(..nonce).fold(U256::ZERO, |sum, (_, cost)| sum.saturating_add(*cost));
    Ok((nonce, promised))
}

impl AccountOrder {
    /// Pays an account.
    pub fn transfer(to: Address, value: AccountValue) -> Self {
        Self { to: Some(to), value, input: Vec::new(), function: None, gas_limit: None }
    }

    /// Turns wei into coins.
    pub fn withdraw(to: &Lock, value: AccountValue) -> Self {
        Self { input: withdraw_calldata(to).to_vec(), ..Self::transfer(GATEWAY, value) }
    }

    /// Where coins go, also if the gateway is called as any contract is.
    fn withdraw_to(&self) -> Option<Lock> {
        withdraw_lock(&self.input).filter(|_| self.to == Some(GATEWAY))
    }
}

/// Gas that a draft needs: known for payments and withdrawals; the node knows whether code is called.
fn gas_limit(wallet: &Wallet, node: &Node, draft: &AccountDraft, penniless: bool) -> Result<Gas, PaymentError> {
    let fields = draft.fields(&wallet.network)?;
    let gas = IntrinsicGas::of(Revision::Osaka, &fields);
    if fields.to == Some(GATEWAY) {
        return Ok((gas.intrinsic + gas::GATEWAY).max(gas.floor));
    }
    if penniless {
        return Ok(gas.needed());
    }
    let from = wallet.network.account(&draft.from)?;
    let trial = Trial { from, to: fields.to, value: draft.value_wei, input: fields.input.clone() };
    let estimate = node.estimate_gas(&trial)?.unwrap_or(gas.needed());
    let margin = if draft.runs_code() { estimate.saturating_mul(MARGIN) / 100 } else { 0 };
    Ok(estimate.saturating_add(margin).clamp(gas.needed(), MAX_TRANSACTION_GAS.max(gas.needed())))
}

fn whole(wei: U256, grains_only: bool) -> U256 {
    if grains_only { wei - wei % Amount::from_grains(1).to_wei() } else { wei }
}
