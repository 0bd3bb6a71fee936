//! One log line a block, and fewer while many come at once.

use chain_core::{hash::BlockHash, units::Height};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    engine::{ChainInfo, NodeEvent},
    mempool::RemovalReason,
    store::{BlockRef, Reader, StoreError},
};

/// While syncing, a line is written at most so often.
const SYNCING: Duration = Duration::from_secs(5);
/// More blocks at once than this are summed up.
const SINGLY: usize = 10;

/// Logs what happens to the chain until the engine ends.
pub async fn report(mut events: Receiver<NodeEvent>, reader: Reader) {
    let mut reporter = Reporter { reader, last: Instant::now(), blocks: 0 };
    loop {
        match events.recv().await {
            Ok(NodeEvent::NewTip { info, disconnected, connected, took }) => {
                reporter.new_tip(&info, &disconnected, &connected, took);
            }
            Ok(NodeEvent::TransactionRemoved(txid, reason)) if reason != RemovalReason::Mined => {
                tracing::debug!(%txid, ?reason, "a transaction left the mempool");
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

struct Reporter {
    reader: Reader,
    last: Instant,
    blocks: usize,
}

/// What a line says of a block.
struct Summary {
    transactions: usize,
    gas: u64,
}

impl Reporter {
    fn new_tip(&mut self, info: &ChainInfo, disconnected: &[BlockHash], connected: &[BlockHash], took: Duration) {
        if let Some(from) = disconnected.first() {
            tracing::warn!(depth = disconnected.len(), %from, to = %info.hash, height = info.height, "reorganised");
        }
        self.blocks += connected.len();
        if (info.syncing || connected.len() > SINGLY) && self.last.elapsed() < SYNCING {
            return;
        }
        let elapsed = self.last.elapsed();
        self.last = Instant::now();
        match std::mem::take(&mut self.blocks) {
            0 => {}
            blocks if blocks > SINGLY => {
                let rate = (blocks as f64 / elapsed.as_secs_f64().max(0.001)) as u64;
                tracing::info!(height = info.height, hash = %info.hash, blocks, per_second = rate, "blocks");
            }
            _ => self.each(info, connected, took),
        }
    }

    fn each(&self, info: &ChainInfo, connected: &[BlockHash], took: Duration) {
        let ms = took.as_millis() / connected.len().max(1) as u128;
        // As many as were connected are at most the height.
        let first = (info.height + 1).saturating_sub(connected.len() as Height);
        for (height, hash) in (first..).zip(connected) {
            match self.summary(BlockRef { height, hash: *hash }) {
                Ok(Some(Summary { transactions, gas })) => {
                    tracing::info!(height, %hash, transactions, gas, ms, "block");
                }
                _ => tracing::info!(height, %hash, ms, "block"),
            }
        }
    }

    fn summary(&self, at: BlockRef) -> Result<Option<Summary>, StoreError> {
        let snapshot = self.reader.snapshot()?;
        let (Some(record), Some(body)) = (snapshot.header(&at.hash)?, snapshot.body(at)?) else {
            return Ok(None);
        };
        let gas = record.executed.map_or(0, |executed| executed.gas_used);
        Ok(Some(Summary { transactions: body.transactions.len(), gas }))
    }
}
