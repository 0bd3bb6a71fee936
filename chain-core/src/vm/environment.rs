//! What code can see beside the state: its block, its chain, and by which fork it runs.

use alloy_primitives::{Address, U256};

use crate::units::Gas;

/// Which of Ethereum's forks gives the rules of account transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// March 2024. No chain of ours runs it: older official tests do.
    Cancun,
    /// December 2025.
    Osaka,
}

/// What an account transaction can see of its block and chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Rules.
    pub revision: Revision,
    /// CHAINID, and what transactions must name.
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
    /// COINBASE, who receives the tips.
    pub beneficiary: Address,
    /// Most gas of one transaction, as of Osaka (ACC-7): [`crate::block::check::MAX_TRANSACTION_GAS`] on every chain; [`Gas::MAX`] where a call
    /// is only tried.
    pub transaction_gas: Gas,
    /// Whether the withdrawal gateway stands at its address: on every chain of ours, but not in Ethereum's official tests.
    pub gateway: bool,
    /// Whether the transaction is only tried, so that nobody signed it and its sender may be a contract.
    pub trial: bool,
}
