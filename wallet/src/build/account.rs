//! Payments from accounts.

use alloy_primitives::{Address, U256};
use chain_core::{
    coin::Lock,
    execute::{GATEWAY, GATEWAY_GAS, IntrinsicGas, MAX_TRANSACTION_GAS, Revision, withdraw_calldata},
    units::{Amount, Gas},
};

use super::{BuildError, Shortage, Terms, check_fee};
use crate::{
    fees,
    file::Wallet,
    keys::KeyPath,
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

/// What the fee of a request is compared with: code may be worth any fee that is not absurd.
pub(super) fn worth(request: &AccountRequest) -> U256 {
    if request.runs_code() { U256::MAX } else { request.value_wei }
}

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
    let from = wallet.keys.account(index)?;
    let balance = node.balance(&from)?;
    let tip = U256::from(terms.prices.tip);
    // To send everything, the price must not promise more than it takes.
    let max_fee = match order.wanted() {
        Value::All => U256::from(terms.prices.base_max) + tip,
        Value::Wei(_) => terms.prices.account_max(),
    };
    let mut request = AccountRequest {
        from: from.to_string(),
        key: Some(KeyPath::Account(index)),
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
        let account = from.to_string();
        return Err(BuildError::NotEnoughInAccount(Box::new(Shortage { account, needed, fee: cost, balance })));
    }
    request.value_wei = value;
    let expected = (U256::from(terms.prices.base) + tip).saturating_mul(U256::from(gas_limit));
    check_fee(terms, fees::check_wei(expected, worth(&request)))?;
    request.nonce = node.nonce(&from, true)?;
    request.check(&wallet.network)?;
    Ok(Request::new(wallet.network.clone(), terms.height, terms.prices.base, Body::Account(request.into())))
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
        return Ok((gas.intrinsic + GATEWAY_GAS).max(gas.floor));
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
