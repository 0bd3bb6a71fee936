//! Receipts of account transactions, encoded as in Ethereum.

use alloy_primitives::{Bloom, Log};

use crate::units::Gas;

/// The outcome of one account transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// EIP-2718 type of the transaction.
    pub tx_type: u8,
    /// Whether it ran to its end.
    pub success: bool,
    /// Gas used in the block up to and including this transaction, those of coins included.
    pub cumulative_gas_used: Gas,
    /// Bloom filter of the logs.
    pub bloom: Bloom,
    /// What contracts logged.
    pub logs: Vec<Log>,
}
