//! One log line a block, and fewer while many come at once.

use chain_core::{
    block::first_transaction,
    hash::BlockHash,
    transaction::Transaction,
    units::{Amount, Height},
    work::pow,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};

use crate::{
    engine::{ChainInfo, NodeEvent},
    mempool::RemovalReason,
    mining::Mining,
    program,
    store::{BlockRef, Reader, StoreError},
};

/// Lines that are written at once, before blocks are summed up.
const BURST: u32 = 10;
/// How long to wait for events before looking whether blocks are to be summed up. Each second allows one more line.
const WAIT: Duration = Duration::from_secs(1);
/// How often blocks are summed up.
const SUMMARY: Duration = Duration::from_secs(5);
/// Block intervals without a block, while transactions wait, after which the log says so.
const STALLED: u32 = 12;

/// Logs what happens to the chain until the engine ends.
pub async fn report(mut events: Receiver<NodeEvent>, reader: Reader, mining: Arc<Mining>, interval: Duration) {
    let mut reporter = Reporter::new(reader, mining, interval);
    loop {
        match timeout(WAIT, events.recv()).await {
            Ok(Ok(NodeEvent::NewTip { info, disconnected, connected, took })) => {
                if let Some(from) = disconnected.first() {
                    tracing::warn!(depth = disconnected.len(), %from, to = %info.hash, height = info.height, "reorganised");
                }
                reporter.new_tip(&info, &connected, took);
            }
            Ok(Ok(NodeEvent::TransactionRemoved(txid, reason))) if reason != RemovalReason::Mined => {
                tracing::debug!(%txid, ?reason, "a transaction left the mempool");
            }
            Ok(Ok(NodeEvent::Progress(done, total))) => reporter.progress(done, total),
            Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => {}
            Ok(Err(RecvError::Closed)) => {
                reporter.sum_up(Duration::ZERO);
                return;
            }
        }
        reporter.sum_up(SUMMARY);
        reporter.warn_if_nobody_mines();
    }
}

struct Reporter {
    reader: Reader,
    mining: Arc<Mining>,
    /// Lines that may be written now.
    lines: u32,
    refilled: Instant,
    gathered: Option<Gathered>,
    syncing: Option<Syncing>,
    /// When there was a new tip last, and whether it was said that none comes.
    tip_at: Instant,
    warned: bool,
    patience: Duration,
}

/// Many blocks that are being connected.
struct Syncing {
    since: Instant,
    from: Height,
    /// When there last was progress, and when a line was last written.
    seen: Instant,
    logged: Instant,
}

/// Blocks that have no line of their own.
struct Gathered {
    /// When the first began to be connected, and when the last was.
    since: Instant,
    last: Instant,
    blocks: usize,
    height: Height,
    hash: BlockHash,
}

/// What a line says of a block.
struct Summary {
    transactions: u64,
    gas: u64,
    /// What the coinbase pays out.
    reward: Amount,
    difficulty: f64,
}

impl Reporter {
    fn new(reader: Reader, mining: Arc<Mining>, interval: Duration) -> Self {
        let now = Instant::now();
        Self {
            reader,
            mining,
            lines: BURST,
            refilled: now,
            gathered: None,
            syncing: None,
            tip_at: now,
            warned: false,
            patience: interval * STALLED,
        }
    }

    /// Writes now and then how far syncing is.
    fn progress(&mut self, done: Height, total: Height) {
        let now = Instant::now();
        let going_on = |syncing: &Syncing| now - syncing.seen < 4 * SUMMARY && syncing.from <= done;
        let fresh = || Syncing { since: now, from: done, seen: now, logged: now };
        let mut syncing = self.syncing.take().filter(going_on).unwrap_or_else(fresh);
        syncing.seen = now;
        if now - syncing.logged >= SUMMARY {
            syncing.logged = now;
            let rate = f64::from(done - syncing.from) / (now - syncing.since).as_secs_f64();
            let seconds_left = (f64::from(total.saturating_sub(done)) / rate.max(0.001)) as u64;
            let bar = bar(done, total);
            tracing::info!(done, of = total, per_second = rate as u64, seconds_left, %bar, "syncing");
        }
        self.syncing = Some(syncing);
    }

    fn new_tip(&mut self, info: &ChainInfo, connected: &[BlockHash], took: Duration) {
        let now = Instant::now();
        (self.tip_at, self.warned) = (now, false);
        let seconds = u32::try_from(self.refilled.elapsed().as_secs()).unwrap_or(u32::MAX);
        if seconds > 0 {
            self.refilled = now;
            self.lines = self.lines.saturating_add(seconds).min(BURST);
        }
        let wanted = u32::try_from(connected.len()).unwrap_or(u32::MAX);
        match self.lines.checked_sub(wanted).filter(|_| self.gathered.is_none()) {
            Some(left) => {
                self.lines = left;
                self.each(info, connected, took);
            }
            None => {
                let begun = now.checked_sub(took).unwrap_or(now);
                let (blocks, since) =
                    self.gathered.as_ref().map_or((0, begun), |gathered| (gathered.blocks, gathered.since));
                let blocks = blocks + connected.len();
                self.gathered = Some(Gathered { since, last: now, blocks, height: info.height, hash: info.hash });
            }
        }
    }

    /// Writes one line for the blocks that were gathered, once they did so for so long or no more came for a while.
    fn sum_up(&mut self, over: Duration) {
        let due = |gathered: &mut Gathered| gathered.since.elapsed() >= over || gathered.last.elapsed() >= WAIT;
        if let Some(Gathered { since, last, blocks, height, hash }) = self.gathered.take_if(due) {
            let per_second = per_second(blocks, last - since);
            tracing::info!(height, %hash, blocks, per_second, "blocks");
        }
    }

    /// Says once that transactions wait and no block comes.
    fn warn_if_nobody_mines(&mut self) {
        let (silent, waiting) = (self.tip_at.elapsed(), self.mining.pending());
        let status = self.mining.status();
        if silent < self.patience || waiting == 0 || self.warned || status.mining || status.automine {
            return;
        }
        self.warned = true;
        let seconds = silent.as_secs();
        tracing::warn!(
            waiting,
            "no block for {seconds} s, and transactions wait for one: does anybody mine? Start this node with --mine, or \
             run `{} mine`",
            program::named("cairn-wallet")
        );
    }

    fn each(&self, info: &ChainInfo, connected: &[BlockHash], took: Duration) {
        let ms = took.as_millis() as u64 / connected.len().max(1) as u64;
        // As many as were connected are at most the height.
        let first = (info.height + 1).saturating_sub(connected.len() as Height);
        for (height, hash) in (first..).zip(connected) {
            match self.summary(BlockRef { height, hash: *hash }) {
                Ok(Some(Summary { transactions, gas, reward, difficulty })) if self.mining.has_mined(hash) => {
                    tracing::info!(height, %hash, transactions, gas, %reward, difficulty, ms, "mined block");
                }
                Ok(Some(Summary { transactions, gas, .. })) => {
                    tracing::info!(height, %hash, transactions, gas, ms, "block");
                }
                _ => tracing::info!(height, %hash, ms, "block"),
            }
        }
    }

    fn summary(&self, at: BlockRef) -> Result<Option<Summary>, StoreError> {
        let snapshot = self.reader.snapshot()?;
        let Some(record) = snapshot.header(&at.hash)? else { return Ok(None) };
        let body = snapshot.body_bytes(at)?;
        let gas = record.executed.map_or(0, |executed| executed.gas_used);
        let difficulty = pow::target(record.header.bits).map(pow::work).unwrap_or_default().into();
        // Decoding the whole block would take as long as a good part of its execution.
        Ok(first_transaction(&body).ok().map(|(count, coinbase)| Summary {
            transactions: count.saturating_sub(1),
            gas,
            reward: paid(&coinbase),
            difficulty,
        }))
    }
}

/// What a coinbase pays out, in CRN.
fn paid(coinbase: &Transaction) -> Amount {
    match coinbase {
        Transaction::Coinbase(coinbase) => {
            Amount::from_grains(coinbase.outputs.iter().map(|output| output.amount.grains()).sum())
        }
        _ => Amount::ZERO,
    }
}

/// Blocks a second over a time that may be too short to be measured.
fn per_second(blocks: usize, over: Duration) -> u64 {
    (blocks as f64 / over.as_secs_f64().max(0.001)) as u64
}

/// A bar of text.
fn bar(done: Height, total: Height) -> String {
    const WIDTH: u64 = 20;
    let full = u64::from(done) * WIDTH / u64::from(total.max(1));
    (0..WIDTH).map(|place| if place < full { '#' } else { '.' }).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_up() {
        assert_eq!(
            [bar(0, 0), bar(0, 9), bar(9, 18), bar(7, 7)],
            ["....................", "....................", "##########..........", "####################",]
        );
    }

    #[test]
    fn a_rate_is_over_the_time_that_the_blocks_took() {
        assert_eq!(per_second(84, Duration::from_millis(500)), 168);
        assert_eq!(per_second(84, Duration::from_secs(6)), 14);
        assert_eq!(per_second(3, Duration::ZERO), 3_000);
    }
}
