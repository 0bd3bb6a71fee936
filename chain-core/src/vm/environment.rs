//! What code can see besides the state: its block, its chain and the fork.

use alloy_primitives::{Address, U256};

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
    /// Whether the transaction is only simulated (`eth_call`): it has no signature, and its sender may be a contract.
    pub trial: bool,
}
