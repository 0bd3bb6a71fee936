//! What code can see besides the state: its block, its chain and the fork.

use alloy_primitives::{Address, U256};
use std::collections::BTreeMap;

use crate::units::Gas;

/// The Ethereum fork whose rules apply to account transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// March 2024. Only older official tests use it.
    Cancun,
    /// December 2025.
    Osaka,
}

/// What an account transaction can see of its block and chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Rules.
    pub revision: Revision,
    /// CHAINID, and the chain id that transactions must have.
    pub chain_id: u64,
    /// NUMBER.
    pub number: u64,
    /// TIMESTAMP.
    pub time: u64,
    /// GASLIMIT.
    pub gas_limit: Gas,
    /// BASEFEE, in wei.
    pub base_fee: u64,
    /// PREVRANDAO.
    pub difficulty: U256,
    /// COINBASE, which receives the tips.
    pub beneficiary: Address,
    /// Maximum gas limit of a transaction, from Osaka on (ACC-7): [`crate::gas::MAX_TRANSACTION_GAS`] on every
    /// chain; [`Gas::MAX`] for simulated calls.
    pub transaction_gas: Gas,
    /// Whether the withdrawal gateway exists: on every Cairn chain, but not in Ethereum's official tests.
    pub gateway: bool,
    /// Set if the transaction is only simulated (`eth_call`): it has no signature, and its sender may be a contract.
    /// Senders of development chains may be, too (DEV-2).
    pub trial: Option<Trial>,
}

/// What a simulation may change besides the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// Built-in contracts that were moved: by the address that is called, the usual address of the contract that runs
    /// there, or `None` if the account's own code does.
    pub moved: BTreeMap<Address, Option<Address>>,
}

impl Environment {
    /// The usual address of the built-in contract that runs at an address, if there is one there.
    pub(super) fn built_in(&self, address: Address) -> Option<Address> {
        match self.trial.as_ref().and_then(|trial| trial.moved.get(&address)) {
            Some(moved) => *moved,
            None => Some(address),
        }
    }
}
