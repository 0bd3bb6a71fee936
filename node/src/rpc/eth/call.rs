//! `eth_call` and `eth_estimateGas`: transactions that are tried on the state of the tip and leave no trace.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::{
    error::ExecuteError,
    execute::{Environment, IntrinsicGas, Outcome, Revision, Status, transition_with},
    gas::MAX_TRANSACTION_GAS,
    state::{Overlay, StateView},
    transaction::account::{Authorization, Fees, Fields},
    units::Gas,
    vm::{Halt, Inspector},
};
use serde_json::Value;

use crate::{
    rpc::base::{
        Any, Args, BigQuantity, BlockTag, Call, Context, Data, Guard, LIMIT, Method, Object, Options, Param, Quantity,
        RpcError, RpcResult, account, base_fee, cannot, data, fee_after, header, in_geths_words, internal, invalid,
        not_found, quantity, render, reverted, state_at,
    },
    store::HistoricalState,
};

pub const METHODS: &[Method] = &[
    Method::new("eth_call", &["transaction", "block"], call).code().within(SECONDS),
    Method::new("eth_estimateGas", &["transaction", "block"], estimate_gas).code().within(SECONDS),
];

/// How long a call may run, as in geth.
const SECONDS: u64 = 5;
/// Gas for a call at most, whatever the chain allows a block: it bounds what a call holds in memory, some 180 MB.
const MOST_GAS: Gas = 100_000_000;

/// An estimate is at most a 66th, 1.5 %, above what is needed.
const ERROR_DIVISOR: Gas = 66;

/// Most entries of an access list.
const MAX_ACCESS_LIST: usize = 1_024;
/// Most authorizations; each costs 25,000 gas, so that a block has room for fewer.
const MAX_AUTHORIZATIONS: usize = 1_024;

/// A transaction that nobody signed.
pub struct CallRequest {
    from: Address,
    /// What it says.
    pub fields: Fields,
    /// Whether a price was named, so that the sender must be able to pay it.
    priced: bool,
}

impl CallRequest {
    /// Reads the next argument.
    pub fn read(context: &Context, args: &mut Args) -> RpcResult<Self> {
        let options = Options::lenient("transaction", args.required::<Object>()?);
        let amount = |key| Ok::<_, RpcError>(options.get::<BigQuantity>(key)?.map(|amount| amount.0));
        let input = match (options.get::<Data>("input")?, options.get::<Data>("data")?) {
            (Some(Data(input)), Some(Data(data))) if input != data => {
                return Err(invalid("transaction: input and data differ; give one of them"));
            }
            (input, data) => input.or(data).map_or(Bytes::new(), |Data(bytes)| bytes.into()),
        };
        let fees = match (amount("gasPrice")?, amount("maxFeePerGas")?, amount("maxPriorityFeePerGas")?) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                return Err(invalid("transaction: gasPrice and maxFeePerGas exclude each other"));
            }
            (Some(gas_price), None, None) => Fees::Legacy { gas_price },
            (None, max_fee, tip) => Fees::Dynamic {
                max_fee: max_fee.or(tip).unwrap_or_default(),
                max_priority_fee: tip.unwrap_or_default(),
            },
        };
        // The kind and the chain do not matter here: whatever is sent is signed for this chain.
        options.get::<Quantity>("type")?;
        options.get::<Quantity>("chainId")?;
        let gas_limit = options.get::<Quantity>("gas")?.map_or(Gas::MAX, |gas| gas.0);
        let authorizations = authorizations(options.get("authorizationList")?)?;
        let fields = Fields {
            tx_type: if authorizations.is_empty() { 2 } else { 4 },
            chain_id: context.spec.chain_id,
            nonce: options.get::<Quantity>("nonce")?.map_or(0, |nonce| nonce.0),
            fees,
            gas_limit: gas_limit.min(context.spec.gas_limit).min(MOST_GAS),
            to: options.get("to")?,
            value: amount("value")?.unwrap_or_default(),
            input,
            access_list: access_list(options.get("accessList")?)?,
            authorizations,
        };
        let priced = fees.fee_cap() != U256::ZERO;
        Ok(Self { from: options.get("from")?.unwrap_or_default(), fields, priced })
    }
}

fn access_list(given: Option<Any>) -> RpcResult<Vec<(Address, Vec<B256>)>> {
    let wrong = || invalid("transaction.accessList: expected an array of {address, storageKeys}");
    let Some(Any(list)) = given else {
        return Ok(Vec::new());
    };
    let entry = |entry: &Value| {
        let keys = entry["storageKeys"].as_array().filter(|keys| keys.len() <= MAX_ACCESS_LIST)?;
        Some((Address::parse(&entry["address"])?, keys.iter().map(B256::parse).collect::<Option<_>>()?))
    };
    let entries = list.as_array().filter(|entries| entries.len() <= MAX_ACCESS_LIST).ok_or_else(wrong)?;
    entries.iter().map(entry).collect::<Option<_>>().ok_or_else(wrong)
}

fn authorizations(given: Option<Any>) -> RpcResult<Vec<Authorization>> {
    let wrong =
        || invalid("transaction.authorizationList: expected an array of {chainId, address, nonce, yParity, r, s}");
    let Some(Any(list)) = given else {
        return Ok(Vec::new());
    };
    let entry = |entry: &Value| {
        // Libraries write signatures as quantities or as 32 bytes.
        let word = |key: &str| U256::from_str_radix(entry[key].as_str()?.strip_prefix("0x")?, 16).ok();
        let number = |key: &str| u64::try_from(word(key)?).ok();
        let y_parity = number("yParity").or_else(|| number("v").map(|v| if v >= 27 { v - 27 } else { v }))?;
        Some(Authorization {
            chain_id: word("chainId")?,
            address: Address::parse(&entry["address"])?,
            nonce: number("nonce")?,
            y_parity: u8::try_from(y_parity).ok()?,
            r: word("r")?,
            s: word("s")?,
        })
    };
    let entries = list.as_array().filter(|entries| entries.len() <= MAX_AUTHORIZATIONS).ok_or_else(wrong)?;
    entries.iter().map(entry).collect::<Option<_>>().ok_or_else(wrong)
}

/// A state and the block that it is of, or that would come next for `pending`.
pub struct Simulation {
    state: HistoricalState,
    environment: Environment,
    call: Call,
}

impl Simulation {
    /// Takes the state that the next argument names.
    pub fn new(context: &Context, args: &mut Args, request: &mut CallRequest) -> RpcResult<Self> {
        let tag = args.optional()?;
        let is_pending = tag == Some(BlockTag::Pending);
        let state = state_at(context, tag)?;
        request.fields.nonce = account(&state, &request.from)?.nonce;
        let snapshot = state.snapshot();
        let at = snapshot.at_height(state.height())?.ok_or_else(|| not_found("no such block"))?;
        let record = header(snapshot, at)?;
        let base_fee = match is_pending {
            true => fee_after(context, snapshot, at)?,
            false => base_fee(context, &record),
        };
        let environment = Environment {
            revision: Revision::Osaka,
            chain_id: context.spec.chain_id,
            number: u64::from(at.height) + u64::from(is_pending),
            time: u64::from(record.header.time),
            gas_limit: context.spec.gas_limit,
            // Without a price nothing is paid, as in other clients.
            base_fee: if request.priced { base_fee } else { 0 },
            difficulty: render::difficulty(record.header.bits),
            beneficiary: context.mining.status().beneficiary,
            transaction_gas: Gas::MAX,
            gateway: true,
            trial: true,
        };
        Ok(Self { state, environment, call: args.call() })
    }

    /// Gas that the sender can pay for at the price that was named.
    fn allowance(&self, request: &CallRequest) -> RpcResult<Gas> {
        if !request.priced {
            return Ok(Gas::MAX);
        }
        let (balance, value) = (account(&self.state, &request.from)?.balance, request.fields.value);
        let left = balance.checked_sub(value).ok_or_else(|| {
            cannot(format!(
                "insufficient funds for gas * price + value: the balance is {balance} wei, the value {value}"
            ))
        })?;
        Ok(Gas::try_from(left / request.fields.fees.fee_cap()).unwrap_or(Gas::MAX))
    }

    fn run(&self, request: &CallRequest, gas_limit: Gas) -> RpcResult<Outcome> {
        let outcome = self.watch(request, gas_limit, &mut Guard::new(&self.call));
        self.call.check()?;
        outcome
    }

    /// Runs it, watched.
    pub fn watch(&self, request: &CallRequest, gas_limit: Gas, inspector: &mut impl Inspector) -> RpcResult<Outcome> {
        let view: &dyn StateView = &self.state;
        let fields = Fields { gas_limit, ..request.fields.clone() };
        let mut overlay = Overlay::new(view);
        let (environment, limit) = (&self.environment, self.environment.gas_limit);
        transition_with(environment, &mut overlay, B256::ZERO, &fields, request.from, limit, inspector).map_err(failed)
    }
}

/// The answer where a transaction cannot be run at all.
pub fn failed(error: ExecuteError) -> RpcError {
    match error {
        ExecuteError::Rule(rule) => cannot(in_geths_words(&rule)),
        ExecuteError::View(error) => internal(error),
    }
}

/// The answer to a call that did not succeed.
fn failure(outcome: &Outcome) -> Option<RpcError> {
    match outcome.status {
        Status::Success => None,
        Status::Revert => Some(reverted(reason(&outcome.output).as_deref(), data(&outcome.output))),
        Status::Halt(halt) => Some(cannot(halt.to_string())),
    }
}

/// What Solidity's `Error(string)` says, at most 200 characters of it.
pub fn reason(output: &[u8]) -> Option<String> {
    let arguments = output.strip_prefix(&[0x08, 0xc3, 0x79, 0xa0])?;
    let length = usize::try_from(U256::from_be_slice(arguments.get(32..64)?)).ok()?;
    let text = arguments.get(64..64usize.checked_add(length)?)?;
    Some(String::from_utf8_lossy(text).chars().take(200).collect())
}

fn call(context: &Context, mut args: Args) -> RpcResult<Value> {
    let mut request = CallRequest::read(context, &mut args)?;
    let simulation = Simulation::new(context, &mut args, &mut request)?;
    let outcome = simulation.run(&request, request.fields.gas_limit)?;
    match failure(&outcome) {
        Some(error) => Err(error),
        None => Ok(data(&outcome.output)),
    }
}

fn estimate_gas(context: &Context, mut args: Args) -> RpcResult<Value> {
    let mut request = CallRequest::read(context, &mut args)?;
    let simulation = Simulation::new(context, &mut args, &mut request)?;
    let most = request.fields.gas_limit.min(MAX_TRANSACTION_GAS).min(simulation.allowance(&request)?);
    let needed = IntrinsicGas::of(simulation.environment.revision, &request.fields).needed();
    let exceeds = || cannot(format!("gas required exceeds allowance ({most})"));
    if most < needed {
        return Err(exceeds());
    }
    let outcome = simulation.run(&request, most)?;
    if outcome.status == Status::Halt(Halt::OutOfGas) {
        return Err(exceeds());
    }
    if let Some(error) = failure(&outcome) {
        return Err(error);
    }
    // A run that fails for another reason than its gas has failed above.
    let suffices = |gas: Gas| match simulation.run(&request, gas) {
        Ok(outcome) => Ok(outcome.status == Status::Success),
        Err(error) if error.code() == LIMIT => Err(error),
        Err(_) => Ok(false),
    };
    // What was used is enough unless gas came back in the end, or a call inside was kept from getting all.
    let mut low = needed.max(outcome.gas_used) - 1;
    let mut high = most;
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
    Ok(quantity(high))
}
