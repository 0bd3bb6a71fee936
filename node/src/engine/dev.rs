//! Blocks on demand: on the tip, on any other block, and back. For chains of trivial difficulty.

use chain_core::{
    hash::{BlockHash, TxId},
    units::Height,
};

use super::{Action, BlockOutcome, BlockPlan, Engine, Event, Fatal, Now, OWN, Reply, SubmitBlockError, TemplateError};

/// Blocks on demand, or why there are none, and what the engine wants done.
pub type Mined<T> = (Result<T, TemplateError>, Vec<Action>);

impl Engine {
    /// Mines a block on the tip.
    pub fn mine_block(&mut self, plan: BlockPlan) -> Mined<BlockHash> {
        let now = self.out.now();
        let block = match self.pool.solve(plan, &self.chain, now.wall) {
            Ok(block) => block,
            Err(error) => return (Err(error), Vec::new()),
        };
        let hash = block.hash();
        let mut actions = self.handle(Event::Block(OWN, block), now);
        let own = |action: &Action| matches!(action, Action::Reply(OWN, _));
        while !actions.iter().any(own) && self.continue_with(&mut actions, now) {}
        let reply = actions.iter().position(own).map(|at| actions.remove(at));
        let result = match reply {
            Some(Action::Reply(_, Reply::Block(Ok(BlockOutcome::Connected { .. })))) => Ok(hash),
            Some(Action::Reply(_, Reply::Block(Err(SubmitBlockError::Rule(rule))))) => Err(rule.into()),
            Some(Action::Reply(_, Reply::Block(Err(SubmitBlockError::Stopped)))) | None => Err(TemplateError::Stopped),
            Some(other) => Err(TemplateError::Local(format!("the block was not connected: {other:?}"))),
        };
        (result, actions)
    }

    /// Mines blocks on any block, one on top of the other. Then the chain is that with the most work, as usual: subscribers hear
    /// of one reorganisation, or of none if the branch is too short.
    pub fn mine_branch(&mut self, fork: BlockHash, plans: Vec<BlockPlan>) -> Mined<Vec<BlockHash>> {
        self.leave_the_best(|engine| engine.branch(fork, plans))
    }

    /// Disconnects the blocks above one of the active chain, and never follows them again. Their transactions are gone.
    pub fn rewind(&mut self, to: BlockHash) -> Mined<()> {
        self.leave_the_best(|engine| {
            if !engine.chain.tree().is_ancestor(&to, &engine.store().tip().hash) {
                return Ok(Err(TemplateError::UnknownBlock(to)));
            }
            engine.chain.condemn_all_but(to)?;
            engine.pool.set_next_base_fee(None, &engine.chain);
            engine.walk()?;
            engine.pool.forget_returned();
            Ok(Ok(()))
        })
    }

    /// The next block on demand will set this base fee (DEV-4): the pool takes and ranks by it.
    pub fn set_next_base_fee(&mut self, base_fee: u64) -> ((), Vec<Action>) {
        self.pool.set_next_base_fee(Some(base_fee), &self.chain);
        ((), self.handle(Event::Continue, self.out.now()))
    }

    /// Drops transactions of the pool; returns how many.
    pub fn drop_transactions(&mut self, which: &[TxId]) -> (usize, Vec<Action>) {
        let before = self.mempool().stats().transactions;
        self.pool.drop_transactions(which);
        let dropped = before - self.mempool().stats().transactions;
        (dropped, self.handle(Event::Continue, self.out.now()))
    }

    /// Does what moves the tip without announcing it, and then follows the best branch again.
    fn leave_the_best<T>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<Result<T, TemplateError>, Fatal>,
    ) -> Mined<T> {
        if self.stopped {
            return (Err(TemplateError::Stopped), Vec::new());
        }
        let now = self.out.now();
        let result = match act(self) {
            Ok(result) => result,
            Err(Fatal(message)) => {
                self.fail(message.clone());
                Err(TemplateError::Local(message))
            }
        };
        self.chain.pin(None);
        let mut actions = self.out.take();
        if !self.stopped {
            actions.extend(self.handle(Event::Continue, now));
            while self.continue_with(&mut actions, now) {}
        }
        actions.retain(|action| !matches!(action, Action::Reply(OWN, _)));
        (result, actions)
    }

    fn branch(
        &mut self,
        fork: BlockHash,
        plans: Vec<BlockPlan>,
    ) -> Result<Result<Vec<BlockHash>, TemplateError>, Fatal> {
        if !self.chain.is_executed(&fork) {
            if !plans.is_empty() {
                // They took what was said of the next block.
                self.pool.set_next_base_fee(None, &self.chain);
            }
            return Ok(Err(TemplateError::UnknownBlock(fork)));
        }
        self.chain.pin(Some(fork));
        self.walk()?;
        let (mut hashes, now) = (Vec::with_capacity(plans.len()), self.out.wall());
        for plan in plans {
            let block = match self.pool.solve(plan, &self.chain, now) {
                Ok(block) => block,
                Err(error) => return Ok(Err(error)),
            };
            let hash = block.hash();
            let stored = self.chain.submit(OWN, block, &mut self.out)?;
            self.relay.on_stored(stored, &mut self.chain, &mut self.out);
            self.chain.pin(Some(hash));
            self.walk()?;
            if self.store().tip().hash != hash {
                return Ok(Err(TemplateError::Local(format!("the block {hash} was not connected"))));
            }
            hashes.push(hash);
        }
        Ok(Ok(hashes))
    }

    /// Goes all the way to where the chain wants to be, without announcing anything.
    fn walk(&mut self) -> Result<(), Fatal> {
        while self.chain.next_step().is_some() {
            self.advance()?;
        }
        Ok(())
    }

    /// Goes on if that was asked for; whether it was.
    fn continue_with(&mut self, actions: &mut Vec<Action>, now: Now) -> bool {
        let before = actions.len();
        actions.retain(|action| !matches!(action, Action::Continue));
        let more = actions.len() < before;
        if more {
            actions.extend(self.handle(Event::Continue, now));
        }
        more
    }

    /// The block at so many below the tip.
    pub fn below_tip(&self, depth: Height) -> Option<BlockHash> {
        let tip = self.store().tip();
        self.chain.tree().ancestor(&tip.hash, tip.height.checked_sub(depth)?)
    }
}
