//! Templates on the tip, and mining on demand.

use chain_core::{block::Block, error::ExecuteError, hash::BlockHash, pow};

use super::{
    Action, BlockOutcome, Engine, Event, NodeEvent, Reply, Source, SubmitBlockError, TemplateError, Ticket, Time,
};
use crate::template::{self, Assembly, LongPollId, Template, TemplateRequest};

/// Milliseconds between two calls to take a template with more fees on the same tip.
const REFRESH: u64 = 2_000;

/// Hashes that mining on demand tries for one block. A chain made for it needs two.
const TRIVIAL: u32 = 1 << 20;

/// Names the submissions of mining on demand, whose answers nobody waits for.
const OWN: Ticket = Ticket::MAX;

/// What is known of the last template, and whether a better one could be made.
#[derive(Debug, Default)]
pub(super) struct TemplateState {
    version: u64,
    /// The pool took something since.
    improved: bool,
    announced: Time,
    /// The last one, until anything changes.
    last: Option<(TemplateRequest, Template)>,
}

impl TemplateState {
    /// The pool changed.
    pub(super) fn pool_changed(&mut self, grew: bool) {
        self.last = None;
        self.improved |= grew;
    }

    /// There is a new tip.
    pub(super) fn outdate(&mut self) {
        self.last = None;
        self.improved = false;
    }
}

impl Engine {
    /// Names what a template would be made from now.
    pub fn longpoll_id(&self) -> LongPollId {
        LongPollId { parent: self.store.tip().hash, version: self.templates.version }
    }

    /// Announces that a template with more fees can be made, not too often.
    pub(super) fn refresh_templates(&mut self) {
        if self.templates.improved && self.steady >= self.templates.announced.after(REFRESH) {
            self.templates.improved = false;
            self.templates.announced = self.steady;
            self.templates.version += 1;
            self.actions.push(Action::Publish(NodeEvent::TemplateStale));
        }
    }

    /// The best block to mine now.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn template(&mut self, request: &TemplateRequest) -> Result<Template, TemplateError> {
        let fresh = |last: &&(TemplateRequest, Template)| {
            last.0 == *request && u64::from(last.1.block.header.time) + 1 >= self.now.seconds()
        };
        if let Some((_, template)) = self.templates.last.as_ref().filter(fresh) {
            return Ok(template.clone());
        }
        let template = self.build_template(request, 0)?;
        self.templates.last = Some((request.clone(), template.clone()));
        Ok(template)
    }

    fn build_template(&mut self, request: &TemplateRequest, least_time: u32) -> Result<Template, TemplateError> {
        let (tip, bits) = (self.store.tip(), self.next_bits());
        let parent = self.tree.get(&tip.hash).map_or(0, |info| info.header.time);
        // HDR-4
        let time = parent.max(self.now.stamp()).max(least_time);
        let assembly = Assembly {
            spec: &self.spec,
            context: self.context_on_tip(time, bits),
            view: &self.store.view(),
            bits,
            longpoll: self.longpoll_id(),
        };
        let (template, invalid) = template::build(&assembly, &self.mempool, request).map_err(|error| match error {
            ExecuteError::Rule(rule) => TemplateError::Rule(rule),
            ExecuteError::View(error) => TemplateError::Local(error.to_string()),
        })?;
        self.mempool.drop_invalid(&invalid);
        Ok(template)
    }

    /// Mines a block at once; for chains of trivial difficulty. `least_time` is the least time of its header. The
    /// actions are those of its submission.
    pub fn mine_block(
        &mut self,
        request: &TemplateRequest,
        least_time: u32,
    ) -> (Result<BlockHash, TemplateError>, Vec<Action>) {
        let block = match self.solve(request, least_time) {
            Ok(block) => block,
            Err(error) => return (Err(error), Vec::new()),
        };
        let hash = block.hash();
        let mut actions = self.handle(Event::Block(OWN, Source::Local, block), self.clocks());
        let own = |action: &Action| matches!(action, Action::Reply(OWN, _));
        let more = |action: &Action| matches!(action, Action::Continue);
        while !actions.iter().any(own) && actions.iter().any(more) {
            actions.retain(|action| !more(action));
            actions.extend(self.handle(Event::Continue, self.clocks()));
        }
        let reply = actions.iter().position(own).map(|at| actions.remove(at));
        let result = match reply {
            Some(Action::Reply(_, Reply::Block(Ok(BlockOutcome::Connected { .. })))) => Ok(hash),
            Some(Action::Reply(_, Reply::Block(Err(SubmitBlockError::Rule(rule))))) => Err(rule.into()),
            Some(Action::Reply(_, Reply::Block(Err(SubmitBlockError::Stopped)))) | None => Err(TemplateError::Stopped),
            Some(other) => Err(TemplateError::Local(format!("the block was not connected: {other:?}"))),
        };
        (result, actions)
    }

    fn solve(&mut self, request: &TemplateRequest, least_time: u32) -> Result<Block, TemplateError> {
        let Template { mut block, target, .. } = self.build_template(request, least_time)?;
        while pow::check_pow(&block.hash(), block.header.bits, target).is_err() {
            if block.header.nonce >= TRIVIAL {
                return Err(TemplateError::TooHard);
            }
            block.header.nonce += 1;
        }
        Ok(block)
    }
}
