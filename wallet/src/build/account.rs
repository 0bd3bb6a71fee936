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
    node::Node,
    request::{AccountRequest, Body, Request},
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
    let (to, input, withdraw_to, wanted) = match order {
        AccountOrder::Transfer { to, value } => (*to, Vec::new(), None, *value),
        AccountOrder::Withdraw { to, value } => (GATEWAY, withdraw_calldata(to).to_vec(), Some(to), *value),
    };
    let balance = node.balance(&from)?;
    let tip = U256::from(terms.prices.tip);
    // To send everything, the price must not promise more than it takes.
    let max_fee = match wanted {
        Value::All => U256::from(terms.prices.base_max) + tip,
        Value::Wei(_) => terms.prices.account_max(),
    };
    let mut request = AccountRequest {
        from: from.to_string(),
        key: Some(KeyPath::Account(index)),
        nonce: 0,
        to: to.to_string(),
        // For the estimate: any value that the account has will do.
        value_wei: match wanted {
            Value::Wei(wei) if wei <= balance => wei,
            _ => Amount(1).to_wei().min(balance),
        },
        gas_limit: 0,
        max_fee_per_gas_wei: max_fee,
        max_priority_fee_per_gas_wei: tip,
        input,
        withdraw_to: withdraw_to.map(|lock| wallet.network.address(lock)),
        signed: Vec::new(),
    };
    request.gas_limit = gas_limit(wallet, node, &request, balance.is_zero())?;
    let gas_limit = request.gas_limit;
    let cost = max_fee.checked_mul(U256::from(gas_limit)).ok_or(BuildError::TooLarge)?;
    let value = match wanted {
        Value::Wei(wei) => wei,
        Value::All => whole(balance.saturating_sub(cost), withdraw_to.is_some()),
    };
    let needed = value.max(U256::from(1)).checked_add(cost).ok_or(BuildError::TooLarge)?;
    if needed > balance {
        let account = from.to_string();
        return Err(BuildError::NotEnoughInAccount(Box::new(Shortage { account, needed, fee: cost, balance })));
    }
    let expected = (U256::from(terms.prices.base) + tip).saturating_mul(U256::from(gas_limit));
    check_fee(terms, fees::check_wei(expected, value))?;
    request.value_wei = value;
    request.nonce = node.nonce(&from, true)?;
    request.check(&wallet.network)?;
    Ok(Request::new(wallet.network.clone(), terms.height, terms.prices.base, Body::Account(request)))
}

/// Gas that a request needs: known for payments and withdrawals; the node knows whether code is called.
fn gas_limit(wallet: &Wallet, node: &Node, request: &AccountRequest, penniless: bool) -> Result<Gas, BuildError> {
    let fields = request.fields(&wallet.network)?;
    let gas = IntrinsicGas::of(Revision::Osaka, &fields);
    if fields.to == Some(GATEWAY) {
        return Ok((gas.intrinsic + GATEWAY_GAS).max(gas.floor));
    }
    let (Some(to), false) = (fields.to, penniless) else { return Ok(gas.needed()) };
    let from = wallet.network.account(&request.from)?;
    let estimate = node.estimate_gas(&from, &to, request.value_wei, &request.input)?;
    Ok(estimate.unwrap_or(gas.needed()).clamp(gas.needed(), MAX_TRANSACTION_GAS))
}

fn whole(wei: U256, grains_only: bool) -> U256 {
    if grains_only { wei - wei % Amount(1).to_wei() } else { wei }
}
