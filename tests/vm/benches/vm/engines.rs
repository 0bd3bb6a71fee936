//! Both machines on one message and one state in memory.
//!
//! Both keep their machine, its buffers and the analysis of the code from run to run, read the same [`MemoryState`], and
//! drop what they changed. Signatures and roots are no part of it.

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256, map::B256Map};
use chain_core::{
    execute::{Environment, Outcome, Revision, transition},
    state::{MemoryState, Overlay},
    transaction::account::{Fees, Fields},
    units::Gas,
    vm::Status,
};
use revm::{
    Context, Database, ExecuteEvm, MainBuilder, MainContext, MainnetEvm,
    bytecode::Bytecode,
    context::{BlockEnv, CfgEnv, Journal, TxEnv, result::ExecutionResult},
    primitives::hardfork::SpecId,
    state::AccountInfo,
};
use std::convert::Infallible;

/// Who mines.
const BENEFICIARY: Address = Address::repeat_byte(0xbe);
const TIME: u64 = 1_800_000_000;

/// A message and the state that it meets.
pub struct Input {
    /// What it is called.
    pub name: String,
    /// Who sends it.
    pub caller: Address,
    /// Whom it calls.
    pub to: Address,
    /// Wei sent along.
    pub value: U256,
    /// Calldata.
    pub calldata: Bytes,
    /// Gas, without the limit of a transaction.
    pub gas_limit: Gas,
    /// What it meets.
    pub state: MemoryState,
}

/// What both must agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `Success`, `Revert` or `Halt`.
    pub status: &'static str,
    /// Gas paid for.
    pub gas_used: Gas,
    /// keccak-256 of the output.
    pub output: B256,
    /// How many logs.
    pub logs: usize,
}

impl From<&Outcome> for Answer {
    fn from(outcome: &Outcome) -> Self {
        let status = match outcome.status {
            Status::Success => "Success",
            Status::Revert => "Revert",
            Status::Halt(_) => "Halt",
        };
        let (gas_used, output, logs) = (outcome.gas_used, keccak256(&outcome.output), outcome.logs.len());
        Self { status, gas_used, output, logs }
    }
}

impl From<&ExecutionResult> for Answer {
    fn from(result: &ExecutionResult) -> Self {
        let status = match result {
            ExecutionResult::Success { .. } => "Success",
            ExecutionResult::Revert { .. } => "Revert",
            ExecutionResult::Halt { .. } => "Halt",
        };
        let output = keccak256(result.output().map_or(&[][..], |output| output));
        Self { status, gas_used: result.tx_gas_used(), output, logs: result.logs().len() }
    }
}

/// Cairn's transition.
pub struct Cairn<'a> {
    environment: Environment,
    fields: Fields,
    caller: Address,
    overlay: Option<Overlay<'a>>,
    state: &'a MemoryState,
    /// Whether each run begins a block: nothing is kept of the one before.
    cold: bool,
}

/// The block of every message.
pub fn environment() -> Environment {
    Environment {
        revision: Revision::Osaka,
        chain_id: 1,
        number: 1_000,
        time: TIME,
        gas_limit: Gas::MAX,
        base_fee: 0,
        difficulty: U256::ONE,
        beneficiary: BENEFICIARY,
        transaction_gas: Gas::MAX,
        gateway: false,
        trial: None,
    }
}

/// A message as a transaction without a price.
pub fn fields(input: &Input) -> Fields {
    Fields {
        tx_type: 0,
        chain_id: 1,
        nonce: 0,
        fees: Fees::Legacy { gas_price: U256::ZERO },
        gas_limit: input.gas_limit,
        to: Some(input.to),
        value: input.value,
        input: input.calldata.clone(),
        access_list: Vec::new(),
        authorizations: Vec::new(),
    }
}

impl<'a> Cairn<'a> {
    /// Makes ready.
    pub fn new(input: &'a Input) -> Self {
        let overlay = Some(Overlay::new(&input.state));
        let (fields, caller, state) = (fields(input), input.caller, &input.state);
        Self { environment: environment(), fields, caller, overlay, state, cold: false }
    }

    /// Makes ready for runs that each begin a block.
    pub fn cold(input: &'a Input) -> Self {
        Self { cold: true, ..Self::new(input) }
    }

    /// Runs the message once.
    pub fn run(&mut self) -> Outcome {
        let mut overlay = self.overlay.take().unwrap_or_else(|| Overlay::new(self.state));
        let outcome = transition(&self.environment, &mut overlay, B256::ZERO, &self.fields, self.caller, Gas::MAX);
        self.overlay = (!self.cold).then(|| overlay.renew());
        outcome.expect("the message may stand in the block")
    }
}

/// The state as revm reads it; its code is analysed in advance.
pub struct PeerState<'a> {
    state: &'a MemoryState,
    codes: B256Map<Bytecode>,
}

impl<'a> PeerState<'a> {
    /// Reads the same state.
    pub fn new(state: &'a MemoryState) -> Self {
        let codes = state.codes.iter().map(|(hash, code)| (*hash, Bytecode::new_raw(code.clone()))).collect();
        Self { state, codes }
    }
}

impl Database for PeerState<'_> {
    type Error = Infallible;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.state.accounts.get(&address).map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            code: self.codes.get(&account.code_hash).cloned(),
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.codes.get(&hash).cloned().unwrap_or_default())
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.state.storage.get(&(address, slot)).copied().unwrap_or_default())
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Infallible> {
        let height = u32::try_from(number).unwrap_or(u32::MAX);
        Ok(self.state.block_hashes.get(&height).map_or(B256::ZERO, |hash| B256::from(hash.0)))
    }
}

/// revm's machine on a state.
pub type PeerEvm<'a> = MainnetEvm<Context<BlockEnv, TxEnv, CfgEnv, PeerState<'a>, Journal<PeerState<'a>>, ()>>;

/// revm as a node builds it, in the same block.
pub fn peer_evm(state: &MemoryState) -> PeerEvm<'_> {
    let environment = environment();
    Context::mainnet()
        .with_db(PeerState::new(state))
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
            cfg.tx_gas_limit_cap = Some(Gas::MAX);
        })
        .modify_block_chained(|block| {
            block.number = U256::from(environment.number);
            block.timestamp = U256::from(environment.time);
            block.gas_limit = environment.gas_limit;
            block.basefee = environment.base_fee;
            block.prevrandao = Some(environment.difficulty.into());
            block.beneficiary = environment.beneficiary;
        })
        .build_mainnet()
}

/// What some fields are to revm.
pub fn peer_transaction(fields: &Fields, caller: Address) -> TxEnv {
    TxEnv {
        caller,
        gas_limit: fields.gas_limit,
        gas_price: 0,
        kind: fields.to.map_or(TxKind::Create, TxKind::Call),
        value: fields.value,
        data: fields.input.clone(),
        nonce: fields.nonce,
        chain_id: Some(1),
        ..TxEnv::default()
    }
}

/// revm.
pub struct Peer<'a> {
    evm: PeerEvm<'a>,
    transaction: TxEnv,
}

impl<'a> Peer<'a> {
    /// Makes ready.
    pub fn new(input: &'a Input) -> Self {
        Self { evm: peer_evm(&input.state), transaction: peer_transaction(&fields(input), input.caller) }
    }

    /// Runs the message once.
    pub fn run(&mut self) -> ExecutionResult {
        self.evm.transact(self.transaction.clone()).expect("the message may stand in the block").result
    }
}
