//! Broken rules of blocks, headers and transactions, and the penalty for the sender.

mod local;
mod penalty;

pub use local::{ExecuteError, ViewError};
pub use penalty::Penalty;

use alloy_primitives::{Address, B256, U256};

use crate::{
    codec::CodecError,
    hash::{BlockHash, OutPoint},
    units::{Amount, AmountOverflow, Gas, Height},
};

/// A broken consensus rule: one variant a rule (or family of equal rules), with what was got and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "fields are what was got, what was expected or allowed, and where")]
pub enum RuleError {
    // Encoding and amounts.
    /// COD-1.
    #[error("{0}")]
    Encoding(#[from] CodecError),
    /// AMT-1.
    #[error(transparent)]
    AmountOverflow(#[from] AmountOverflow),
    /// AMT-1.
    #[error("the balance of account {0} cannot hold the deposit")]
    DepositOverflow(Address),

    /// DEV-3.
    #[error("the edit is invalid: {0}")]
    BadEdit(&'static str),

    // Blocks and coinbases alone.
    /// BLK-1.
    #[error("the block does not start with a coinbase")]
    NoCoinbase,
    /// BLK-2; also a coinbase outside a block.
    #[error("transaction {index} is a coinbase, only the first of a block may be one")]
    MisplacedCoinbase { index: usize },
    /// BLK-3.
    #[error("the merkle root is {}, the header says {}", hex(got), hex(expected))]
    MerkleRoot { got: [u8; 32], expected: [u8; 32] },
    /// BLK-4.
    #[error("transaction {index} encodes to exactly 64 bytes")]
    SixtyFourBytes { index: usize },
    /// BLK-5.
    #[error("the block has {got} bytes, the limit is {limit}")]
    BlockTooLarge { got: usize, limit: usize },
    /// CB-2.
    #[error("the coinbase has {got} extra bytes, the limit is {limit}")]
    ExtraTooLong { got: usize, limit: usize },
    /// CB-4.
    #[error("output {output} of the coinbase pays to an account")]
    CoinbasePaysAccount { output: usize },
    /// CB-4.
    #[error("output {output} of the coinbase is zero")]
    ZeroCoinbaseOutput { output: usize },

    // Blocks and coinbases against the state.
    /// BLK-6.
    #[error("the block uses {got} gas, its limit is {limit}")]
    BlockGas { got: Gas, limit: Gas },
    /// CB-1.
    #[error("the coinbase names height {got}, the block's is {expected}")]
    CoinbaseHeight { got: Height, expected: Height },
    /// CB-3.
    #[error("the coinbase claims {got} CRN, at most {allowed} may be claimed")]
    CoinbaseTooGreedy { got: Amount, allowed: Amount },
    /// CB-5.
    #[error("the coinbase names state root {got}, execution gives {expected}")]
    StateRoot { got: B256, expected: B256 },
    /// CB-6.
    #[error("the coinbase names receipts root {got}, execution gives {expected}")]
    ReceiptsRoot { got: B256, expected: B256 },
    /// CB-7.
    #[error("the coinbase names coins root {got}, execution gives {expected}")]
    CoinsRoot { got: B256, expected: B256 },
    /// CB-8.
    #[error("the coinbase names {got} gas used, execution used {expected}")]
    GasUsed { got: Gas, expected: Gas },

    // Coin transactions alone.
    /// COIN-1.
    #[error("the transaction has no inputs")]
    NoInputs,
    /// COIN-2.
    #[error("the transaction has no outputs")]
    NoOutputs,
    /// COIN-3.
    #[error("{got} witnesses for {expected} inputs")]
    WitnessCount { got: usize, expected: usize },
    /// COIN-4.
    #[error("the transaction spends {}:{} twice", outpoint.txid, outpoint.index)]
    DuplicateInput { outpoint: OutPoint },
    /// COIN-5.
    #[error("output {output} is zero")]
    ZeroOutput { output: usize },

    // Coin transactions against the state.
    /// COIN-7.
    #[error("coin {}:{} does not exist or is spent", .0.txid, .0.index)]
    MissingCoin(OutPoint),
    /// COIN-8.
    #[error("coin {}:{} may be spent from height {expected}, not at {got}", .outpoint.txid, .outpoint.index)]
    ImmatureCoin { outpoint: OutPoint, got: Height, expected: Height },
    /// COIN-9.
    #[error("the outputs are worth {got} CRN, the inputs {available}")]
    Overspent { got: Amount, available: Amount },
    /// COIN-10.
    #[error("the fee is {got} CRN, the base fee asks for {needed}")]
    FeeTooLow { got: Amount, needed: Amount },
    /// COIN-11.
    #[error("the witness of input {input} does not fit the lock of its coin")]
    WitnessKind { input: usize },
    /// COIN-12.
    #[error("a signature of the coin transaction{} does not verify", at_position(.transaction))]
    BadCoinSignature { transaction: Option<usize> },

    // Policies.
    /// POL-1: nodes are missing.
    #[error("the policy is cut short after {nodes} nodes")]
    PolicyCut { nodes: usize },
    /// POL-1: more than one tree.
    #[error("{nodes} nodes are left after the policy")]
    PolicyTrailing { nodes: usize },
    /// POL-1.
    #[error("the policy is deeper than {limit}")]
    PolicyDepth { limit: usize },
    /// POL-1: no subtrees, or k outside 1 to n.
    #[error("a policy node asks for {k} of {n}")]
    PolicyCounts { k: u8, n: u8 },
    /// POL-2.
    #[error("the policy hashes to {}, the lock is {}", hex(got), hex(expected))]
    PolicyHash { got: [u8; 32], expected: [u8; 32] },
    /// POL-3.
    #[error("the proof has {got} items for {expected} leaves")]
    ProofLength { got: usize, expected: usize },
    /// POL-4.
    #[error("policy node {node}: {got} branches satisfied, exactly {expected} needed")]
    ProofBranches { node: usize, got: u8, expected: u8 },
    /// POL-4: nothing is satisfied.
    #[error("the proof satisfies nothing")]
    ProofEmpty,
    /// POL-5: an item of another kind than the leaf.
    #[error("proof item {leaf} is not of its leaf's kind")]
    ProofKind { leaf: usize },
    /// POL-5.
    #[error("locked until height {expected}, this is {got}")]
    TooEarly { got: Height, expected: Height },
    /// POL-5.
    #[error("the coin is {got} blocks old, it must be {expected}")]
    TooYoung { got: u32, expected: u32 },
    /// POL-5.
    #[error("the preimage hashes to {}, expected {}", hex(got), hex(expected))]
    WrongPreimage { got: [u8; 32], expected: [u8; 32] },

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
    ChainId { got: u64, expected: u64 },
    /// ACC-3.
    #[error("the signature is out of range or gives no key")]
    BadAccountSignature,
    /// ACC-5.
    #[error("nonce {0} is the last there is (EIP-2681)")]
    NonceTooHigh(u64),
    /// ACC-6.
    #[error("the gas limit {got} does not cover the intrinsic gas {needed}")]
    IntrinsicGas { got: Gas, needed: Gas },
    /// ACC-7.
    #[error("the gas limit {got} is above {limit} (EIP-7825)")]
    GasLimitTooHigh { got: Gas, limit: Gas },
    /// ACC-9.
    #[error("the tip cap {got} is above the fee cap {fee_cap}")]
    TipAboveFeeCap { got: U256, fee_cap: U256 },
    /// ACC-12.
    #[error("the initcode has {got} bytes, at most {limit} are allowed")]
    InitcodeTooLong { got: usize, limit: usize },
    /// ACC-13.
    #[error("a set-code transaction needs a recipient and an authorization")]
    EmptySetCode,

    // Account transactions against the state.
    /// ACC-4.
    #[error("the nonce is {got}, the account's is {expected}")]
    Nonce { got: u64, expected: u64 },
    /// ACC-8.
    #[error("the fee cap {got} is below the base fee {base_fee}")]
    FeeCapTooLow { got: U256, base_fee: u64 },
    /// ACC-10.
    #[error("the balance is {got} wei, the transaction may cost {needed}")]
    InsufficientBalance { got: U256, needed: U256 },
    /// ACC-11.
    #[error("the sender {0} is a contract")]
    SenderHasCode(Address),
    /// ACC-14.
    #[error("the gas limit {got} is above the {left} left in the block")]
    GasLeft { got: Gas, left: Gas },

    // Headers.
    /// HDR-1.
    #[error("bits {got:#010x} are negative")]
    BitsNegative { got: u32 },
    /// HDR-1.
    #[error("bits {got:#010x} are a target of zero")]
    BitsZero { got: u32 },
    /// HDR-1.
    #[error("bits {got:#010x} do not fit in 256 bits")]
    BitsOverflow { got: u32 },
    /// HDR-1.
    #[error("bits {got:#010x} are not canonical, expected {expected:#010x}")]
    BitsNotCanonical { got: u32, expected: u32 },
    /// HDR-1.
    #[error("bits {got:#010x} are easier than the limit {limit:#010x}")]
    BitsAboveLimit { got: u32, limit: u32 },
    /// HDR-2.
    #[error("hash {hash} is above the target of bits {bits:#010x}")]
    HashAboveTarget { hash: BlockHash, bits: u32 },
    /// HDR-3.
    #[error("bits {got:#010x} where the difficulty rule gives {expected:#010x}")]
    WrongBits { got: u32, expected: u32 },
    /// HDR-4.
    #[error("time {got} is before the parent's {parent}")]
    TimeBeforeParent { got: u32, parent: u32 },
}

fn hex(bytes: &[u8; 32]) -> String {
    alloy_primitives::hex::encode(bytes)
}

fn at_position(position: &Option<usize>) -> String {
    position.map_or(String::new(), |position| format!(" at position {position}"))
}
