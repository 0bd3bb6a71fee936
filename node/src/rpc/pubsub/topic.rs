//! What a subscription is about.

use chain_core::transaction::coin::Lock;
use std::collections::HashSet;

/// What a subscriber wants to hear of.
#[derive(Debug)]
pub enum Topic {
    /// Each block that joins the active chain.
    Heads,
    /// Account transactions that the mempool may mine: their hashes, or themselves.
    Pending { full: bool },
    /// Whether the node is syncing.
    Syncing,
    /// Blocks that left the active chain, and what became of their transactions.
    Reorgs,
    /// Coins that come under these locks or leave them.
    Coins(HashSet<Lock>),
}

/// The kinds of [`Topic`] that are published alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// See [`Topic::Heads`].
    Heads,
    /// See [`Topic::Pending`].
    PendingHashes,
    /// See [`Topic::Pending`].
    PendingTransactions,
    /// See [`Topic::Syncing`].
    Syncing,
    /// See [`Topic::Reorgs`].
    Reorgs,
    /// See [`Topic::Coins`].
    Coins,
}

impl Topic {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Heads => Kind::Heads,
            Self::Pending { full: false } => Kind::PendingHashes,
            Self::Pending { full: true } => Kind::PendingTransactions,
            Self::Syncing => Kind::Syncing,
            Self::Reorgs => Kind::Reorgs,
            Self::Coins(_) => Kind::Coins,
        }
    }

    /// How much it holds: one for itself, and one for each thing that it is compared with.
    pub fn weight(&self) -> usize {
        1 + match self {
            Self::Coins(locks) => locks.len(),
            _ => 0,
        }
    }
}
