//! Ethereum's state transition: one account transaction.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, Log, U256};

use super::authorize::authorize;
use crate::{
    block::check::{AccountRules, check_account_transaction},
    error::{ExecuteError, RuleError},
    state::{AccountId, Overlay},
    transaction::account::Fields,
    units::Gas,
    vm::{self, Code, Environment, Inspector, Origin, Request, Revision, Silent, Status},
};

/// The outcome of a transaction, besides its writes.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How its call ended.
    pub status: Status,
    /// The contract created by a transaction without a recipient.
    pub created: Option<Address>,
    /// Gas charged.
    pub gas_used: Gas,
    /// What the call returned.
    pub output: Bytes,
    /// The logs.
    pub logs: Vec<Log>,
    /// Wei burned: the base fee's part of the price.
    pub burned: U256,
}

/// Runs one transaction, identified by `hash`, in a block that has `gas_left`. On a rule error nothing was written.
///
/// # Errors
/// [`ExecuteError::Rule`] if the transaction is invalid here; [`ExecuteError::View`] if the state cannot be read: then
/// [`Overlay::abandon_transaction`] reverts what was written.
pub fn transition(
    environment: &Environment,
    state: &mut Overlay<'_>,
    hash: B256,
    fields: &Fields,
    sender: Address,
    gas_left: Gas,
) -> Result<Outcome, ExecuteError> {
    transition_with(environment, state, hash, fields, sender, gas_left, &mut Silent)
}

/// [`transition`] with an inspector.
///
/// # Errors
/// Those of [`transition`].
pub fn transition_with(
    environment: &Environment,
    state: &mut Overlay<'_>,
    hash: B256,
    fields: &Fields,
    sender: Address,
    gas_left: Gas,
    inspector: &mut impl Inspector,
) -> Result<Outcome, ExecuteError> {
    let gas = check_account_transaction(&AccountRules::within(environment), fields)?;
    let sender = state.account(&sender)?;
    let tip = check_against_state(environment, state, fields, sender, gas_left)?;
    let gas_price = tip + U256::from(environment.base_fee);
    buy_gas(state, fields, sender, gas_price);
    let target = warm(environment, state, fields, sender)?;
    let refund = authorize(environment, state, &fields.authorizations)?;
    let request = Request {
        origin: Origin { transaction: hash, sender: state.address(sender), gas_price },
        sender,
        target,
        is_creation: fields.to.is_none(),
        value: fields.value,
        input: &fields.input,
        gas: fields.gas_limit - gas.intrinsic,
        refund,
    };
    let ended = vm::execute(environment, state, inspector, &request)?;
    let gas_used = gas_used(fields.gas_limit - ended.gas_left, ended.refund, gas.floor);
    let mut burned = U256::from(environment.base_fee) * U256::from(gas_used);
    let beneficiary = state.account(&environment.beneficiary)?;
    burned += pay(state, sender, gas_price * U256::from(fields.gas_limit - gas_used));
    burned += pay(state, beneficiary, tip * U256::from(gas_used));
    let created = (request.is_creation && ended.status == Status::Success).then(|| state.address(target));
    let logs = state.end_transaction();
    Ok(Outcome { status: ended.status, created, gas_used, output: ended.output, logs, burned })
}

/// Gas to charge for the gas that was spent.
fn gas_used(spent: Gas, refund: Gas, floor: Gas) -> Gas {
    // VM-3
    (spent - refund.min(spent / 5)).max(floor)
}

/// Finds the account that the transaction calls or creates, and warms accounts and slots (EIP-2929, EIP-2930,
/// EIP-3651). Precompiled contracts are always warm.
fn warm(
    environment: &Environment,
    state: &mut Overlay<'_>,
    fields: &Fields,
    sender: AccountId,
) -> Result<AccountId, ExecuteError> {
    // VM-2
    let target = match fields.to {
        Some(to) => state.account(&to)?,
        None => state.account(&state.address(sender).create(fields.nonce))?,
    };
    let beneficiary = state.account(&environment.beneficiary)?;
    for account in [sender, target, beneficiary] {
        state.warm_account(account);
    }
    for (address, slots) in &fields.access_list {
        let account = state.account(address)?;
        state.warm_account(account);
        for slot in slots {
            let slot = state.slot(account, U256::from_be_bytes(slot.0))?;
            state.warm_slot(slot);
        }
    }
    Ok(target)
}

/// Checks a transaction against its sender and block; returns the tip per gas.
fn check_against_state(
    environment: &Environment,
    state: &mut Overlay<'_>,
    fields: &Fields,
    sender: AccountId,
    gas_left: Gas,
) -> Result<U256, ExecuteError> {
    // ACC-14
    if fields.gas_limit > gas_left {
        return Err(RuleError::GasLeft { got: fields.gas_limit, left: gas_left }.into());
    }
    // ACC-8
    let tip = fields
        .effective_tip(environment.base_fee)
        .ok_or(RuleError::FeeCapTooLow { got: fields.fees.fee_cap(), base_fee: environment.base_fee })?;
    let account = *state.info(sender);
    // ACC-4
    if fields.nonce != account.nonce {
        return Err(RuleError::Nonce { got: fields.nonce, expected: account.nonce }.into());
    }
    // ACC-11
    if account.code_hash != KECCAK256_EMPTY
        && environment.trial.is_none()
        && !may_send(environment, state.code(sender)?)
    {
        return Err(RuleError::SenderHasCode(state.address(sender)).into());
    }
    // ACC-10
    let needed = fields
        .fees
        .fee_cap()
        .checked_mul(U256::from(fields.gas_limit))
        .and_then(|gas| gas.checked_add(fields.value))
        .unwrap_or(U256::MAX);
    if account.balance < needed {
        return Err(RuleError::InsufficientBalance { got: account.balance, needed }.into());
    }
    Ok(tip)
}

/// Whether an account with this code may send: only if the code is a delegation (EIP-7702).
fn may_send(environment: &Environment, code: Option<&Code>) -> bool {
    environment.revision >= Revision::Osaka && code.and_then(Code::delegate).is_some()
}

/// Charges for all gas in advance and increments the nonce. ACC-10 and ACC-5 guarantee that both are possible.
fn buy_gas(state: &mut Overlay<'_>, fields: &Fields, sender: AccountId, price: U256) {
    let cost = price * U256::from(fields.gas_limit);
    state.set_balance(sender, state.info(sender).balance - cost);
    state.set_nonce(sender, fields.nonce + 1);
}

/// Credits an account; returns what is burned because it would overflow the balance.
fn pay(state: &mut Overlay<'_>, account: AccountId, wei: U256) -> U256 {
    if state.credit(account, wei) { U256::ZERO } else { wei }
}
