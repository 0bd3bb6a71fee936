//! A state of a few contracts, and transactions on it.

use alloy_primitives::{Address, B256, Bytes, U256};

use super::assembler::Program;
use crate::{
    error::{ExecuteError, RuleError},
    execute::{Environment, Outcome, Revision, transition},
    state::{Account, Diff, MemoryState, Overlay},
    transaction::account::{Fees, Fields},
    units::Gas,
    vm::Status,
};

pub const SENDER: Address = Address::repeat_byte(0x5e);
pub const BENEFICIARY: Address = Address::repeat_byte(0xbe);
pub const HEIGHT: u64 = 1_000;
pub const GAS_LIMIT: Gas = 10_000_000;

/// A state, and the block of the transactions.
pub struct Kit {
    pub state: MemoryState,
    pub environment: Environment,
    pub gas_limit: Gas,
}

/// What a transaction did.
pub struct Ran {
    pub outcome: Outcome,
    pub diff: Diff,
}

/// Address of a contract by its number.
pub fn at(number: u8) -> Address {
    Address::repeat_byte(number)
}

impl Kit {
    pub fn new() -> Self {
        let mut kit = Self {
            state: MemoryState::default(),
            environment: Environment {
                revision: Revision::Osaka,
                chain_id: 7,
                number: HEIGHT,
                time: 1_800_000_000,
                gas_limit: GAS_LIMIT,
                base_fee: 0,
                difficulty: U256::from(0xd1ff),
                beneficiary: BENEFICIARY,
                transaction_gas: Gas::MAX,
                gateway: true,
                trial: None,
            },
            gas_limit: GAS_LIMIT,
        };
        kit.account(SENDER, 0, U256::from(u128::MAX), Bytes::new(), &[]);
        kit
    }

    pub fn account(&mut self, address: Address, nonce: u64, balance: U256, code: Bytes, storage: &[(u64, u64)]) {
        let slots: Vec<_> = storage.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value))).collect();
        self.state.insert_account(address, Account { nonce, balance, ..Account::default() }, code, &slots);
    }

    /// Puts a contract that owns 1,000 wei at the address of its number.
    pub fn contract(&mut self, number: u8, program: Program) -> Address {
        self.account(at(number), 1, U256::from(1_000), program.code(), &[]);
        at(number)
    }

    /// A transaction of the sender.
    pub fn fields(&self, to: Option<Address>) -> Fields {
        Fields {
            tx_type: 2,
            chain_id: 7,
            nonce: 0,
            fees: Fees::Dynamic { max_fee: U256::ZERO, max_priority_fee: U256::ZERO },
            gas_limit: self.gas_limit,
            to,
            value: U256::ZERO,
            input: Bytes::new(),
            access_list: Vec::new(),
            authorizations: Vec::new(),
        }
    }

    pub fn try_transact(&self, fields: &Fields) -> Result<Ran, RuleError> {
        let mut overlay = Overlay::new(&self.state);
        let gas_left = self.environment.gas_limit.max(fields.gas_limit);
        match transition(&self.environment, &mut overlay, B256::repeat_byte(9), fields, SENDER, gas_left) {
            Ok(outcome) => Ok(Ran { outcome, diff: overlay.into_diff() }),
            Err(ExecuteError::Rule(rule)) => Err(rule),
            Err(ExecuteError::View(error)) => panic!("memory can be read: {error}"),
        }
    }

    pub fn transact(&self, fields: &Fields) -> Ran {
        self.try_transact(fields).unwrap()
    }

    /// Calls a contract.
    pub fn call(&self, to: Address) -> Ran {
        self.transact(&self.fields(Some(to)))
    }

    /// Runs a program as a contract.
    pub fn run(&mut self, program: Program) -> Ran {
        let contract = self.contract(0xca, program);
        self.call(contract)
    }

    /// Runs a program and returns the word that it returns.
    pub fn word(&mut self, program: Program) -> U256 {
        let ran = self.run(program.return_top());
        assert_eq!(ran.outcome.status, Status::Success);
        ran.word()
    }

    /// Runs a program and returns how it ended.
    pub fn status(&mut self, program: Program) -> Status {
        self.run(program).outcome.status
    }

    /// Runs a program and returns the gas that it used beyond the intrinsic part.
    pub fn gas(&mut self, program: Program) -> Gas {
        let ran = self.run(program);
        assert_eq!(ran.outcome.status, Status::Success);
        ran.outcome.gas_used - 21_000
    }
}

impl Ran {
    /// What was returned, as a word.
    pub fn word(&self) -> U256 {
        U256::from_be_slice(&self.outcome.output)
    }

    /// A slot as the transaction left it, if it changed.
    pub fn slot(&self, address: Address, slot: u64) -> Option<U256> {
        let is_it =
            |change: &&crate::state::StorageChange| change.address == address && change.slot == U256::from(slot);
        self.diff.storage.iter().find(is_it).map(|change| change.after)
    }

    /// An account as the transaction left it, if it changed; `None` within if it ceased to exist.
    pub fn account(&self, address: Address) -> Option<Option<Account>> {
        self.diff.accounts.iter().find(|change| change.address == address).map(|change| change.after)
    }

    /// The code of an account that the transaction changed.
    pub fn code(&self, address: Address) -> Bytes {
        let hash = self.account(address).flatten().unwrap().code_hash;
        self.diff.codes.iter().find(|(other, _)| *other == hash).map(|(_, code)| code.clone()).unwrap_or_default()
    }
}
