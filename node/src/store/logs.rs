//! Logs: what they are asked for and found by.

use alloy_primitives::{Address, B256, Log};
use chain_core::hash::TxId;

/// Which logs are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Logs of any of these addresses; of all addresses if there are none.
    pub addresses: Vec<Address>,
    /// Any of these topics at each position. Where there are none any topic will do, but the log has to have one there.
    pub topics: Vec<Vec<B256>>,
}

impl LogFilter {
    /// Whether the log is asked for.
    pub fn matches(&self, log: &Log) -> bool {
        self.wants_address(&log.address) && self.wants_topics(log.topics())
    }

    /// Whether it names an address or a topic, so that the index can narrow a search.
    pub fn has_criterion(&self) -> bool {
        !self.addresses.is_empty() || self.topics.iter().any(|topics| !topics.is_empty())
    }

    pub(super) fn wants_address(&self, address: &Address) -> bool {
        self.addresses.is_empty() || self.addresses.contains(address)
    }

    pub(super) fn wants_topics(&self, topics: &[B256]) -> bool {
        let wants = |(any, topic): (&Vec<B256>, &B256)| any.is_empty() || any.contains(topic);
        self.topics.len() <= topics.len() && self.topics.iter().zip(topics).all(wants)
    }

    /// What the index is searched for: the addresses, and the topics of each position where some are named.
    pub(super) fn criteria(&self) -> Vec<Vec<LogTerm>> {
        let addresses = self.addresses.iter().map(LogTerm::address).collect();
        let topics = (0..).zip(&self.topics).map(|(position, topics)| {
            let term = |topic| LogTerm::topic(position, topic);
            topics.iter().map(term).collect()
        });
        std::iter::once(addresses).chain(topics).filter(|terms: &Vec<_>| !terms.is_empty()).collect()
    }
}

/// What the index knows a log by: its address, or the topic at a position. The value is shortened to 8 bytes of its hash, so
/// that nobody can choose topics that the index cannot tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogTerm {
    /// 0 for the address, 1 to 4 for the topics.
    pub kind: u8,
    /// First bytes of the value's keccak-256.
    pub id: [u8; 8],
}

impl LogTerm {
    fn new(kind: u8, value: &[u8]) -> Self {
        let hash = alloy_primitives::keccak256(value);
        Self { kind, id: std::array::from_fn(|index| hash[index]) }
    }

    /// Of an address.
    pub fn address(address: &Address) -> Self {
        Self::new(0, address.as_slice())
    }

    /// Of the topic at a position from 0 on.
    pub fn topic(position: u8, topic: &B256) -> Self {
        Self::new(1 + position, topic.as_slice())
    }
}

/// A log, and where in its block it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockLog {
    /// Which of the block's logs it is.
    pub index: u32,
    /// Which of the block's account transactions wrote it.
    pub transaction: u32,
    /// That transaction.
    pub txid: TxId,
    /// The log.
    pub log: Log,
}
