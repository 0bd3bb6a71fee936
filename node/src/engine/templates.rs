//! Templates on the tip, and mining on demand.

use chain_core::{
    Address, block::Block, error::ExecuteError, hash::BlockHash, transaction::coin::Lock, units::Gas, work::pow,
};
use std::collections::VecDeque;

use super::{
    Action, BlockOutcome, Engine, Event, NodeEvent, Reply, Source, SubmitBlockError, TemplateError, Ticket, Time,
};
use crate::template::{self, Assembly, LongPollId, Tag, Template, TemplateRequest};

/// Milliseconds between two calls to take a template with more fees on the same tip.
const REFRESH: u64 = 2_000;

/// Milliseconds for which a template is served again though the pool has changed: miners that a long poll wakes together
/// share one execution.
const SHARED: u64 = 500;

/// Gas up to which a template is executed again at once when the pool has changed: some milliseconds. A
/// transaction sent to an idle node is then in the next template, as its sender expects.
const CHEAP: Gas = 1_000_000;

/// Executed templates that are kept, one a payout. A caller that asks for more payouts pays with an execution each.
const BASES: usize = 4;

/// Hashes that mining on demand tries for one block. A chain made for it needs two.
const TRIVIAL: u32 = 1 << 20;

/// Names the submissions of mining on demand, whose answers nobody waits for.
const OWN: Ticket = Ticket::MAX;

/// What is known of the last templates, and whether a better one could be made.
#[derive(Debug, Default)]
pub(super) struct TemplateState {
    tag: Tag,
    version: u64,
    /// The pool took something since.
    improved: bool,
    announced: Time,
    /// Executed templates, newest last.
    bases: VecDeque<Base>,
}

/// A template that was executed; another `extra` makes another of it.
#[derive(Debug)]
struct Base {
    payout: Lock,
    beneficiary: Address,
    template: Template,
    built: Time,
    /// The pool changed since.
    outdated: bool,
}

impl Base {
    /// It may be served at this time, though the pool has changed.
    fn is_good_enough(&self, now: Time) -> bool {
        !self.outdated || (self.template.gas_used > CHEAP && now.since(self.built) < SHARED)
    }
}

impl TemplateState {
    /// Nothing was made yet; the tag goes into each coinbase.
    pub(super) fn new(tag: Tag) -> Self {
        Self { tag, ..Self::default() }
    }

    /// The pool changed.
    pub(super) fn pool_changed(&mut self, grew: bool) {
        self.bases.iter_mut().for_each(|base| base.outdated = true);
        self.improved |= grew;
    }

    /// There is a new tip.
    pub(super) fn outdate(&mut self) {
        self.bases.clear();
        self.improved = false;
    }

    /// The whole `extra` of a request.
    fn extra(&self, request: &TemplateRequest) -> Vec<u8> {
        [self.tag.as_slice(), &request.extra].concat()
    }

    fn keep(&mut self, base: Base) {
        self.bases.retain(|other| (other.payout, other.beneficiary) != (base.payout, base.beneficiary));
        self.bases.push_back(base);
        while self.bases.len() > BASES {
            self.bases.pop_front();
        }
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
        let extra = self.templates.extra(request);
        let time = self.template_time()?;
        if let Some(base) = self.base_of(request, time) {
            return Ok(base.template.with_extra(extra)?);
        }
        let template = self.build_template(request, time)?;
        let TemplateRequest { payout, beneficiary, .. } = *request;
        let base = Base { payout, beneficiary, template: template.clone(), built: self.now, outdated: false };
        self.templates.keep(base);
        Ok(template)
    }

    /// The time of a block that is begun now.
    fn template_time(&self) -> Result<u32, TemplateError> {
        let parent = self.tree.get(&self.store.tip().hash).map_or(0, |info| info.header.time);
        // HDR-5: on a tip beyond the clock no block is accepted before the clock has caught up.
        let (ahead, most) = (u64::from(parent).saturating_sub(self.now.seconds()), u64::from(self.spec.max_future));
        if ahead > most {
            return Err(TemplateError::ClockBehind { ahead, wait: ahead - most });
        }
        // HDR-4
        Ok(parent.max(self.now.stamp()))
    }

    /// An executed template that is good enough for a request at this time. The clock may have been set back since.
    fn base_of(&self, request: &TemplateRequest, time: u32) -> Option<&Base> {
        let longpoll = self.longpoll_id();
        let fits = |base: &&Base| {
            (base.payout, base.beneficiary) == (request.payout, request.beneficiary)
                && base.template.longpoll == longpoll
                && base.template.block.header.time.abs_diff(time) <= 1
                && base.is_good_enough(self.now)
        };
        self.templates.bases.iter().find(fits)
    }

    fn build_template(&mut self, request: &TemplateRequest, time: u32) -> Result<Template, TemplateError> {
        let bits = self.next_bits();
        let assembly = Assembly {
            spec: &self.spec,
            context: self.context_on_tip(time, bits)?,
            view: &self.store.view(),
            bits,
            longpoll: self.longpoll_id(),
        };
        let request = TemplateRequest { extra: self.templates.extra(request), ..*request };
        let (template, invalid) = template::build(&assembly, &self.mempool, &request).map_err(|error| match error {
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
        let time = self.template_time()?.max(least_time);
        let Template { mut block, target, .. } = self.build_template(request, time)?;
        while pow::check_pow(&block.hash(), block.header.bits, target).is_err() {
            if block.header.nonce >= TRIVIAL {
                return Err(TemplateError::TooHard);
            }
            block.header.nonce += 1;
        }
        Ok(block)
    }
}
