//! State and block overrides: what a simulation takes to be otherwise than it is.

use alloy_primitives::{Address, B256, Bytes, U256};
use chain_core::{
    execute::{Environment, GATEWAY, Revision, Trial},
    gas::MAX_CODE,
    units::Gas,
    vm::precompiles::is_precompile,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use super::state::SimulatedState;
use crate::rpc::base::{
    call::Call,
    error::{RpcResult, cannot, invalid},
    params::{Any, Args, BigQuantity, Data, Object, Options, Param, Quantity},
    state::account,
};

/// Most accounts of one set of overrides: a request of 5 MB has room for more, each of which is read from the disk.
const MAX_ACCOUNTS: usize = 10_000;

/// What a simulation takes to be otherwise.
#[derive(Debug, Default)]
pub struct Overrides {
    /// Of the state.
    pub state: StateOverrides,
    /// Of the block.
    pub block: BlockOverrides,
}

impl Overrides {
    /// Reads the next two arguments, which are named `overrides` and `blockOverrides`.
    pub fn read(args: &mut Args) -> RpcResult<Self> {
        let state = Self::state(args)?;
        Ok(Self { state, block: BlockOverrides::parse("blockOverrides", args.optional()?)? })
    }

    /// Reads the next argument, which is named `overrides`.
    pub fn state(args: &mut Args) -> RpcResult<StateOverrides> {
        StateOverrides::parse("overrides", args.optional()?)
    }

    /// Reads `stateOverrides` and `blockOverrides` of an object of this name.
    pub fn of(options: &Options, name: &str) -> RpcResult<Self> {
        Ok(Self {
            state: StateOverrides::parse(&format!("{name}.stateOverrides"), options.get("stateOverrides")?)?,
            block: BlockOverrides::parse(&format!("{name}.blockOverrides"), options.get("blockOverrides")?)?,
        })
    }
}

/// Accounts that are otherwise, as in geth.
#[derive(Debug, Default)]
pub struct StateOverrides(BTreeMap<Address, AccountOverride>);

#[derive(Debug)]
struct AccountOverride {
    balance: Option<U256>,
    nonce: Option<u64>,
    code: Option<Bytes>,
    /// All of the storage.
    state: Option<Vec<(U256, U256)>>,
    /// Some of it.
    state_diff: Option<Vec<(U256, U256)>>,
    /// Where the precompiled contract of the address goes.
    move_to: Option<Address>,
}

impl StateOverrides {
    /// Reads an object of this name.
    ///
    /// # Errors
    /// -32602 with the name of what is wrong, such as `overrides.0x….balance`; -32000 if a contract cannot move.
    pub fn parse(name: &str, object: Option<Object>) -> RpcResult<Self> {
        let map = object.map(|object| object.0).unwrap_or_default();
        if map.len() > MAX_ACCOUNTS {
            return Err(invalid(format!("{name}: expected at most {MAX_ACCOUNTS} accounts, got {}", map.len())));
        }
        let mut accounts = BTreeMap::new();
        for (key, value) in map {
            let key: String = key.chars().take(44).collect();
            let name = format!("{name}.{key}");
            let address = Address::parse(&key.into())
                .ok_or_else(|| invalid(format!("{name}: expected {} as a key", Address::EXPECTED)))?;
            accounts.insert(address, AccountOverride::parse(&name, Options::nested(&name, value)?)?);
        }
        let all = Self(accounts);
        all.check_moves()?;
        Ok(all)
    }

    /// Precompiled contracts go to addresses that nothing else is said of. The words are geth's.
    fn check_moves(&self) -> RpcResult<()> {
        let mut targets = BTreeSet::new();
        for (address, account) in &self.0 {
            let Some(to) = account.move_to else { continue };
            if !is_precompile(Revision::Osaka, address) {
                return Err(cannot(format!("account {address} is not a precompile")));
            }
            if self.0.contains_key(&to) || !targets.insert(to) {
                return Err(cannot(format!("account {to} is already overridden")));
            }
        }
        Ok(())
    }

    /// Changes the state.
    ///
    /// # Errors
    /// If an account cannot be read, or the call is over.
    pub fn apply(&self, state: &mut SimulatedState, trial: &mut Trial, call: &Call) -> RpcResult<()> {
        for (address, changed) in &self.0 {
            call.check()?;
            let mut now = account(&*state, address)?;
            now.balance = changed.balance.unwrap_or(now.balance);
            now.nonce = changed.nonce.unwrap_or(now.nonce);
            if let Some(code) = &changed.code {
                now.code_hash = state.set_code(code.clone());
            }
            state.set_account(*address, now);
            if changed.state.is_some() {
                state.clear_storage(*address);
            }
            if let Some(words) = changed.state.as_ref().or(changed.state_diff.as_ref()) {
                state.set_storage(*address, words.iter().copied());
            }
            let is_built_in = is_precompile(Revision::Osaka, address) || *address == GATEWAY;
            if is_built_in && (changed.code.is_some() || changed.move_to.is_some()) {
                trial.moved.insert(*address, None);
            }
            if let Some(to) = changed.move_to {
                trial.moved.insert(to, Some(*address));
            }
        }
        Ok(())
    }
}

impl AccountOverride {
    fn parse(name: &str, options: Options) -> RpcResult<Self> {
        let (state, state_diff) = (options.get("state")?, options.get("stateDiff")?);
        if state.is_some() && state_diff.is_some() {
            return Err(invalid(format!("{name}: has both 'state' and 'stateDiff'; give one of them")));
        }
        let code: Option<Bytes> = options.get::<Data>("code")?.map(|code| code.0.into());
        // A caller could otherwise have megabytes of it searched for jump destinations, which no gas pays for.
        if let Some(long) = code.as_ref().map(|code| code.len()).filter(|len| *len > MAX_CODE) {
            return Err(invalid(format!("{name}.code: expected at most {MAX_CODE} bytes (EIP-170), got {long}")));
        }
        Ok(Self {
            balance: options.get::<BigQuantity>("balance")?.map(|balance| balance.0),
            nonce: options.get::<Quantity>("nonce")?.map(|nonce| nonce.0),
            code,
            state: state.map(|object| words(&format!("{name}.state"), object)).transpose()?,
            state_diff: state_diff.map(|object| words(&format!("{name}.stateDiff"), object)).transpose()?,
            move_to: options.get("movePrecompileToAddress")?,
        })
    }
}

/// Slots and their words.
fn words(name: &str, object: Object) -> RpcResult<Vec<(U256, U256)>> {
    let word = |(key, value): (String, Value)| {
        let shown: String = key.chars().take(68).collect();
        let slot = B256::parse(&key.into())
            .ok_or_else(|| invalid(format!("{name}.{shown}: expected {} as a key", B256::EXPECTED)))?;
        let word = B256::parse(&value).ok_or_else(|| invalid(format!("{name}.{slot}: expected {}", B256::EXPECTED)))?;
        Ok((slot.into(), word.into()))
    };
    object.0.into_iter().map(word).collect()
}

/// What is otherwise in the block, as in geth.
#[derive(Debug, Default)]
pub struct BlockOverrides {
    /// NUMBER.
    pub number: Option<u64>,
    /// TIMESTAMP.
    pub time: Option<u64>,
    /// GASLIMIT.
    pub gas_limit: Option<Gas>,
    /// COINBASE.
    pub beneficiary: Option<Address>,
    /// PREVRANDAO.
    pub random: Option<U256>,
    /// BASEFEE.
    pub base_fee: Option<u64>,
}

impl BlockOverrides {
    /// Reads an object of this name. Old names are read too; what a chain without blobs and beacon has no use for is
    /// ignored.
    ///
    /// # Errors
    /// -32602 with the name of what is wrong.
    pub fn parse(name: &str, object: Option<Object>) -> RpcResult<Self> {
        let Some(object) = object else { return Ok(Self::default()) };
        let options = Options::lenient(name, object);
        let number = |keys: [&str; 2]| either::<Quantity>(&options, keys).map(|found| found.map(|number| number.0));
        options.get::<BigQuantity>("blobBaseFee")?;
        if options.get::<Any>("withdrawals")?.is_some_and(|Any(list)| list != Value::Array(Vec::new())) {
            return Err(invalid(format!("{name}.withdrawals: expected an empty array: this chain has no withdrawals")));
        }
        let random = either::<B256>(&options, ["prevRandao", "random"])?.map(|word| word.into());
        let difficulty = options.get::<BigQuantity>("difficulty")?.map(|difficulty| difficulty.0);
        Ok(Self {
            number: number(["number", "blockNumber"])?,
            time: number(["time", "timestamp"])?,
            gas_limit: options.get::<Quantity>("gasLimit")?.map(|gas| gas.0),
            beneficiary: either(&options, ["feeRecipient", "coinbase"])?,
            random: random.or(difficulty),
            base_fee: number(["baseFeePerGas", "baseFee"])?,
        })
    }

    /// Changes the block. Of the base fee only calls with a price see anything.
    pub fn apply(&self, environment: &mut Environment) {
        environment.number = self.number.unwrap_or(environment.number);
        environment.time = self.time.unwrap_or(environment.time);
        environment.gas_limit = self.gas_limit.unwrap_or(environment.gas_limit);
        environment.beneficiary = self.beneficiary.unwrap_or(environment.beneficiary);
        environment.difficulty = self.random.unwrap_or(environment.difficulty);
        environment.base_fee = self.base_fee.unwrap_or(environment.base_fee);
    }
}

/// An option that has two names.
fn either<T: Param>(options: &Options, keys: [&str; 2]) -> RpcResult<Option<T>> {
    match options.get(keys[0])? {
        Some(value) => Ok(Some(value)),
        None => options.get(keys[1]),
    }
}
