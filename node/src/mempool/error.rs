//! Why a transaction is not taken, though it may be valid.

use chain_core::{
    Address, U256,
    error::RuleError,
    hash::TxId,
    state::ViewError,
    transaction::coin::OutPoint,
    units::{Amount, Gas},
};

use crate::names::names;

/// What the node's own failures are called in statistics.
const FAILURE: &str = "failure";

/// Why a transaction was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    /// It breaks a rule of consensus.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// It is valid or may become so, but this node does not take it now.
    #[error(transparent)]
    Mempool(#[from] MempoolError),
    /// The node could not read its own state. Nobody's fault.
    #[error("the node failed: {0}")]
    Local(String),
    /// The engine is shutting down.
    #[error("the node is shutting down")]
    Stopped,
}

impl From<ViewError> for SubmitError {
    fn from(error: ViewError) -> Self {
        Self::Local(error.to_string())
    }
}

impl SubmitError {
    /// All kinds in statistics.
    pub fn names() -> impl Iterator<Item = &'static str> {
        // A coinbase breaks a rule, too.
        MempoolError::NAMES.iter().copied().chain([FAILURE])
    }

    /// Its kind in statistics: a few, whatever the variants are.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rule(_) => MempoolError::Coinbase.name(),
            Self::Mempool(error) => error.name(),
            Self::Local(_) | Self::Stopped => FAILURE,
        }
    }
}

/// Why the mempool refuses a transaction: what was got, and what would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MempoolError {
    /// It is there.
    #[error("transaction {0} is already in the mempool")]
    AlreadyKnown(TxId),
    /// A coinbase comes with its block only.
    #[error("a coinbase cannot be sent on its own")]
    Coinbase,
    /// Over the size that this node relays.
    #[error("the transaction has {got} bytes, more than the {limit} that nodes relay")]
    TooLarge {
        /// Its size.
        got: usize,
        /// Most that is taken.
        limit: usize,
    },
    /// An output costs more to spend than it holds.
    #[error("output {index} holds {got}, less than the {minimum} that it costs to spend it")]
    Dust {
        /// Which output.
        index: usize,
        /// What it holds.
        got: Amount,
        /// What it should.
        minimum: Amount,
    },
    /// An input is unknown or spent. The coin of a withdrawal is unknown until its block is connected.
    #[error("coin {}:{} is unknown or already spent; a withdrawn coin exists once its block is connected", .0.txid, .0.index)]
    MissingCoin(OutPoint),
    /// The tip is under what the pool takes now.
    #[error("the tip of {got} wei per gas is below the {minimum} that the mempool takes now")]
    TipTooLow {
        /// What it offers.
        got: i128,
        /// What it should.
        minimum: u64,
    },
    /// A replacement does not pay enough.
    #[error("replaces {count} transactions but pays a fee of {got} CRN; at least {needed} are needed")]
    ReplacementFee {
        /// How many it would replace, their descendants included.
        count: usize,
        /// What it pays.
        got: Amount,
        /// What it should: a tenth more than each for the same gas, and a tenth more than all together.
        needed: Amount,
    },
    /// A replacement of an account transaction does not offer enough.
    #[error(
        "replaces {replaced} but offers {got_fee_cap} wei per gas, {got_tip_cap} as tip; at least {needed_fee_cap} and \
        {needed_tip_cap} are needed"
    )]
    ReplacementPrice {
        /// The transaction in its way.
        replaced: TxId,
        /// Its fee cap, cut down to 128 bits as all here.
        got_fee_cap: u128,
        /// Its tip cap.
        got_tip_cap: u128,
        /// What the fee cap should be.
        needed_fee_cap: u128,
        /// What the tip cap should be.
        needed_tip_cap: u128,
    },
    /// A replacement leans on an unconfirmed coin that what it replaces did not spend.
    #[error("replaces a transaction but spends the unconfirmed coin {}:{}, which that one did not", .0.txid, .0.index)]
    ReplacementAddsUnconfirmed(OutPoint),
    /// A replacement would push out too many.
    #[error("replacing would remove {got} transactions, more than the {limit} allowed")]
    TooManyReplaced {
        /// How many.
        got: usize,
        /// Most that is allowed.
        limit: usize,
    },
    /// A replacement spends what it would remove.
    #[error("spends an output of {0}, which it would replace")]
    SpendsReplaced(TxId),
    /// Too many unconfirmed ancestors.
    #[error("has {got} unconfirmed ancestors with itself, more than the {limit} allowed")]
    TooManyAncestors {
        /// How many, itself included.
        got: usize,
        /// Most that is allowed.
        limit: usize,
    },
    /// Unconfirmed ancestors weigh too much.
    #[error("has {got} bytes of unconfirmed ancestors with itself, more than the {limit} allowed")]
    AncestorsTooLarge {
        /// How many bytes, its own included.
        got: usize,
        /// Most that is allowed.
        limit: usize,
    },
    /// An ancestor would have too many descendants.
    #[error("would be descendant number {got} of {ancestor}, more than the {limit} allowed")]
    TooManyDescendants {
        /// Which ancestor.
        ancestor: TxId,
        /// How many, itself included.
        got: usize,
        /// Most that is allowed.
        limit: usize,
    },
    /// The descendants of an ancestor would weigh too much.
    #[error("would give {ancestor} {got} bytes of descendants, more than the {limit} allowed")]
    DescendantsTooLarge {
        /// Which ancestor.
        ancestor: TxId,
        /// How many bytes.
        got: usize,
        /// Most that is allowed.
        limit: usize,
    },
    /// The nonce has been used.
    #[error("nonce {got} of {sender} is already used; the next is {expected}")]
    NonceTooLow {
        /// Whose.
        sender: Address,
        /// The transaction's.
        got: u64,
        /// The account's.
        expected: u64,
    },
    /// The nonce is too far ahead.
    #[error("nonce {got} of {sender} is too far ahead of {expected}; at most {limit} ahead are kept")]
    NonceGap {
        /// Whose.
        sender: Address,
        /// The transaction's.
        got: u64,
        /// The account's.
        expected: u64,
        /// Most that is allowed.
        limit: u64,
    },
    /// The sender's account runs code (EIP-7702), and has a transaction here or is to have one of a later nonce.
    #[error(
        "{sender} is delegated (EIP-7702): the mempool takes its next transaction only, nonce {expected}, got nonce {got}; \
        wait until that is mined"
    )]
    DelegatedSender {
        /// Whose.
        sender: Address,
        /// The transaction's nonce.
        got: u64,
        /// The account's.
        expected: u64,
    },
    /// One sender has too many transactions.
    #[error("{sender} already has {limit} transactions in the mempool")]
    SenderLimit {
        /// Whose.
        sender: Address,
        /// Most that is allowed.
        limit: usize,
    },
    /// The balance does not cover the sender's transactions up to this one.
    #[error("the balance of {sender} is {available} wei, but its transactions up to this one may cost {needed}")]
    InsufficientFunds {
        /// Whose.
        sender: Address,
        /// The balance.
        available: U256,
        /// Most that the transactions cost.
        needed: U256,
    },
    /// It can never fit into a block.
    #[error("needs {got} gas, more than the {limit} of a block")]
    GasOverBlock {
        /// What it needs.
        got: Gas,
        /// The limit of a block.
        limit: Gas,
    },
    /// The pool is full of better ones.
    #[error("the mempool is full; a tip of {minimum} wei per gas would be taken")]
    Full {
        /// What would do.
        minimum: u64,
    },
}

impl MempoolError {
    names! { pub
        Self::AlreadyKnown(_) => "known",
        Self::Coinbase => "rule",
        Self::TooLarge { .. } | Self::GasOverBlock { .. } => "size",
        Self::MissingCoin(_) => "missing_coin",
        Self::TipTooLow { .. } | Self::Dust { .. } => "price",
        Self::ReplacementFee { .. }
            | Self::ReplacementPrice { .. }
            | Self::ReplacementAddsUnconfirmed(_)
            | Self::TooManyReplaced { .. }
            | Self::SpendsReplaced(_) => "replacement",
        Self::TooManyAncestors { .. }
            | Self::AncestorsTooLarge { .. }
            | Self::TooManyDescendants { .. }
            | Self::DescendantsTooLarge { .. } => "chain",
        Self::NonceTooLow { .. } | Self::NonceGap { .. } => "nonce",
        Self::DelegatedSender { .. } | Self::SenderLimit { .. } => "sender",
        Self::InsufficientFunds { .. } => "funds",
        Self::Full { .. } => "full",
    }
}
