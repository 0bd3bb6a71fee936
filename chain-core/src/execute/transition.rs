//! Ethereum's state transition: one account transaction.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, Log, U256};

use super::{
    call::{Call, CallResult, GATEWAY, Origin, call},
    context::{Environment, Revision},
    intrinsic::check_account_alone,
};
use crate::{
    account::Fields,
    error::{ExecuteError, RuleError},
    state::{AccountId, Overlay},
    units::{Gas, Height},
    vm::{Inspector, Silent, Status},
};

/// What a transaction did beside its writes.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How its call ended.
    pub status: Status,
    /// The contract that a transaction without a recipient made.
    pub created: Option<Address>,
    /// Gas that is paid for.
    pub gas_used: Gas,
    /// What the call returned.
    pub output: Bytes,
    /// What was logged.
    pub logs: Vec<Log>,
    /// Wei destroyed: the base fee's part of the price.
    pub burned: U256,
}

/// Runs one transaction, identified by `hash`, in a block that has `gas_left`. On a rule's error nothing was written.
///
/// # Errors
/// [`ExecuteError::Rule`] if the transaction may not stand here; [`ExecuteError::View`] if the state cannot be read: then
/// [`Overlay::abandon_transaction`] takes back what was written.
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

/// [`transition`], watched.
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
    _inspector: &mut impl Inspector,
) -> Result<Outcome, ExecuteError> {
    let gas = check_account_alone(environment, fields)?;
    let sender = state.account(&sender)?;
    let tip = check_against_state(environment, state, fields, sender, gas_left)?;
    let price = tip + U256::from(environment.base_fee);
    buy_gas(state, fields, sender, price);
    let result = run(environment, state, hash, fields, sender, fields.gas_limit - gas.intrinsic)?;
    let spent = fields.gas_limit - result.gas_left;
    let gas_used = spent.max(gas.floor);
    let mut burned = U256::from(environment.base_fee) * U256::from(gas_used);
    let beneficiary = state.account(&environment.beneficiary)?;
    burned += pay(state, sender, price * U256::from(fields.gas_limit - gas_used));
    burned += pay(state, beneficiary, tip * U256::from(gas_used));
    let logs = state.end_transaction();
    Ok(Outcome { status: result.status, created: None, gas_used, output: result.output, logs, burned })
}

/// Checks a transaction against its sender and block; answers with the tip for a unit of gas.
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
    if account.code_hash != KECCAK256_EMPTY && !is_delegated(environment.revision, state.code(sender)?) {
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
    check_recipient(state, fields)?;
    Ok(tip)
}

/// Until contract code can run, refuses whatever would run some.
fn check_recipient(state: &mut Overlay<'_>, fields: &Fields) -> Result<(), ExecuteError> {
    // ACC-15
    let Some(to) = fields.to.filter(|to| *to != GATEWAY) else { return Ok(()) };
    let recipient = state.account(&to)?;
    if is_precompile(&to) || state.info(recipient).code_hash != KECCAK256_EMPTY {
        return Err(RuleError::ContractsUnsupported.into());
    }
    Ok(())
}

/// Whether Osaka has a precompiled contract at the address.
fn is_precompile(address: &Address) -> bool {
    matches!(u16::try_from(U256::from_be_slice(address.as_slice())), Ok(1..=0x11 | 0x100))
}

/// Whether code is nothing but a delegation (EIP-7702).
fn is_delegated(revision: Revision, code: &[u8]) -> bool {
    revision >= Revision::Osaka && code.len() == 23 && code.starts_with(&[0xef, 0x01, 0x00])
}

/// Takes the price of all gas in advance and counts the nonce. ACC-10 and ACC-5 have seen to it that both are possible.
fn buy_gas(state: &mut Overlay<'_>, fields: &Fields, sender: AccountId, price: U256) {
    let cost = price * U256::from(fields.gas_limit);
    state.set_balance(sender, state.info(sender).balance - cost);
    state.set_nonce(sender, fields.nonce + 1);
}

/// The transaction's call, with what is left of its gas after the intrinsic part.
fn run(
    environment: &Environment,
    state: &mut Overlay<'_>,
    hash: B256,
    fields: &Fields,
    sender: AccountId,
    gas: Gas,
) -> Result<CallResult, ExecuteError> {
    let to = fields.to.ok_or(RuleError::ContractsUnsupported)?;
    let target = state.account(&to)?;
    let origin = Origin { transaction: hash, height: Height::try_from(environment.number).unwrap_or(Height::MAX) };
    let (value, input) = (fields.value, &fields.input);
    Ok(call(state, &origin, &Call { caller: sender, target, code: target, value, input, gas, is_static: false }))
}

/// Pays an account; answers with what is destroyed because no balance can hold it.
fn pay(state: &mut Overlay<'_>, account: AccountId, wei: U256) -> U256 {
    if state.credit(account, wei) { U256::ZERO } else { wei }
}
