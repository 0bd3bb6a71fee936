//! What a block on demand is to be.

use chain_core::{execute::Edit, transaction::Transaction};

use super::TemplateRequest;

/// What a block on demand is made of.
#[derive(Clone, Debug)]
pub struct BlockPlan {
    /// Who gets what, and the end of the coinbase's `extra`.
    pub request: TemplateRequest,
    /// Its time.
    pub time: BlockTime,
    /// Its base fee, if `request.extra` sets one (DEV-4).
    pub base_fee: Option<u64>,
    /// Its transactions.
    pub content: Content,
}

/// The time of a block on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockTime {
    /// As for any other block, but not before this.
    NotBefore(u32),
    /// This, but after the parent.
    AfterParent(u32),
    /// This.
    Exactly(u32),
    /// So many seconds after the parent's.
    After(u32),
    /// The parent's.
    Parents,
}

/// The transactions of a block on demand.
#[derive(Clone, Debug)]
pub enum Content {
    /// The best of the mempool.
    Pool,
    /// These, in this order.
    These(Vec<Transaction>),
    /// One that makes these edits (DEV-3).
    Edits(Vec<Edit>),
}
