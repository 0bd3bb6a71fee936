//! What is wrong with a block, header or transaction, and how much its sender is to blame.

use alloy_primitives::{Address, B256, U256};

use crate::{
    codec::CodecError,
    coin::OutPoint,
    state::ViewError,
    units::{Amount, Gas, Height},
};

/// A broken consensus rule: one variant a rule (or family of equal rules), with what was got and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    // Encoding and amounts.
    /// COD-1.
    #[error("{0}")]
    Encoding(#[from] CodecError),
    /// AMT-1.
    #[error("a sum of amounts does not fit in 64 bits")]
    AmountOverflow,

    // Blocks and coinbases against the state.
    /// BLK-6.
    #[error("the block uses {got} gas, its limit is {limit}")]
    BlockGas {
        /// Gas of all transactions.
        got: Gas,
        /// What the spec allows.
        limit: Gas,
    },
    /// CB-1.
    #[error("the coinbase names height {got}, the block's is {expected}")]
    CoinbaseHeight {
        /// What it names.
        got: Height,
        /// The parent's height + 1.
        expected: Height,
    },
    /// CB-3.
    #[error("the coinbase claims {got} CRN, at most {allowed} may be claimed")]
    CoinbaseTooGreedy {
        /// Sum of its outputs.
        got: Amount,
        /// Subsidy and tips of coin transactions.
        allowed: Amount,
    },
    /// CB-5.
    #[error("the coinbase names state root {got}, execution gives {expected}")]
    StateRoot {
        /// What it names.
        got: B256,
        /// What execution gives.
        expected: B256,
    },
    /// CB-6.
    #[error("the coinbase names receipts root {got}, execution gives {expected}")]
    ReceiptsRoot {
        /// What it names.
        got: B256,
        /// What execution gives.
        expected: B256,
    },
    /// CB-7.
    #[error("the coinbase names coins root {got}, execution gives {expected}")]
    CoinsRoot {
        /// What it names.
        got: B256,
        /// What execution gives.
        expected: B256,
    },
    /// CB-8.
    #[error("the coinbase names {got} gas used, execution used {expected}")]
    GasUsed {
        /// What it names.
        got: Gas,
        /// What execution used.
        expected: Gas,
    },

    // Coin transactions against the state.
    /// COIN-7.
    #[error("coin {}:{} does not exist or is spent", .0.txid, .0.index)]
    MissingCoin(OutPoint),
    /// COIN-8.
    #[error("coin {}:{} may be spent from height {expected}, not at {got}", .outpoint.txid, .outpoint.index)]
    ImmatureCoin {
        /// The coinbase's coin.
        outpoint: OutPoint,
        /// Height of the block that spends it.
        got: Height,
        /// First height at which that is allowed.
        expected: Height,
    },
    /// COIN-9.
    #[error("the outputs are worth {got} CRN, the inputs {available}")]
    Overspent {
        /// Sum of the outputs.
        got: Amount,
        /// Sum of the coins spent.
        available: Amount,
    },
    /// COIN-10.
    #[error("the fee is {got} CRN, the base fee asks for {needed}")]
    FeeTooLow {
        /// Inputs less outputs.
        got: Amount,
        /// Gas x base fee, rounded up to a grain.
        needed: Amount,
    },
    /// COIN-12.
    #[error("a signature of coin transaction {transaction} does not verify")]
    BadCoinSignature {
        /// Position of the transaction in the block.
        transaction: usize,
    },

    // Account transactions alone.
    /// ACC-1: malformed.
    #[error("malformed account transaction: {0}")]
    MalformedAccountTransaction(&'static str),
    /// ACC-1: a type that is not supported.
    #[error("account transactions of type {0} are not supported")]
    UnsupportedType(u8),
    /// ACC-1: a legacy signature from before EIP-155.
    #[error("the signature names no chain (EIP-155)")]
    NoChainId,
    /// ACC-2.
    #[error("the transaction is for chain {got}, this is chain {expected}")]
    ChainId {
        /// What it names.
        got: u64,
        /// The spec's.
        expected: u64,
    },
    /// ACC-3.
    #[error("the signature is out of range or gives no key")]
    BadAccountSignature,
    /// ACC-5.
    #[error("nonce {0} is the last there is (EIP-2681)")]
    NonceTooHigh(u64),
    /// ACC-6.
    #[error("the gas limit {got} does not cover the intrinsic gas {needed}")]
    IntrinsicGas {
        /// Gas limit.
        got: Gas,
        /// The larger of intrinsic gas and calldata floor.
        needed: Gas,
    },
    /// ACC-7.
    #[error("the gas limit {got} is above {limit} (EIP-7825)")]
    GasLimitTooHigh {
        /// Gas limit.
        got: Gas,
        /// The most there may be.
        limit: Gas,
    },
    /// ACC-9.
    #[error("the tip cap {got} is above the fee cap {fee_cap}")]
    TipAboveFeeCap {
        /// Tip cap in wei a unit of gas.
        got: U256,
        /// Fee cap in wei a unit of gas.
        fee_cap: U256,
    },
    /// ACC-12.
    #[error("the initcode has {got} bytes, at most {limit} are allowed")]
    InitcodeTooLong {
        /// Bytes of it.
        got: usize,
        /// The most there may be.
        limit: usize,
    },
    /// ACC-13.
    #[error("a set-code transaction needs a recipient and an authorization")]
    EmptySetCode,
    /// ACC-15.
    #[error("contract code cannot run yet")]
    ContractsUnsupported,

    // Account transactions against the state.
    /// ACC-4.
    #[error("the nonce is {got}, the account's is {expected}")]
    Nonce {
        /// The transaction's.
        got: u64,
        /// The account's.
        expected: u64,
    },
    /// ACC-8.
    #[error("the fee cap {got} is below the base fee {base_fee}")]
    FeeCapTooLow {
        /// Fee cap in wei a unit of gas.
        got: U256,
        /// The block's.
        base_fee: u64,
    },
    /// ACC-10.
    #[error("the balance is {got} wei, the transaction may cost {needed}")]
    InsufficientBalance {
        /// The sender's balance.
        got: U256,
        /// Gas limit x fee cap + value; the largest word if even that does not hold it.
        needed: U256,
    },
    /// ACC-11.
    #[error("the sender {0} is a contract")]
    SenderHasCode(Address),
    /// ACC-14.
    #[error("the gas limit {got} is above the {left} left in the block")]
    GasLeft {
        /// Gas limit of the transaction, or gas of a coin transaction.
        got: Gas,
        /// What is left.
        left: Gas,
    },
}

/// How bad it is to have sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Penalty {
    /// Nothing: honest peers send such things.
    None,
    /// Odd, but harmless a few times.
    Minor,
    /// No honest node sends it.
    Ban,
}

impl RuleError {
    /// What the sender of a *transaction* deserves; no honest node sends a block that breaks any rule. Exhaustive, so that a
    /// new rule forces the decision.
    pub fn penalty(&self) -> Penalty {
        match self {
            // True or false by the state alone, on which honest nodes differ for a while.
            Self::MissingCoin(_)
            | Self::ImmatureCoin { .. }
            | Self::FeeTooLow { .. }
            | Self::Nonce { .. }
            | Self::FeeCapTooLow { .. }
            | Self::InsufficientBalance { .. }
            | Self::GasLeft { .. } => Penalty::None,
            Self::SenderHasCode(_) | Self::ContractsUnsupported => Penalty::Minor,
            Self::Encoding(_)
            | Self::AmountOverflow
            | Self::BlockGas { .. }
            | Self::CoinbaseHeight { .. }
            | Self::CoinbaseTooGreedy { .. }
            | Self::StateRoot { .. }
            | Self::ReceiptsRoot { .. }
            | Self::CoinsRoot { .. }
            | Self::GasUsed { .. }
            | Self::Overspent { .. }
            | Self::BadCoinSignature { .. }
            | Self::MalformedAccountTransaction(_)
            | Self::UnsupportedType(_)
            | Self::NoChainId
            | Self::ChainId { .. }
            | Self::BadAccountSignature
            | Self::NonceTooHigh(_)
            | Self::IntrinsicGas { .. }
            | Self::GasLimitTooHigh { .. }
            | Self::TipAboveFeeCap { .. }
            | Self::InitcodeTooLong { .. }
            | Self::EmptySetCode => Penalty::Ban,
        }
    }
}

/// Why a block could not be executed: its own fault, or ours.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExecuteError {
    /// The block breaks a rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The state could not be read.
    #[error(transparent)]
    View(#[from] ViewError),
}
