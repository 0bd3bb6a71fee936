//! Blocks on demand (`--dev`), and the way back to earlier ones.
//!
//! Cheats are blocks, too: [ADR 19](../../../docs/adr/0019-development-chains.md).

use chain_core::{
    execute::{Edit, base_fee_mark},
    hash::BlockHash,
    transaction::Transaction,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::broadcast::error::RecvError, time::sleep};

use super::{
    Mining,
    demand::{DemandStatus, SNAPSHOTS},
};
use crate::engine::{BlockPlan, BlockTime, Content, NodeEvent, Stopped, TemplateError};

/// When the first of several blocks on demand comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// At once.
    Next,
    /// After as many seconds as lie between the others.
    Apart,
}

impl Mining {
    /// How blocks on demand are made now.
    pub fn demand(&self) -> DemandStatus {
        let demand = self.demand.lock();
        DemandStatus { automine: demand.automine, interval: demand.interval, offset: demand.offset }
    }

    /// Whether each transaction that comes in is mined at once.
    pub fn set_automine(&self, on: bool) {
        self.demand.lock().automine = on;
        self.automine_changed.notify_one();
    }

    /// Mines a block so often from now on, or no longer.
    pub fn set_interval(&self, interval: Option<Duration>) {
        self.demand.lock().interval = interval;
        self.interval_changed.notify_one();
    }

    /// Sets the clock of the chain; returns by how much it is ahead of this machine's.
    pub fn set_time(&self, time: u32) -> i64 {
        let mut demand = self.demand.lock();
        demand.set_time(time);
        demand.offset
    }

    /// Moves the clock of the chain forward; returns by how much it is ahead of this machine's.
    ///
    /// # Errors
    /// [`TemplateError::EndOfTime`].
    pub fn increase_time(&self, seconds: u32) -> Result<i64, TemplateError> {
        // Blocks that follow each other fast are ahead of the clock: each is at least a second later than its parent.
        let tip = self.engine.chain_info().header.time;
        let mut demand = self.demand.lock();
        let time = demand.time().max(tip);
        time.checked_add(seconds).ok_or(TemplateError::EndOfTime)?;
        if demand.time() < time {
            demand.set_time(time);
        }
        demand.offset += i64::from(seconds);
        Ok(demand.offset)
    }

    /// The time of the next block, from which the clock then goes on.
    pub fn set_next_time(&self, time: u32) {
        self.demand.lock().next_time = Some(time);
    }

    /// The time of the block after one of this time, as far as it was set or the clock shows it.
    pub fn next_time(&self, parent: u32) -> u32 {
        let demand = self.demand.lock();
        let by_clock = || demand.time().max(parent.saturating_add(1));
        let by_step = demand.step.map(|seconds| parent.saturating_add(seconds));
        demand.next_time.or(by_step).unwrap_or_else(by_clock)
    }

    /// Sets the seconds from each block to the next, or has the clock say so again; returns what was set before.
    pub fn set_step(&self, seconds: Option<u32>) -> Option<u32> {
        std::mem::replace(&mut self.demand.lock().step, seconds)
    }

    /// The base fee of the next block.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn set_next_base_fee(&self, base_fee: u64) -> Result<(), Stopped> {
        self.demand.lock().next_base_fee = Some(base_fee);
        self.engine.set_next_base_fee(base_fee).await
    }

    /// A block of these transactions at this time, or when it is its turn.
    fn plan(&self, content: Content, time: Option<u32>) -> BlockPlan {
        let mut demand = self.demand.lock();
        demand.count += 1;
        let (time, base_fee) = match content {
            // The next block that was spoken of is one of transactions.
            Content::Edits(_) => (BlockTime::Parents, None),
            _ => {
                let time = match (time.or(demand.next_time.take()), demand.step) {
                    (Some(time), _) => {
                        demand.set_time(time);
                        BlockTime::Exactly(time)
                    }
                    (None, Some(seconds)) => BlockTime::After(seconds),
                    (None, None) => BlockTime::AfterParent(demand.time()),
                };
                (time, demand.next_base_fee.take())
            }
        };
        let mark = base_fee.map(base_fee_mark).unwrap_or_default();
        let extra = [&demand.count.to_le_bytes()[..], &mark].concat();
        // Who is paid stands behind another lock: nobody holds both.
        drop(demand);
        BlockPlan { request: self.request(extra), time, base_fee, content }
    }

    /// Mines blocks at once, on a chain of trivial difficulty; the first at this time.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub async fn mine_now(&self, count: u32, time: Option<u32>) -> Result<Vec<BlockHash>, TemplateError> {
        let mut hashes = Vec::new();
        for index in 0..count {
            hashes.push(self.engine.mine(self.plan(Content::Pool, time.filter(|_| index == 0))).await?);
        }
        Ok(hashes)
    }

    /// Mines blocks at once, so many seconds apart; the first comes next, or after so many seconds, too.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub async fn mine_apart(&self, count: u32, seconds: u32, first: First) -> Result<(), TemplateError> {
        if first == First::Apart {
            self.increase_time(seconds)?;
        }
        for index in 0..count {
            let last = self.engine.chain_info().header.time;
            // An interval that was set for all blocks holds for those after the first.
            let has_step = self.demand.lock().step.is_some();
            let time = (index > 0 && !has_step).then(|| last.checked_add(seconds).ok_or(TemplateError::EndOfTime));
            self.mine_now(1, time.transpose()?).await?;
        }
        Ok(())
    }

    /// Mines a block that edits the state.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub async fn edit(&self, edits: Vec<Edit>) -> Result<BlockHash, TemplateError> {
        self.engine.mine(self.plan(Content::Edits(edits), None)).await
    }

    /// Mines blocks of these transactions on any block.
    ///
    /// # Errors
    /// [`TemplateError`]; the chain is then as before.
    pub async fn branch(
        &self,
        fork: BlockHash,
        blocks: Vec<Vec<Transaction>>,
    ) -> Result<Vec<BlockHash>, TemplateError> {
        let plans = blocks.into_iter().map(|block| self.plan(Content::These(block), None)).collect();
        self.engine.mine_branch(fork, plans).await
    }

    /// Takes the chain back to a block; the clock goes on from there.
    ///
    /// # Errors
    /// [`TemplateError::UnknownBlock`] if it is not on the active chain.
    pub async fn rewind(&self, to: BlockHash) -> Result<(), TemplateError> {
        self.engine.rewind(to).await?;
        let time = self.engine.chain_info().header.time;
        let mut demand = self.demand.lock();
        (demand.next_time, demand.next_base_fee) = (None, None);
        demand.set_time(time);
        Ok(())
    }

    /// Takes the chain back to genesis, and forgets all that was said of the next blocks.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub async fn reset(&self) -> Result<(), TemplateError> {
        self.rewind(self.engine.chain_info().genesis).await?;
        let mut demand = self.demand.lock();
        (demand.offset, demand.step) = (0, None);
        demand.snapshots.clear();
        demand.instance = None;
        Ok(())
    }

    /// A random name of this chain of this process: another one after each reset.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn instance(&self) -> Result<[u8; 32], getrandom::Error> {
        let mut demand = self.demand.lock();
        if let Some(instance) = demand.instance {
            return Ok(instance);
        }
        let mut instance = [0; 32];
        getrandom::fill(&mut instance)?;
        Ok(*demand.instance.insert(instance))
    }

    /// The snapshots that are remembered, by number.
    pub fn snapshots(&self) -> BTreeMap<u64, BlockHash> {
        self.demand.lock().snapshots.clone()
    }

    /// Remembers the tip; returns a number for it.
    pub fn snapshot(&self) -> u64 {
        let tip = self.engine.chain_info().hash;
        let mut demand = self.demand.lock();
        demand.last_snapshot += 1;
        let id = demand.last_snapshot;
        demand.snapshots.insert(id, tip);
        if demand.snapshots.len() > SNAPSHOTS {
            demand.snapshots.pop_first();
        }
        id
    }

    /// Takes the chain back to a snapshot, and forgets it and those after it; whether it is known and still on the chain.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub async fn revert(&self, id: u64) -> Result<bool, TemplateError> {
        let Some(tip) = self.demand.lock().snapshots.get(&id).copied() else { return Ok(false) };
        match self.rewind(tip).await {
            Ok(()) => {}
            Err(TemplateError::UnknownBlock(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
        self.demand.lock().snapshots.split_off(&id);
        Ok(true)
    }

    /// Mines a block whenever a transaction comes in, as long as that is switched on; what was there before, too.
    pub async fn automine(self: Arc<Self>) {
        let mut events = self.engine.subscribe();
        self.mine_pending().await;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(NodeEvent::TransactionAdded(_)) | Err(RecvError::Lagged(_)) => self.mine_pending().await,
                    Ok(_) => {}
                    Err(RecvError::Closed) => return,
                },
                () = self.automine_changed.notified() => self.mine_pending().await,
            }
        }
    }

    /// Mines blocks until they take nothing out of the pool any more, if each transaction is mined at once.
    pub async fn mine_pending(&self) {
        // A transaction wakes its sender's call and the loop above: one block is enough.
        let _turn = self.turn.lock().await;
        let pending = || self.engine.mempool_stats().pending;
        let mut before = usize::MAX;
        while self.demand().automine
            && (1..before).contains(&pending())
            // What offers less than the base fee waits, and needs no empty blocks.
            && self.engine.query(|engine| engine.mempool().select().next_package().is_some()).await.unwrap_or_default()
        {
            before = pending();
            if let Err(error) = self.mine_now(1, None).await {
                tracing::warn!(%error, "cannot mine a block for a transaction");
            }
        }
    }

    /// Mines a block by the clock, as long as that is switched on.
    pub async fn mine_at_intervals(self: Arc<Self>) {
        loop {
            let Some(interval) = self.demand().interval else {
                self.interval_changed.notified().await;
                continue;
            };
            tokio::select! {
                () = sleep(interval) => match self.mine_now(1, None).await {
                    Ok(_) => {}
                    Err(TemplateError::Stopped) => return,
                    Err(error) => tracing::warn!(%error, "cannot mine the block that is due"),
                },
                () = self.interval_changed.notified() => {}
            }
        }
    }
}
