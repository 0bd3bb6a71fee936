//! `eth_call` and `eth_estimateGas`: transactions that are tried on the state of a block and leave no trace.

use chain_core::{
    execute::{IntrinsicGas, Status},
    gas::{MAX_TRANSACTION_GAS, TRANSACTION},
    units::Gas,
    vm::Halt,
};
use serde_json::Value;

use crate::rpc::base::{
    Args, BlockTag, CallRequest, Context, LIMIT, MOST_GAS, Method, Overrides, RpcError, RpcResult, Simulation, account,
    cannot, data, failure, quantity,
};

pub const METHODS: &[Method] = &[
    Method::new("eth_call", PARAMS, call).code().within(SECONDS),
    Method::new("eth_estimateGas", PARAMS, estimate_gas).code().within(SECONDS),
];

const PARAMS: &[&str] = &["transaction", "block", "overrides", "blockOverrides"];

/// How long a call may run, as in geth.
pub const SECONDS: u64 = 5;

/// An estimate is at most a 66th, 1.5 %, above what is needed.
const ERROR_DIVISOR: Gas = 66;

/// Reads the parameters of a method that has [`PARAMS`] and takes this block where none is named.
fn read(context: &Context, mut args: Args, default: BlockTag) -> RpcResult<(CallRequest, Simulation)> {
    let mut request = CallRequest::read(context, &mut args)?;
    let (tag, call) = (Some(args.optional()?.unwrap_or(default)), args.call());
    let overrides = Overrides::read(&mut args)?;
    let simulation = Simulation::new(context, tag, &overrides, &mut request, call)?;
    Ok((request, simulation))
}

fn call(context: &Context, args: Args) -> RpcResult<Value> {
    let (request, simulation) = read(context, args, BlockTag::Latest)?;
    let outcome = simulation.run(&request, request.fields.gas_limit)?;
    match failure(&outcome) {
        Some(error) => Err(error),
        None => Ok(data(&outcome.output)),
    }
}

/// Gas that the sender can pay for at the price that was named.
pub fn allowance(simulation: &Simulation, request: &CallRequest) -> RpcResult<Gas> {
    if !request.priced {
        return Ok(Gas::MAX);
    }
    let (balance, value) = (account(&simulation.state, &request.from)?.balance, request.fields.value);
    let left = balance.checked_sub(value).ok_or_else(|| {
        cannot(format!("insufficient funds for gas * price + value: the balance is {balance} wei, the value {value}"))
    })?;
    Ok(Gas::try_from(left / request.fields.fees.fee_cap()).unwrap_or(Gas::MAX))
}

/// Whether it only pays an account that runs no code.
fn is_plain_transfer(simulation: &Simulation, request: &CallRequest) -> RpcResult<bool> {
    let fields = &request.fields;
    let Some(to) = fields.to else { return Ok(false) };
    let is_plain = fields.input.is_empty() && fields.access_list.is_empty() && fields.authorizations.is_empty();
    Ok(is_plain && account(&simulation.state, &to)?.code_hash == alloy_primitives::KECCAK256_EMPTY)
}

fn estimate_gas(context: &Context, args: Args) -> RpcResult<Value> {
    // Where the clock is set, code often waits for a time that the next block alone has reached.
    let default = if context.spec.is_dev() { BlockTag::Pending } else { BlockTag::Latest };
    let (request, simulation) = read(context, args, default)?;
    estimate(&request, &simulation).map(quantity)
}

/// Gas that a transaction needs, a little more at times.
pub fn estimate(request: &CallRequest, simulation: &Simulation) -> RpcResult<Gas> {
    // As in geth, less than any transaction needs is no limit.
    let asked = if request.fields.gas_limit < TRANSACTION { MOST_GAS } else { request.fields.gas_limit };
    let most = asked.min(MAX_TRANSACTION_GAS).min(simulation.environment.gas_limit);
    let most = most.min(allowance(simulation, request)?);
    let needed = IntrinsicGas::of(simulation.environment.revision, &request.fields).needed();
    let exceeds = || cannot(format!("gas required exceeds allowance ({most})"));
    if most < needed {
        return Err(exceeds());
    }
    // A run that fails for another reason than its gas fails with all of it too.
    let suffices = |gas: Gas| match simulation.run(request, gas) {
        Ok(outcome) => Ok(outcome.status == Status::Success),
        Err(error) if error.code() == LIMIT => Err(error),
        Err(_) => Ok(false),
    };
    if is_plain_transfer(simulation, request)? && suffices(TRANSACTION)? {
        return Ok(TRANSACTION);
    }
    let outcome = simulation.run(request, most)?;
    if outcome.status == Status::Halt(Halt::OutOfGas) {
        return Err(exceeds());
    }
    if let Some(error) = failure(&outcome) {
        return Err(error);
    }
    // What was used is enough unless gas came back in the end, or a call inside was kept from getting all.
    least(needed.max(outcome.gas_used) - 1, most, suffices)
}

/// About the least gas that suffices: more than `low`, at most `high`, which does.
fn least(mut low: Gas, mut high: Gas, suffices: impl Fn(Gas) -> Result<bool, RpcError>) -> RpcResult<Gas> {
    // Mostly one of these will do: what was used, and with the 64th that a call cannot pass on.
    for guess in [low + 1, (low + 1).saturating_add((low + 1) / 63 + 1)] {
        if guess < high {
            match suffices(guess)? {
                true => high = guess,
                false => low = guess,
            }
        }
    }
    // Nobody needs the last unit, but every run costs this node as much as the transaction: geth stops here too.
    while low + 1 < high && (high - low) * ERROR_DIVISOR > high {
        let middle = low + (high - low) / 2;
        match suffices(middle)? {
            true => high = middle,
            false => low = middle,
        }
    }
    Ok(high)
}
