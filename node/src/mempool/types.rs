//! Statistics and events of the mempool.

use chain_core::{
    Address,
    hash::TxId,
    transaction::{
        Transaction,
        coin::{OutPoint, Output},
    },
    units::{Amount, Gas},
};
use std::sync::Arc;

use crate::names::names;

/// Number of an entry among those of its kind, used again once it is gone.
pub(super) type Slot = usize;

/// What the mempool takes and keeps: policy, not rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MempoolConfig {
    /// Most bytes of memory that the transactions may take.
    pub max_bytes: usize,
    /// Least tip per gas that is taken at all, in wei.
    pub min_tip: u64,
    /// Seconds after which a transaction is dropped.
    pub expiry: u32,
    /// Most account transactions of one sender.
    pub per_sender: usize,
    /// How far a nonce may be ahead of the sender's next.
    pub nonce_gap: u64,
    /// Most unconfirmed ancestors of a coin transaction, and most descendants of one, itself included.
    pub chain_count: usize,
    /// Most bytes of a coin transaction with its unconfirmed ancestors, and with its descendants.
    pub chain_bytes: usize,
    /// Most transactions that one may replace, their descendants included.
    pub replaced: usize,
    /// Most bytes of a transaction.
    pub transaction_bytes: usize,
}

impl Default for MempoolConfig {
    fn default() -> Self {
        Self {
            max_bytes: 300 << 20,
            min_tip: 0,
            expiry: 14 * 24 * 3600,
            per_sender: 1_024,
            nonce_gap: 64,
            chain_count: 25,
            chain_bytes: 101_000,
            replaced: 100,
            transaction_bytes: 100_000,
        }
    }
}

/// Whether a transaction could go into the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryStatus {
    /// It could.
    Pending,
    /// It waits for a lower nonce of its sender, or for a lower base fee.
    Queued,
}

/// A transaction of the mempool with what is known of it.
#[derive(Clone, Debug)]
pub struct MempoolEntry {
    /// Its identifier.
    pub txid: TxId,
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// Who signed it, if it is an account transaction.
    pub sender: Option<Address>,
    /// Encoded bytes.
    pub size: usize,
    /// Gas: exact for coins, the gas limit for accounts.
    pub gas: Gas,
    /// Fee of a coin transaction; zero for accounts.
    pub fee: Amount,
    /// Tip in wei per gas at the base fee of the next block, alone; negative if it does not even pay the base fee.
    pub tip_per_gas: i128,
    /// Unix time at which it was taken.
    pub time: u32,
    /// Transactions of the pool that must come before it.
    pub ancestors: usize,
    /// Transactions of the pool that must come after it.
    pub descendants: usize,
    /// Whether it could go into the next block.
    pub status: EntryStatus,
}

/// What the mempool does to one lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockPending {
    /// Coins that it makes for the lock and does not spend again.
    pub incoming: Vec<(OutPoint, Output)>,
    /// Coins of the lock that it spends, confirmed or not, and by what.
    pub spent: Vec<(OutPoint, Output, TxId)>,
}

/// Size and limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MempoolStats {
    /// All transactions.
    pub transactions: usize,
    /// Coin transactions.
    pub coins: usize,
    /// Those that could go into the next block.
    pub pending: usize,
    /// Gas of all: exact for coins, the gas limits for accounts.
    pub gas: Gas,
    /// Memory that they take.
    pub bytes: usize,
    /// Most memory that they may take.
    pub max_bytes: usize,
    /// Least tip per gas that is taken now, in wei; rises when the pool overflows.
    pub min_tip: u64,
}

/// What a transaction should offer, in wei per gas beside the base fee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeEstimate {
    /// Base fee of the next block.
    pub base_fee: u64,
    /// Tip to be mined some time.
    pub slow: u64,
    /// Tip to be mined within a few blocks.
    pub normal: u64,
    /// Tip to be mined in the next block.
    pub fast: u64,
}

/// Why a transaction left the mempool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalReason {
    /// It is in a block.
    Mined,
    /// A block holds what contradicts it.
    Conflict,
    /// One that pays more took its place.
    Replaced(TxId),
    /// The pool was full.
    Evicted,
    /// It waited too long.
    Expired,
    /// A parent left the pool.
    ParentRemoved,
    /// It became invalid with the new tip, such as by a reorganisation.
    Invalid,
    /// The balance of its sender does not cover it any more, together with those before it.
    Unpaid,
}

impl RemovalReason {
    names! { pub
        Self::Mined => "mined",
        Self::Conflict => "conflict",
        Self::Replaced(_) => "replaced",
        Self::Evicted => "evicted",
        Self::Expired => "expired",
        Self::ParentRemoved => "parent_removed",
        Self::Invalid => "invalid",
        Self::Unpaid => "unpaid",
    }
}

/// A change of the pool, in the order of happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A transaction came in.
    Added(TxId),
    /// An account transaction may be mined now, as to its nonce: when it came in, or when the one before it did.
    Ready(TxId),
    /// A transaction left.
    Removed(TxId, RemovalReason),
}
