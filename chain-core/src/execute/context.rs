//! What executing depends on beside the state and the transactions.

use alloy_primitives::{Address, U256};
use std::sync::Arc;

use crate::{
    check::AccountRules,
    error::{ExecuteError, RuleError},
    hash::BlockHash,
    header::Header,
    pow,
    state::ViewError,
    units::{Gas, Height},
};

/// What a block's execution depends on beside its transactions, its parent's state and the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// Hash of the genesis block, to which signatures of coins commit.
    pub genesis: BlockHash,
    /// Height of the block.
    pub height: Height,
    /// Its header's time.
    pub time: u32,
    /// Wei for each unit of gas, burned (FEE-1).
    pub base_fee: u64,
    /// What PREVRANDAO answers in contracts.
    pub difficulty: U256,
    /// Hash of the parent.
    pub parent: BlockHash,
}

impl BlockContext {
    /// That of a block with this header on a chain from `genesis`, at a height and with the base fee that FEE-1 gives.
    ///
    /// # Errors
    /// HDR-1 if the header's bits are malformed.
    pub fn new(genesis: BlockHash, height: Height, base_fee: u64, header: &Header) -> Result<Self, RuleError> {
        let difficulty = pow::work(pow::target(header.bits)?);
        Ok(Self { genesis, height, time: header.time, base_fee, difficulty, parent: header.prev })
    }

    /// Sees to it that it is that of the block with this header, so that a slip of the caller is a local failure and not another
    /// verdict than all other nodes have.
    pub(super) fn check(&self, header: &Header) -> Result<(), ExecuteError> {
        let expected = Self::new(self.genesis, self.height, self.base_fee, header)?;
        if *self == expected { Ok(()) } else { Err(ViewError(Arc::new(OtherContext)).into()) }
    }
}

/// A block was given the context of another.
#[derive(Debug, thiserror::Error)]
#[error("a block was to be executed on the state of another parent than its header names")]
struct OtherContext;

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
    /// Most gas of one transaction, as of Osaka (ACC-7): [`super::MAX_TRANSACTION_GAS`] on every chain; [`Gas::MAX`] where a call
    /// is only tried.
    pub transaction_gas: Gas,
    /// Whether the withdrawal gateway stands at its address: on every chain of ours, but not in Ethereum's official tests.
    pub gateway: bool,
    /// Whether the transaction is only tried, so that nobody signed it and its sender may be a contract.
    pub trial: bool,
}

impl Environment {
    /// What of it an account transaction alone is checked by.
    pub fn account_rules(&self) -> AccountRules {
        let Self { revision, chain_id, transaction_gas, .. } = *self;
        AccountRules { revision, chain_id, transaction_gas }
    }
}
