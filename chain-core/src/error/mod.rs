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

    // Blocks and coinbases alone.
    /// BLK-1.
    #[error("the block does not start with a coinbase")]
    NoCoinbase,
    /// BLK-2; also a coinbase outside a block.
    #[error("transaction {index} is a coinbase, only the first of a block may be one")]
    MisplacedCoinbase {
        /// Position in the block; 0 for a transaction outside a block.
        index: usize,
    },
    /// BLK-3.
    #[error("the merkle root is {}, the header says {}", hex(got), hex(expected))]
    MerkleRoot {
        /// Of the body.
        got: [u8; 32],
        /// Of the header.
        expected: [u8; 32],
    },
    /// BLK-4.
    #[error("transaction {index} encodes to exactly 64 bytes")]
    SixtyFourBytes {
        /// Position in the block; 0 for a transaction outside a block.
        index: usize,
    },
    /// BLK-5.
    #[error("the block has {got} bytes, the limit is {limit}")]
    BlockTooLarge {
        /// Encoded bytes.
        got: usize,
        /// `max_block_bytes` of the spec.
        limit: usize,
    },
    /// CB-2.
    #[error("the coinbase has {got} extra bytes, the limit is {limit}")]
    ExtraTooLong {
        /// Bytes of `extra`.
        got: usize,
        /// 96.
        limit: usize,
    },
    /// CB-4.
    #[error("output {output} of the coinbase pays to an account")]
    CoinbasePaysAccount {
        /// Which output.
        output: usize,
    },
    /// CB-4.
    #[error("output {output} of the coinbase is zero")]
    ZeroCoinbaseOutput {
        /// Which output.
        output: usize,
    },

    // Blocks and coinbases against the state.
    /// BLK-6.
    #[error("the block uses {got} gas, its limit is {limit}")]
    BlockGas {
        /// Gas of all transactions.
        got: Gas,
        /// The spec's limit.
        limit: Gas,
    },
    /// CB-1.
    #[error("the coinbase names height {got}, the block's is {expected}")]
    CoinbaseHeight {
        /// The value given.
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
        /// The value given.
        got: B256,
        /// The value after execution.
        expected: B256,
    },
    /// CB-6.
    #[error("the coinbase names receipts root {got}, execution gives {expected}")]
    ReceiptsRoot {
        /// The value given.
        got: B256,
        /// The value after execution.
        expected: B256,
    },
    /// CB-7.
    #[error("the coinbase names coins root {got}, execution gives {expected}")]
    CoinsRoot {
        /// The value given.
        got: B256,
        /// The value after execution.
        expected: B256,
    },
    /// CB-8.
    #[error("the coinbase names {got} gas used, execution used {expected}")]
    GasUsed {
        /// The value given.
        got: Gas,
        /// Gas used by execution.
        expected: Gas,
    },

    // Coin transactions alone.
    /// COIN-1.
    #[error("the transaction has no inputs")]
    NoInputs,
    /// COIN-2.
    #[error("the transaction has no outputs")]
    NoOutputs,
    /// COIN-3.
    #[error("{got} witnesses for {expected} inputs")]
    WitnessCount {
        /// Witnesses.
        got: usize,
        /// Inputs.
        expected: usize,
    },
    /// COIN-4.
    #[error("the transaction spends {}:{} twice", outpoint.txid, outpoint.index)]
    DuplicateInput {
        /// The coin in question.
        outpoint: OutPoint,
    },
    /// COIN-5.
    #[error("output {output} is zero")]
    ZeroOutput {
        /// Which output.
        output: usize,
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
    /// COIN-11.
    #[error("the witness of input {input} does not fit the lock of its coin")]
    WitnessKind {
        /// Which input.
        input: usize,
    },
    /// COIN-12.
    #[error("a signature of the coin transaction{} does not verify", at_position(.transaction))]
    BadCoinSignature {
        /// Position of the transaction, if it is in a block.
        transaction: Option<usize>,
    },

    // Policies.
    /// POL-1: nodes are missing.
    #[error("the policy is cut short after {nodes} nodes")]
    PolicyCut {
        /// Nodes given.
        nodes: usize,
    },
    /// POL-1: more than one tree.
    #[error("{nodes} nodes are left after the policy")]
    PolicyTrailing {
        /// Surplus nodes.
        nodes: usize,
    },
    /// POL-1.
    #[error("the policy is deeper than {limit}")]
    PolicyDepth {
        /// Maximum depth.
        limit: usize,
    },
    /// POL-1: no subtrees, or k outside 1 to n.
    #[error("a policy node asks for {k} of {n}")]
    PolicyCounts {
        /// Needed.
        k: u8,
        /// Subtrees given.
        n: u8,
    },
    /// POL-2.
    #[error("the policy hashes to {}, the lock is {}", hex(got), hex(expected))]
    PolicyHash {
        /// Of the policy revealed.
        got: [u8; 32],
        /// Of the lock.
        expected: [u8; 32],
    },
    /// POL-3.
    #[error("the proof has {got} items for {expected} leaves")]
    ProofLength {
        /// Items of the proof.
        got: usize,
        /// Leaves of the policy.
        expected: usize,
    },
    /// POL-4.
    #[error("policy node {node}: {got} branches satisfied, exactly {expected} needed")]
    ProofBranches {
        /// Position in the policy, prefix order.
        node: usize,
        /// Satisfied branches.
        got: u8,
        /// Needed.
        expected: u8,
    },
    /// POL-4: nothing is satisfied.
    #[error("the proof satisfies nothing")]
    ProofEmpty,
    /// POL-5: an item of another kind than the leaf.
    #[error("proof item {leaf} is not of its leaf's kind")]
    ProofKind {
        /// Which leaf.
        leaf: usize,
    },
    /// POL-5.
    #[error("locked until height {expected}, this is {got}")]
    TooEarly {
        /// Height of the block.
        got: Height,
        /// Height needed.
        expected: Height,
    },
    /// POL-5.
    #[error("the coin is {got} blocks old, it must be {expected}")]
    TooYoung {
        /// Age of the coin.
        got: u32,
        /// Age needed.
        expected: u32,
    },
    /// POL-5.
    #[error("the preimage hashes to {}, expected {}", hex(got), hex(expected))]
    WrongPreimage {
        /// Hash of what was given.
        got: [u8; 32],
        /// Hash in the policy.
        expected: [u8; 32],
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
        /// The value given.
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
        /// The maximum.
        limit: Gas,
    },
    /// ACC-9.
    #[error("the tip cap {got} is above the fee cap {fee_cap}")]
    TipAboveFeeCap {
        /// Tip cap in wei per gas.
        got: U256,
        /// Fee cap in wei per gas.
        fee_cap: U256,
    },
    /// ACC-12.
    #[error("the initcode has {got} bytes, at most {limit} are allowed")]
    InitcodeTooLong {
        /// Bytes of it.
        got: usize,
        /// The maximum.
        limit: usize,
    },
    /// ACC-13.
    #[error("a set-code transaction needs a recipient and an authorization")]
    EmptySetCode,

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
        /// Fee cap in wei per gas.
        got: U256,
        /// The block's.
        base_fee: u64,
    },
    /// ACC-10.
    #[error("the balance is {got} wei, the transaction may cost {needed}")]
    InsufficientBalance {
        /// The sender's balance.
        got: U256,
        /// Gas limit x fee cap + value, saturating.
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
        /// Gas left in the block.
        left: Gas,
    },

    // Headers.
    /// HDR-1.
    #[error("bits {got:#010x} are negative")]
    BitsNegative {
        /// The header's.
        got: u32,
    },
    /// HDR-1.
    #[error("bits {got:#010x} are a target of zero")]
    BitsZero {
        /// The header's.
        got: u32,
    },
    /// HDR-1.
    #[error("bits {got:#010x} do not fit in 256 bits")]
    BitsOverflow {
        /// The header's.
        got: u32,
    },
    /// HDR-1.
    #[error("bits {got:#010x} are not canonical, expected {expected:#010x}")]
    BitsNotCanonical {
        /// The header's.
        got: u32,
        /// The shortest form of the same target.
        expected: u32,
    },
    /// HDR-1.
    #[error("bits {got:#010x} are easier than the limit {limit:#010x}")]
    BitsAboveLimit {
        /// The header's.
        got: u32,
        /// The easiest bits allowed.
        limit: u32,
    },
    /// HDR-2.
    #[error("hash {hash} is above the target of bits {bits:#010x}")]
    HashAboveTarget {
        /// The header's hash.
        hash: BlockHash,
        /// The header's bits.
        bits: u32,
    },
    /// HDR-3.
    #[error("bits {got:#010x} where the difficulty rule gives {expected:#010x}")]
    WrongBits {
        /// The header's.
        got: u32,
        /// The result of ASERT.
        expected: u32,
    },
    /// HDR-4.
    #[error("time {got} is before the parent's {parent}")]
    TimeBeforeParent {
        /// The header's.
        got: u32,
        /// The parent's.
        parent: u32,
    },
}

fn hex(bytes: &[u8; 32]) -> String {
    alloy_primitives::hex::encode(bytes)
}

fn at_position(position: &Option<usize>) -> String {
    position.map_or(String::new(), |position| format!(" at position {position}"))
}
