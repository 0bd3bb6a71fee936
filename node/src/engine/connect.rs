//! The active chain follows the best valid branch: one block back or forth at a time, until it stands on it.

use alloy_primitives::map::HashSet;
use chain_core::{
    block::{CheckedBlock, check::check_block, header::Header},
    error::{ExecuteError, RuleError},
    execute::{BlockContext, ExecutedBlock, execute_block},
    hash::{BlockHash, TxId},
    headers::{Executed, Status},
    transaction::{Transaction, coin::OutPoint},
    units::{Gas, Height},
};
use std::{sync::Arc, time::Duration};

use super::{Action, BlockOutcome, Engine, NodeEvent, SubmitBlockError, Time, Undecided, error::Fatal};
use crate::store::{BlockRef, StoreError};

/// Blocks connected or disconnected in one go: peers, RPC and miners are served between two slices. One full block ends a
/// slice, too.
const SLICE: u32 = 32;

/// Milliseconds between two times at which everybody is told of the tip while blocks are fetched.
const SELDOM: u64 = 5_000;

/// Blocks that may be left to connect before the node counts as syncing.
const BEHIND: Height = 8;

/// The way that the active chain is taking.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The tip that was last announced.
    told: BlockHash,
    told_at: Time,
    /// Whether blocks were disconnected since the pool last looked.
    went_back: bool,
    /// Blocks of the former chain that the last way left behind.
    pub(super) depth: Height,
}

impl Session {
    /// A way that starts here.
    pub(super) fn at(told: BlockHash) -> Self {
        Self { told, ..Self::default() }
    }

    /// The tip that was last announced.
    pub(super) fn told(&self) -> BlockHash {
        self.told
    }
}

pub(super) enum Step {
    Disconnect,
    Connect(BlockHash),
}

/// Local failures outside, broken rules inside.
type Judged<T> = Result<Result<T, RuleError>, Fatal>;

impl Engine {
    /// Moves a slice of blocks towards the best valid branch; [`Action::Continue`] goes on. Between slices of a
    /// reorganisation the state and the pool are those of the block in between, of which nobody is told.
    pub(super) fn advance(&mut self) -> Result<(), Fatal> {
        let mut gas = 0_u64;
        for _ in 0..SLICE {
            let Some(step) = self.next_step() else { break };
            gas = gas.saturating_add(match step {
                Step::Disconnect => self.disconnect_tip()?,
                Step::Connect(hash) => self.connect(hash)?,
            });
            if gas >= self.spec.gas_limit {
                break;
            }
        }
        if std::mem::take(&mut self.session.went_back) {
            let (height, base_fee) = (self.store.tip().height + 1, self.next_base_fee());
            let dropped = self.mempool.reorganised(height, base_fee);
            self.resubmission.add_dropped(dropped);
        }
        Ok(())
    }

    /// Whether a reorganisation is under way: the tip is off the chain that everybody was told of, and not yet better.
    pub(super) fn is_reorganising(&self) -> bool {
        let (told, tip) = (self.session.told, self.store.tip().hash);
        told != tip && self.next_step().is_some() && self.work_of(&tip) <= self.work_of(&told)
    }

    pub(super) fn next_step(&self) -> Option<Step> {
        let (tip, goal) = (self.store.tip(), self.tree.candidate());
        if tip.hash == goal {
            return None;
        }
        if !self.tree.is_ancestor(&tip.hash, &goal) {
            return Some(Step::Disconnect);
        }
        self.tree.ancestor(&goal, tip.height + 1).map(Step::Connect)
    }

    /// Blocks between the tip and the best stored block; 0 while going back.
    pub(super) fn backlog(&self) -> Height {
        let goal = self.tree.get(&self.tree.candidate()).map_or(0, |info| info.height);
        goal.saturating_sub(self.store.tip().height)
    }

    /// Work from genesis to a block; zero if it is unknown.
    pub(super) fn work_of(&self, hash: &BlockHash) -> chain_core::U256 {
        self.tree.get(hash).map_or(chain_core::U256::ZERO, |info| info.work)
    }

    /// Disconnects the tip; its transactions may be mined again. Answers with its gas.
    fn disconnect_tip(&mut self) -> Result<Gas, Fatal> {
        let gas =
            self.tree.get(&self.store.tip().hash).and_then(|info| info.executed).map_or(0, |block| block.gas_used);
        let disconnected = self.store.disconnect()?;
        self.session.went_back = true;
        self.note_unmined(&disconnected.block);
        let dropped = self.mempool.block_disconnected(&disconnected.names, &disconnected.accounts);
        self.resubmission.add_block(disconnected.block, dropped);
        // Every block in between is a whole state: what gathers in memory stays bounded, however deep this goes.
        if self.store.needs_flush(true) {
            self.store.flush()?;
        }
        Ok(gas)
    }

    /// Makes a child of the tip the tip, or marks it invalid. Answers with its gas.
    fn connect(&mut self, hash: BlockHash) -> Result<Gas, Fatal> {
        let at = BlockRef { height: self.store.tip().height + 1, hash };
        let block = self.checked_body(at)?;
        let executed = match self.execute(at, block)? {
            Ok(executed) => executed,
            Err(rule) => return self.condemn(hash, rule).map(|()| 0),
        };
        self.store.connect(&executed)?;
        self.relay.origins.remove(&hash);
        let gas_used = executed.effects().gas_used;
        self.pass_on(hash, executed.block().block());
        self.note_mined(&executed);
        self.tree.mark_valid(&hash, Executed { base_fee: executed.context().base_fee, gas_used });
        let base_fee = self.next_base_fee();
        self.mempool.block_connected(base_fee, executed.block(), &executed.effects().accounts);
        if self.store.needs_flush(true) {
            self.store.flush()?;
        }
        Ok(gas_used)
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
    fn execute(&mut self, at: BlockRef, block: CheckedBlock) -> Judged<ExecutedBlock> {
        self.store.prefetch(&self.coins_to_fetch(&block))?;
        let senders = match self.verifier.recover(&block.recoveries()) {
            Ok(senders) => senders,
            Err(rule) => return Ok(Err(rule)),
        };
        let context = match self.context_on_tip(block.block().header.time, block.block().header.bits) {
            Ok(context) => context,
            Err(rule) => return Ok(Err(rule)),
        };
        debug_assert_eq!(context.height, at.height);
        let pending = match execute_block(&self.spec, &context, &self.store.view(), block, &senders) {
            Ok(pending) => pending,
            Err(ExecuteError::Rule(rule)) => return Ok(Err(rule)),
            Err(ExecuteError::View(error)) => return Err(error.into()),
        };
        let verdicts = self.verifier.verify(pending.checks());
        Ok(pending.confirm(&verdicts))
    }

    /// What a block on the tip executes in.
    ///
    /// # Errors
    /// HDR-1 for malformed bits.
    pub(super) fn context_on_tip(&self, time: u32, bits: u32) -> Result<BlockContext, RuleError> {
        let tip = self.store.tip();
        let header = Header { version: 0, prev: tip.hash, merkle_root: [0; 32], time, bits, nonce: 0 };
        BlockContext::new(self.genesis, tip.height + 1, self.next_base_fee(), &header)
    }

    /// Base fee of the next block on the active chain.
    pub(super) fn next_base_fee(&self) -> u64 {
        self.tree.next_base_fee(&self.store.tip().hash).unwrap_or(self.spec.base_fee_floor)
    }

    /// Whether so many blocks wait to be connected or fetched that nobody is told of each. While they are fetched, which
    /// somebody could drag out, everybody is told now and then.
    fn is_far_behind(&self) -> bool {
        let fetching = self.fetching().is_some() && self.steady.since(self.session.told_at) < SELDOM;
        fetching || (self.next_step().is_some() && self.backlog() > BEHIND)
    }

    /// Whether the tip has reached the disk and everybody was told of it; while far behind, nobody is.
    pub(super) fn is_told(&self) -> bool {
        self.session.told == self.store.tip().hash || (self.is_far_behind() && !self.is_reorganising())
    }

    /// A new tip reaches the disk, then everybody else. Under load that waits until the engine is `idle`, so that one
    /// flush serves many blocks.
    pub(super) fn tell(&mut self, idle: bool) -> Result<(), Fatal> {
        let (told, tip) = (self.session.told, self.store.tip());
        if tip.hash == told {
            // A better branch turned out invalid, and the chain is back.
            if self.resubmission.is_fresh() && self.next_step().is_none() {
                self.resubmission.release(tip.height);
            }
            return Ok(());
        }
        if self.is_reorganising() || self.is_far_behind() {
            let fetched = self.fetching().map_or(0, |progress| progress.highest);
            let event = NodeEvent::Progress(tip.height, fetched.max(tip.height + self.backlog()));
            self.actions.push(Action::Publish(event));
            return Ok(());
        }
        self.templates.outdate();
        if !idle {
            self.actions.push(Action::Continue);
            return Ok(());
        }
        if self.store.needs_flush(false) {
            self.store.flush()?;
        }
        let path = self.tree.path(&told, &tip.hash).unwrap_or_default();
        self.session.depth = Height::try_from(path.disconnect.len()).unwrap_or(Height::MAX);
        self.session.told = tip.hash;
        self.session.told_at = self.steady;
        self.ready.forget_up_to(tip.height);
        self.resubmission.release(tip.height);
        let info = Arc::new(self.chain_info());
        let (disconnected, connected) = (Arc::from(path.disconnect), Arc::from(path.connect));
        let took = Duration::ZERO;
        self.actions.push(Action::Publish(NodeEvent::NewTip { info, disconnected, connected, took }));
        Ok(())
    }

    /// Answers those who handed in blocks whose fate is known now.
    pub(super) fn decide(&mut self) {
        let settled = self.next_step().is_none();
        let far_behind = self.is_far_behind() && !self.is_reorganising();
        let told = if far_behind { self.store.tip().hash } else { self.session.told };
        for undecided in std::mem::take(&mut self.undecided) {
            let Undecided { ticket, source, hash, fault } = undecided;
            let invalid = self.tree.get(&hash).is_none_or(|info| info.status == Status::Invalid);
            let result = if let Some(rule) = fault {
                Err(rule.into())
            } else if invalid {
                Err(SubmitBlockError::KnownInvalid(hash))
            } else if self.tree.is_ancestor(&hash, &told) {
                Ok(BlockOutcome::Connected { disconnected: self.session.depth })
            } else if settled && !self.tree.is_ancestor(&hash, &self.store.tip().hash) {
                Ok(BlockOutcome::SideBranch)
            } else {
                self.undecided.push(Undecided { ticket, source, hash, fault: None });
                continue;
            };
            self.reply_block(ticket, source, result);
        }
    }

    /// Coins of earlier blocks that a block spends, but those that the pool's transactions spend, which were read lately.
    fn coins_to_fetch(&self, block: &CheckedBlock) -> Vec<OutPoint> {
        let own: HashSet<TxId> = block.metas().iter().map(|meta| meta.txid).collect();
        let transactions = block.block().transactions.iter().zip(block.metas());
        let inputs = transactions.flat_map(|(transaction, meta)| match transaction {
            Transaction::Coin(tx) if !self.mempool.contains(&meta.txid) => tx.inputs.as_slice(),
            _ => &[],
        });
        inputs.filter(|input| !own.contains(&input.txid)).copied().collect()
    }
}
