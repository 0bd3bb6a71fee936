//! Payments from accounts.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};
use chain_core::{
    execute::{GATEWAY, IntrinsicGas, Revision, withdraw_calldata},
    gas::{self, MAX_TRANSACTION_GAS},
    transaction::coin::Lock,
    units::{Amount, Gas},
};

use super::{BuildError, Shortage, Terms, check_fee};
use crate::{
    fees,
    file::{Sent, SentState, Wallet},
    keys::{IMPORTED, KeyPath},
    node::{Node, Trial},
    request::{AccountRequest, Body, Request, withdraw_lock},
};

/// How much is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// So many wei.
    Wei(U256),
    /// What is left after the highest fee; withdrawals leave what is less than a grain.
    All,
}

/// What an account is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountOrder {
    /// Pay another account.
    Transfer {
        /// Whom.
        to: Address,
        /// How much.
        value: Value,
    },
    /// Turn wei into coins.
    Withdraw {
        /// Whose coins they become.
        to: Lock,
        /// How much.
        value: Value,
    },
    /// Call a contract or make one.
    Run(RunOrder),
}

/// What code is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOrder {
    /// Whom to call; nobody to make a contract.
    pub to: Option<Address>,
    /// What is paid.
    pub value: U256,
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
///
/// # Errors
/// [`BuildError`].
pub fn account_request(
    wallet: &Wallet,
    node: &Node,
    index: u32,
    terms: &Terms,
    order: &AccountOrder,
) -> Result<Request, BuildError> {
    let from = wallet.account(index)?;
    let (nonce, promised) = place(wallet, node, &from, terms)?;
    // What waits for a block is paid first.
    let balance = node.balance(&from)?.saturating_sub(promised);
    let tip = U256::from(terms.prices.tip);
    // To send everything, the price must not promise more than it takes.
    let max_fee = match order.wanted() {
        Value::All => U256::from(terms.prices.base_max) + tip,
        Value::Wei(_) => terms.prices.account_max(),
    };
    let mut request = AccountRequest {
        from: from.to_string(),
        key: (index < IMPORTED).then_some(KeyPath::Account(index)),
        nonce: 0,
        to: order.to().map(|to| to.to_string()),
        // For the estimate: any value that the account has will do.
        value_wei: match order.wanted() {
            Value::Wei(wei) if wei <= balance => wei,
            _ => Amount(1).to_wei().min(balance),
        },
        gas_limit: 0,
        max_fee_per_gas_wei: max_fee,
        max_priority_fee_per_gas_wei: tip,
        input: order.input(),
        withdraw_to: order.withdraw_to().map(|lock| wallet.network.address(&lock)),
        function: order.function(),
        signed: Vec::new(),
    };
    // The node cannot try out what the account cannot pay for.
    let penniless = balance.is_zero() || matches!(order.wanted(), Value::Wei(wei) if wei > balance);
    request.gas_limit = match order {
        AccountOrder::Run(RunOrder { gas_limit: Some(limit), .. }) => *limit,
        _ => gas_limit(wallet, node, &request, penniless)?,
    };
    let gas_limit = request.gas_limit;
    let cost = max_fee.checked_mul(U256::from(gas_limit)).ok_or(BuildError::TooLarge)?;
    let (value, least) = match order.wanted() {
        Value::Wei(wei) => (wei, wei),
        Value::All => {
            let rest = whole(balance.saturating_sub(cost), order.withdraw_to().is_some());
            (rest, rest.max(U256::from(1)))
        }
    };
    let needed = least.checked_add(cost).ok_or(BuildError::TooLarge)?;
    if needed > balance {
        let (account, arriving) = (from.to_string(), node.arriving(&[from])?[0]);
        let shortage = Shortage { account, needed, fee: cost, balance, promised, arriving };
        return Err(BuildError::NotEnoughInAccount(Box::new(shortage)));
    }
    request.value_wei = value;
    // Not what it may cost, but what the signature allows: a node that lies about one cannot hide the other.
    check_fee(terms, fees::check_wei(request.max_fee(), request.worth()))?;
    request.nonce = nonce;
    request.check(&wallet.network)?;
    Ok(Request::new(wallet.network.clone(), terms.height, terms.prices.base, Body::Account(request.into())))
}

/// The nonce of an account's next transaction, and what those before it, which this wallet sent and no block holds, may
/// cost. Nodes lose their mempool and there are several: what this wallet remembers as sent keeps its nonce, whatever this
/// node knows and whatever it says of the first block. What the node refused does not: the next transaction takes its place, so
/// that both can never be mined. A nonce beyond what this wallet knows of is used only if the user names it: a node could make the transaction wait for ever.
fn place(wallet: &Wallet, node: &Node, from: &Address, terms: &Terms) -> Result<(u64, U256), BuildError> {
    let mined = node.nonce(from, false)?;
    let pending = node.nonce(from, true)?.max(mined);
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
    match (terms.nonce, elsewhere.first()) {
        (Some(nonce), _) if nonce < mined => return Err(BuildError::NonceUsed { account, nonce, mined }),
        (Some(named), _) => nonce = named,
        (None, Some(anew)) => {
            return Err(BuildError::OtherFirstBlock { account, count: elsewhere.len(), anew: *anew, nonce });
        }
        (None, None) if nonce > own => {
            return Err(BuildError::NonceGap { account, pending: nonce, mined, waiting: waiting.len(), own });
        }
        (None, None) => {}
    }
    let promised = waiting.range(..nonce).fold(U256::ZERO, |sum, (_, cost)| sum.saturating_add(*cost));
    Ok((nonce, promised))
}

impl AccountOrder {
    fn wanted(&self) -> Value {
        match self {
            Self::Transfer { value, .. } | Self::Withdraw { value, .. } => *value,
            Self::Run(run) => Value::Wei(run.value),
        }
    }

    fn to(&self) -> Option<Address> {
        match self {
            Self::Transfer { to, .. } => Some(*to),
            Self::Withdraw { .. } => Some(GATEWAY),
            Self::Run(run) => run.to,
        }
    }

    fn input(&self) -> Vec<u8> {
        match self {
            Self::Transfer { .. } => Vec::new(),
            Self::Withdraw { to, .. } => withdraw_calldata(to).to_vec(),
            Self::Run(run) => run.input.clone(),
        }
    }

    /// Where coins go, also if the gateway is called as any contract is.
    fn withdraw_to(&self) -> Option<Lock> {
        match self {
            Self::Transfer { .. } => None,
            Self::Withdraw { to, .. } => Some(*to),
            Self::Run(run) => withdraw_lock(&run.input).filter(|_| run.to == Some(GATEWAY)),
        }
    }

    fn function(&self) -> Option<String> {
        match self {
            Self::Run(run) => run.function.clone(),
            Self::Transfer { .. } | Self::Withdraw { .. } => None,
        }
    }
}

/// Gas that a request needs: known for payments and withdrawals; the node knows whether code is called.
fn gas_limit(wallet: &Wallet, node: &Node, request: &AccountRequest, penniless: bool) -> Result<Gas, BuildError> {
    let fields = request.fields(&wallet.network)?;
    let gas = IntrinsicGas::of(Revision::Osaka, &fields);
    if fields.to == Some(GATEWAY) {
        return Ok((gas.intrinsic + gas::GATEWAY).max(gas.floor));
    }
    if penniless {
        return Ok(gas.needed());
    }
    let from = wallet.network.account(&request.from)?;
    let trial = Trial { from, to: fields.to, value: request.value_wei, input: fields.input.clone() };
    let estimate = node.estimate_gas(&trial)?.unwrap_or(gas.needed());
    let margin = if request.runs_code() { estimate.saturating_mul(MARGIN) / 100 } else { 0 };
    Ok(estimate.saturating_add(margin).clamp(gas.needed(), MAX_TRANSACTION_GAS.max(gas.needed())))
}

fn whole(wei: U256, grains_only: bool) -> U256 {
    if grains_only { wei - wei % Amount(1).to_wei() } else { wei }
}
