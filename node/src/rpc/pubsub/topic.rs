//! What a subscription is about.

use alloy_primitives::{Address, B256, Log};
use chain_core::transaction::coin::Lock;
use std::collections::HashSet;

use crate::store::LogFilter;

/// What a subscriber wants to hear of. Most want heads, so that what is larger is boxed.
#[derive(Debug)]
pub enum Topic {
    /// Each block that joins the active chain.
    Heads,
    /// Logs of blocks that join the active chain or leave it.
    Logs(Box<LogTopic>),
    /// Account transactions that the mempool may mine: their hashes, or themselves.
    Pending { full: bool },
    /// Whether the node is syncing.
    Syncing,
    /// Blocks that left the active chain, and what became of their transactions.
    Reorgs,
    /// Coins that come under these locks or leave them.
    Coins(Box<[Lock]>),
}

/// Which logs a subscriber wants to hear of.
#[derive(Debug)]
pub struct LogTopic {
    /// By address and topics.
    pub filter: LogFilter,
    /// Not those of blocks below this height.
    pub from: Option<u64>,
    /// Nor above this one.
    pub to: Option<u64>,
}

impl LogTopic {
    /// How many addresses and topics it names.
    pub fn weight(&self) -> usize {
        self.filter.addresses.len() + self.filter.topics.iter().map(Vec::len).sum::<usize>()
    }

    /// Whether a block of this height may have such logs.
    pub fn has_height(&self, height: u64) -> bool {
        self.from.is_none_or(|from| from <= height) && self.to.is_none_or(|to| height <= to)
    }
}

/// What subscriptions are found by, so that not each is compared with all that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// A coin under this lock.
    Lock(Lock),
    /// A log of this address.
    Address(Address),
    /// A log with this topic at a position.
    Topic(usize, B256),
    /// Any log.
    AnyLog,
}

impl Term {
    /// The terms that a log has. A subscription has at most one of them.
    pub fn of_log(log: &Log) -> impl Iterator<Item = Self> {
        let topics = log.topics().iter().enumerate().map(|(position, topic)| Self::Topic(position, *topic));
        [Self::AnyLog, Self::Address(log.address)].into_iter().chain(topics)
    }
}

/// The kinds of [`Topic`] that are published alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// See [`Topic::Heads`].
    Heads,
    /// See [`Topic::Logs`].
    Logs,
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
            Self::Logs(_) => Kind::Logs,
            Self::Pending { full: false } => Kind::PendingHashes,
            Self::Pending { full: true } => Kind::PendingTransactions,
            Self::Syncing => Kind::Syncing,
            Self::Reorgs => Kind::Reorgs,
            Self::Coins(_) => Kind::Coins,
        }
    }

    /// Whether it asks for this log of a block at this height.
    pub fn wants_log(&self, log: &Log, height: u64) -> bool {
        matches!(self, Self::Logs(logs) if logs.has_height(height) && logs.filter.matches(log))
    }

    /// What it is found by, if not by its kind.
    pub fn terms(&self) -> Vec<Term> {
        match self {
            Self::Coins(locks) => locks.iter().copied().map(Term::Lock).collect(),
            Self::Logs(logs) => log_terms(&logs.filter).into_iter().collect::<HashSet<_>>().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// How much it holds: one for itself, and one for each thing that it is compared with.
    pub fn weight(&self) -> usize {
        1 + match self {
            Self::Coins(locks) => locks.len(),
            Self::Logs(logs) => logs.weight(),
            _ => 0,
        }
    }
}

/// Addresses, or else the topics of the first position that names some: the fewest logs have them.
fn log_terms(filter: &LogFilter) -> Vec<Term> {
    if !filter.addresses.is_empty() {
        return filter.addresses.iter().copied().map(Term::Address).collect();
    }
    match filter.topics.iter().enumerate().find(|(_, topics)| !topics.is_empty()) {
        Some((position, topics)) => topics.iter().map(|topic| Term::Topic(position, *topic)).collect(),
        None => vec![Term::AnyLog],
    }
}
