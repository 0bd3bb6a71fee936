//! Transactions of blocks that were disconnected, on their way into the pool again.

use chain_core::{block::Block, error::RuleError, transaction::Transaction, units::Height};
use std::{collections::VecDeque, sync::Arc};

use crate::mempool::{Dropped, MempoolError, SubmitError};

/// Transactions that come back to the pool in one go.
const RETURNED_AT_ONCE: usize = 512;

/// Transactions that came back and wait for what others of them bring, their bytes in all, and the blocks in which that
/// must happen. Each is tried again at every block: an attacker pays for a reorganisation with work.
const LATER: usize = 4_096;
const LATER_BYTES: usize = 8 << 20;
const LATER_BLOCKS: Height = 36;

/// Those that wait.
#[derive(Debug, Default)]
pub(super) struct Resubmission {
    /// Transactions of each block, lowest first, with their bytes.
    blocks: VecDeque<(Vec<Transaction>, usize)>,
    bytes: usize,
    most_bytes: usize,
    dropped: Vec<Dropped>,
    ready: VecDeque<Returned>,
    /// Refused for want of a coin, a nonce or a balance that another may bring back with the next block: a deposit comes
    /// before the withdrawal that it pays for, and that before what spends its coin.
    later: VecDeque<Returned>,
    later_bytes: usize,
}

/// A transaction that comes back, with the last height at which it is tried again once that is known.
#[derive(Debug)]
pub(super) struct Returned {
    pub(super) transaction: Arc<Transaction>,
    until: Option<Height>,
}

impl Resubmission {
    /// Keeps at most so many bytes of blocks.
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, ..Self::default() }
    }

    /// Adds a block that was disconnected, and what the pool dropped with it. Where there is too much, the highest blocks are
    /// forgotten: nothing depends on them.
    pub(super) fn add_block(&mut self, block: Block, dropped: Vec<Dropped>) {
        let transactions: Vec<_> = block.transactions.into_iter().skip(1).collect();
        let bytes = transactions.iter().map(|transaction| transaction.encode().len()).sum();
        self.bytes += bytes;
        self.blocks.push_front((transactions, bytes));
        self.dropped.extend(dropped);
        while self.bytes > self.most_bytes {
            let Some((_, bytes)) = self.blocks.pop_back() else { break };
            self.bytes -= bytes;
        }
    }

    /// Adds what the pool dropped.
    pub(super) fn add_dropped(&mut self, dropped: Vec<Dropped>) {
        self.dropped.extend(dropped);
    }

    /// Transactions that wait for the next block.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.later.len()
    }

    /// Whether blocks were disconnected, or transactions dropped, that were not submitted again yet.
    pub(super) fn is_fresh(&self) -> bool {
        !self.blocks.is_empty() || !self.dropped.is_empty()
    }

    /// At a new tip, lets everything go: blocks from the lowest up, then the pool's own by arrival, then what was refused
    /// before.
    pub(super) fn release(&mut self, tip: Height) {
        self.dropped.sort_unstable_by_key(|(sequence, _)| *sequence);
        let blocks = self.blocks.drain(..).flat_map(|(transactions, _)| transactions).map(Arc::new);
        let fresh = blocks.chain(self.dropped.drain(..).map(|(_, transaction)| transaction));
        self.ready.extend(fresh.map(|transaction| Returned { transaction, until: None }));
        self.ready.extend(self.later.drain(..).filter(|returned| returned.until.is_none_or(|until| until >= tip)));
        (self.bytes, self.later_bytes) = (0, 0);
    }

    /// Drops what was not let go yet.
    pub(super) fn forget(&mut self) {
        self.blocks.clear();
        self.dropped.clear();
        self.bytes = 0;
    }

    /// Takes out the next of those that were let go.
    pub(super) fn next(&mut self) -> Vec<Returned> {
        let most = self.ready.len().min(RETURNED_AT_ONCE);
        self.ready.drain(..most).collect()
    }

    /// Whether there are more of them.
    pub(super) fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Keeps a transaction that was refused until the next block. When it is full, what came last goes: what others
    /// depend on came first.
    pub(super) fn retry(&mut self, returned: Returned, tip: Height) {
        let bytes = returned.transaction.encode().len();
        if self.later.len() < LATER && self.later_bytes + bytes <= LATER_BYTES {
            self.later_bytes += bytes;
            let until = returned.until.or(Some(tip.saturating_add(LATER_BLOCKS)));
            self.later.push_back(Returned { until, ..returned });
        }
    }
}

/// Whether a refusal may end with another transaction's block.
pub(super) fn may_pass(error: &SubmitError) -> bool {
    match error {
        SubmitError::Mempool(error) => matches!(
            error,
            MempoolError::MissingCoin(_)
                | MempoolError::InsufficientFunds { .. }
                | MempoolError::NonceGap { .. }
                | MempoolError::DelegatedSender { .. }
        ),
        SubmitError::Rule(rule) => {
            matches!(rule, RuleError::MissingCoin(_) | RuleError::ImmatureCoin { .. } | RuleError::TooEarly { .. })
        }
        SubmitError::Local(_) | SubmitError::Stopped => false,
    }
}
