//! The active chain follows the best valid branch: one block back or forth at a time, until it stands on it.

use alloy_primitives::map::HashSet;
use chain_core::{
    U256,
    block::{CheckedBlock, check::check_block, header::Header},
    error::{ExecuteError, RuleError},
    execute::{BlockContext, ExecutedBlock, execute_block},
    hash::{BlockHash, TxId},
    headers::{Executed, Path, Status},
    transaction::{Transaction, coin::OutPoint},
    units::{Gas, Height},
};

use super::{Chain, Undecided};
use crate::{
    engine::{BlockOutcome, Fatal, Outbox, Reply, SubmitBlockError, SyncProgress, Time, error::Judged},
    mempool::Mempool,
    metrics::{Stage, timed},
    store::{BlockRef, Disconnected, StoreError},
};

/// Milliseconds between two announcements of the tip while blocks are fetched.
const SELDOM: u64 = 5_000;

/// Blocks that may be left to connect before the node counts as syncing.
const BEHIND: Height = 8;

/// The next step towards the best valid branch.
pub(crate) enum Step {
    Disconnect,
    Connect(BlockHash),
}

impl Chain {
    /// Whether a reorganisation is under way: the tip is off the chain that was announced, and not yet better.
    pub(crate) fn is_reorganising(&self) -> bool {
        let tip = self.store.tip().hash;
        self.told != tip && self.next_step().is_some() && self.work_of(&tip) <= self.work_of(&self.told)
    }

    pub(crate) fn next_step(&self) -> Option<Step> {
        let pin = self.pin.filter(|pin| self.is_executable(pin));
        let (tip, goal) = (self.store.tip(), pin.unwrap_or_else(|| self.tree.candidate()));
        if tip.hash == goal {
            return None;
        }
        if !self.tree.is_ancestor(&tip.hash, &goal) {
            return Some(Step::Disconnect);
        }
        self.tree.ancestor(&goal, tip.height + 1).map(Step::Connect)
    }

    /// Has the chain stand on this block, or follow the best branch again.
    pub(crate) fn pin(&mut self, block: Option<BlockHash>) {
        self.pin = block;
    }

    fn is_executable(&self, hash: &BlockHash) -> bool {
        self.tree.get(hash).is_some_and(|info| matches!(info.status, Status::BodyStored | Status::Valid))
    }

    /// Whether a block was executed and is valid.
    pub(crate) fn is_executed(&self, hash: &BlockHash) -> bool {
        self.tree.get(hash).is_some_and(|info| info.status == Status::Valid)
    }

    /// Blocks between the tip and the best stored block; 0 while going back.
    pub(crate) fn backlog(&self) -> Height {
        self.height_of(&self.tree.candidate()).saturating_sub(self.store.tip().height)
    }

    /// Height of a block; 0 if it is unknown.
    pub(crate) fn height_of(&self, hash: &BlockHash) -> Height {
        self.tree.get(hash).map_or(0, |info| info.height)
    }

    /// Work from genesis to a block; zero if it is unknown.
    pub(crate) fn work_of(&self, hash: &BlockHash) -> U256 {
        self.tree.get(hash).map_or(U256::ZERO, |info| info.work)
    }

    /// Disconnects the tip; returns it with its gas.
    pub(crate) fn disconnect_tip(&mut self) -> Result<(Disconnected, Gas), Fatal> {
        let executed = self.tree.get(&self.store.tip().hash).and_then(|info| info.executed);
        let disconnected = timed(Stage::Disconnect, || self.store.disconnect())?;
        // Every block in between is a whole state: what gathers in memory stays bounded, however deep this goes.
        self.flush_if_due()?;
        Ok((disconnected, executed.map_or(0, |executed| executed.gas_used)))
    }

    /// Makes a child of the tip the tip; returns `None` if it is invalid, and is marked so. The pool says which of its coins
    /// were read lately.
    pub(crate) fn connect(
        &mut self,
        hash: BlockHash,
        pool: &Mempool,
        out: &mut Outbox,
    ) -> Result<Option<ExecutedBlock>, Fatal> {
        let at = BlockRef { height: self.store.tip().height + 1, hash };
        let block = self.checked_body(at)?;
        let executed = match self.execute(at, block, pool)? {
            Ok(executed) => executed,
            Err(rule) => return self.condemn(hash, &rule, out).map(|()| None),
        };
        timed(Stage::Apply, || self.store.connect(&executed))?;
        self.origins.remove(&hash);
        let (base_fee, gas_used) = (executed.context().base_fee, executed.effects().gas_used);
        self.tree.mark_valid(&hash, Executed { base_fee, gas_used });
        self.flush_if_due()?;
        Ok(Some(executed))
    }

    fn flush_if_due(&mut self) -> Result<(), Fatal> {
        if self.store.needs_flush(true) {
            self.flush()?;
        }
        Ok(())
    }

    /// A stored block, checked alone.
    fn checked_body(&mut self, at: BlockRef) -> Result<CheckedBlock, Fatal> {
        if let Some(ready) = self.ready.take(&at.hash) {
            return Ok(ready);
        }
        let block = self.store.body(at)?.ok_or_else(|| self.store.missing_body(at))?;
        check_block(&self.spec, block).map_err(|(_, rule)| {
            Fatal(StoreError::Corrupt(format!("the stored block {} breaks a rule: {rule}", at.hash)).to_string())
        })
    }

    /// Runs a block on the state of its parent, the tip, and verifies its signatures on all cores.
    fn execute(&mut self, at: BlockRef, block: CheckedBlock, pool: &Mempool) -> Judged<ExecutedBlock, RuleError> {
        timed(Stage::Fetch, || self.store.prefetch(&coins_to_fetch(&block, pool)))?;
        let senders = match timed(Stage::Recover, || self.verifier.recover(&self.spec, &block.recoveries())) {
            Ok(senders) => senders,
            Err(rule) => return Ok(Err(rule)),
        };
        let mut context = match self.context_on_tip(block.block().header.time, block.block().header.bits) {
            Ok(context) => context,
            Err(rule) => return Ok(Err(rule)),
        };
        // DEV-4
        context.base_fee = self.spec.base_fee_set_by(&block.coinbase().extra).unwrap_or(context.base_fee);
        debug_assert_eq!(context.height, at.height);
        let execute = || execute_block(&self.spec, &context, &self.store.view(), block, &senders);
        let pending = match timed(Stage::Execute, execute) {
            Ok(pending) => pending,
            Err(ExecuteError::Rule(rule)) => return Ok(Err(rule)),
            Err(ExecuteError::View(error)) => return Err(error.into()),
        };
        let verdicts = timed(Stage::Verify, || self.verifier.verify(pending.checks()));
        Ok(pending.confirm(&verdicts))
    }

    /// What a block on the tip executes in.
    ///
    /// # Errors
    /// HDR-1 for malformed bits.
    pub(crate) fn context_on_tip(&self, time: u32, bits: u32) -> Result<BlockContext, RuleError> {
        let tip = self.store.tip();
        let header = Header { version: 0, prev: tip.hash, merkle_root: [0; 32], time, bits, nonce: 0 };
        BlockContext::new(self.genesis, tip.height + 1, self.next_base_fee(), &header)
    }

    /// Base fee of the next block on the active chain.
    pub(crate) fn next_base_fee(&self) -> u64 {
        self.tree.next_base_fee(&self.store.tip().hash).unwrap_or(self.spec.base_fee_floor)
    }

    /// Bits of the next block on the active chain.
    pub(crate) fn next_bits(&self) -> u32 {
        self.tree.next_bits(&self.store.tip().hash).unwrap_or(self.spec.genesis_bits)
    }

    /// Notes whether many blocks are being fetched; returns whether that has just ended.
    pub(crate) fn note_syncing(&mut self, syncing: bool) -> bool {
        let before = self.sync_start;
        self.sync_start = syncing.then(|| before.unwrap_or(self.store.tip().height));
        before.is_some() && !syncing
    }

    /// Whether many blocks are being fetched.
    pub(crate) fn is_syncing(&self) -> bool {
        self.sync_start.is_some()
    }

    /// How far fetching is, if many blocks are being fetched.
    pub(crate) fn fetching(&self) -> Option<SyncProgress> {
        let start = self.sync_start?;
        let current = self.store.tip().height;
        let highest = self.tree.get(&self.tree.best_header()).map_or(current, |info| info.height);
        Some(SyncProgress { start, current, highest })
    }

    /// Whether so many stored blocks wait to be connected that the node counts as syncing.
    pub(crate) fn has_backlog(&self) -> bool {
        self.next_step().is_some() && self.backlog() > BEHIND
    }

    /// Whether so many blocks wait to be connected or fetched that not each is announced. While they are fetched, which
    /// a peer could drag out, the tip is announced now and then.
    pub(crate) fn is_far_behind(&self, now: Time) -> bool {
        let fetching = self.is_syncing() && now.since(self.told_at) < SELDOM;
        fetching || self.has_backlog()
    }

    /// The tip that was last announced.
    pub(crate) fn told(&self) -> BlockHash {
        self.told
    }

    /// Whether the tip has reached the disk and was announced; while far behind, not each is.
    pub(crate) fn is_told(&self, now: Time) -> bool {
        self.told == self.store.tip().hash || (self.is_far_behind(now) && !self.is_reorganising())
    }

    /// The tip that peers are told: the former one while the chain is on its way to a better branch. A block in between is worth
    /// less than what they were told before, and a peer that claims more than its headers show gets points.
    pub(crate) fn told_tip(&self) -> BlockHash {
        if self.is_reorganising() { self.told } else { self.store.tip().hash }
    }

    /// Whether those who read the disk see another state than that of the tip.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.store.needs_flush(false)
    }

    /// Lets the tip reach the disk.
    pub(crate) fn write(&mut self) -> Result<(), Fatal> {
        if self.is_unwritten() {
            self.flush()?;
        }
        Ok(())
    }

    /// Lets a new tip reach the disk, before it is announced; returns the way to it from the one announced before.
    pub(crate) fn settle_tip(&mut self, now: Time) -> Result<Path, Fatal> {
        self.write()?;
        let tip = self.store.tip();
        let path = self.tree.path(&self.told, &tip.hash).unwrap_or_default();
        self.depth = Height::try_from(path.disconnect.len()).unwrap_or(Height::MAX);
        (self.told, self.told_at) = (tip.hash, now);
        self.ready.forget_up_to(tip.height);
        Ok(path)
    }

    /// Answers those who submitted blocks whose fate is known now.
    pub(crate) fn decide(&mut self, out: &mut Outbox) {
        if self.undecided.is_empty() {
            return;
        }
        let settled = self.next_step().is_none();
        let far_behind = self.is_far_behind(out.steady()) && !self.is_reorganising();
        let told = if far_behind { self.store.tip().hash } else { self.told };
        for undecided in std::mem::take(&mut self.undecided) {
            let Undecided { ticket, hash, fault } = undecided;
            let invalid = self.tree.get(&hash).is_none_or(|info| info.status == Status::Invalid);
            let result = if let Some(rule) = fault {
                Err(rule.into())
            } else if invalid {
                Err(SubmitBlockError::KnownInvalid(hash))
            } else if self.tree.is_ancestor(&hash, &told) {
                Ok(BlockOutcome::Connected { disconnected: self.depth })
            } else if settled && !self.tree.is_ancestor(&hash, &self.store.tip().hash) {
                Ok(BlockOutcome::SideBranch)
            } else {
                self.undecided.push(Undecided { ticket, hash, fault: None });
                continue;
            };
            out.reply(ticket, Reply::Block(result));
        }
    }

    /// Storage failed: nothing can be decided any more.
    pub(crate) fn give_up(&mut self, message: &str, out: &mut Outbox) {
        for undecided in std::mem::take(&mut self.undecided) {
            let error = SubmitBlockError::Local(message.to_owned());
            out.reply(undecided.ticket, Reply::Block(Err(error)));
        }
    }
}

/// Coins of earlier blocks that a block spends, but those that the pool's transactions spend, which were read lately.
fn coins_to_fetch(block: &CheckedBlock, pool: &Mempool) -> Vec<OutPoint> {
    let own: HashSet<TxId> = block.metas().iter().map(|meta| meta.txid).collect();
    let transactions = block.block().transactions.iter().zip(block.metas());
    let inputs = transactions.flat_map(|(transaction, meta)| match transaction {
        Transaction::Coin(tx) if !pool.contains(&meta.txid) => tx.inputs.as_slice(),
        _ => &[],
    });
    inputs.filter(|input| !own.contains(&input.txid)).copied().collect()
}
