//! Templates on the tip, each executed once for all miners of a payout.

use chain_core::{
    Address,
    block::Block,
    error::ExecuteError,
    execute::EDITOR,
    hash::BlockHash,
    state::StateView,
    transaction::{Transaction, coin::Lock},
    units::Gas,
    work::pow,
};
use std::collections::VecDeque;

use super::template::{self, Assembly, LongPollId, Tag, Template, TemplateRequest};
use crate::{
    engine::{BlockPlan, BlockTime, Chain, Content, NodeEvent, Outbox, TemplateError, Time},
    mempool::Mempool,
    metrics::{Stage, timed},
};

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

/// What is known of the last templates, and whether a better one could be made.
#[derive(Debug, Default)]
pub(super) struct Templates {
    tag: Tag,
    version: u64,
    /// The pool took something since.
    improved: bool,
    announced: Time,
    /// Executed templates, newest last.
    bases: VecDeque<Base>,
    /// The last one that was cut to a full tree.
    full: Option<Full>,
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

/// A template with the first transactions of another one, as many as make a full merkle tree.
#[derive(Debug)]
struct Full {
    payout: Lock,
    beneficiary: Address,
    /// Parent, time and merkle branch of the other one. The branch commits to its transactions.
    of: (BlockHash, u32, Vec<[u8; 32]>),
    template: Template,
}

impl Base {
    /// It may be served at this time, though the pool has changed.
    fn is_good_enough(&self, now: Time) -> bool {
        !self.outdated || (self.template.gas_used > CHEAP && now.since(self.built) < SHARED)
    }
}

impl Templates {
    /// Nothing was made yet; the tag goes into each coinbase.
    pub(super) fn new(tag: Tag) -> Self {
        Self { tag, ..Self::default() }
    }

    /// The pool changed.
    pub(super) fn pool_changed(&mut self, grew: bool) {
        for base in &mut self.bases {
            base.outdated = true;
        }
        self.improved |= grew;
    }

    /// There is a new tip.
    pub(super) fn outdate(&mut self) {
        self.bases.clear();
        self.full = None;
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

    /// Names what a template would be made from now.
    pub(super) fn longpoll_id(&self, chain: &Chain) -> LongPollId {
        LongPollId { parent: chain.store().tip().hash, version: self.version }
    }

    /// Announces that a template with more fees can be made, not too often.
    pub(super) fn refresh(&mut self, out: &mut Outbox) {
        if self.improved && out.steady() >= self.announced.after(REFRESH) {
            self.improved = false;
            self.announced = out.steady();
            self.version += 1;
            out.publish(NodeEvent::TemplateStale);
        }
    }

    /// The best block to mine now.
    pub(super) fn best(
        &mut self,
        request: &TemplateRequest,
        pool: &mut Mempool,
        chain: &Chain,
        now: Time,
    ) -> Result<Template, TemplateError> {
        let extra = self.extra(request);
        let time = template_time(chain, now)?;
        if let Some(base) = self.base_of(request, time, chain, now) {
            return Ok(base.template.with_extra(extra)?);
        }
        let template = timed(Stage::Template, || self.build(request, time, pool, chain))?;
        let TemplateRequest { payout, beneficiary, .. } = *request;
        let base = Base { payout, beneficiary, template: template.clone(), built: now, outdated: false };
        self.keep(base);
        Ok(template)
    }

    /// The best block whose merkle tree is full. A miner that builds Bitcoin's tree gets the same root then: with an odd
    /// number of nodes Bitcoin duplicates the last, and this chain does not.
    pub(super) fn best_full(
        &mut self,
        request: &TemplateRequest,
        pool: &mut Mempool,
        chain: &Chain,
        now: Time,
    ) -> Result<Template, TemplateError> {
        let best = self.best(request, pool, chain, now)?;
        let Some(levels) = best.block.transactions.len().checked_ilog2() else { return Ok(best) };
        let count = 1 << levels;
        if count == best.block.transactions.len() {
            return Ok(best);
        }
        let header = best.block.header;
        let of = (header.prev, header.time, best.merkle_branch);
        let TemplateRequest { payout, beneficiary, .. } = *request;
        let extra = self.extra(request);
        let kept = self.full.as_ref().filter(|full| (full.payout, full.beneficiary) == (payout, beneficiary));
        if let Some(full) = kept.filter(|full| full.of == of) {
            // Else a long poll with the id of then would return at once, again and again.
            return Ok(Template { longpoll: best.longpoll, ..full.template.with_extra(extra)? });
        }
        let view = chain.store().view();
        let assembly = self.assembly(header.time, chain, &view)?;
        // What comes before a transaction suffices for it, so that the first ones of a valid block are valid.
        let transactions = &best.block.transactions[1..count];
        let template = template::build_of(&assembly, transactions, &TemplateRequest { extra, ..*request })?;
        self.full = Some(Full { payout, beneficiary, of, template: template.clone() });
        Ok(template)
    }

    /// An executed template that is good enough for a request at this time. The clock may have been set back since.
    fn base_of(&self, request: &TemplateRequest, time: u32, chain: &Chain, now: Time) -> Option<&Base> {
        let longpoll = self.longpoll_id(chain);
        let fits = |base: &&Base| {
            (base.payout, base.beneficiary) == (request.payout, request.beneficiary)
                && base.template.longpoll == longpoll
                && base.template.block.header.time.abs_diff(time) <= 1
                && base.is_good_enough(now)
        };
        self.bases.iter().find(fits)
    }

    fn build(
        &self,
        request: &TemplateRequest,
        time: u32,
        pool: &mut Mempool,
        chain: &Chain,
    ) -> Result<Template, TemplateError> {
        let view = chain.store().view();
        let assembly = self.assembly(time, chain, &view)?;
        let request = TemplateRequest { extra: self.extra(request), ..*request };
        let (template, invalid) = template::build(&assembly, pool, &request)?;
        pool.drop_invalid(&invalid);
        Ok(template)
    }

    fn assembly<'a>(
        &self,
        time: u32,
        chain: &'a Chain,
        view: &'a dyn StateView,
    ) -> Result<Assembly<'a>, TemplateError> {
        let (bits, longpoll) = (chain.next_bits(), self.longpoll_id(chain));
        Ok(Assembly { spec: chain.spec(), context: chain.context_on_tip(time, bits)?, view, bits, longpoll })
    }

    /// A solved block, for chains of trivial difficulty.
    pub(super) fn solve(
        &self,
        plan: BlockPlan,
        pool: &mut Mempool,
        chain: &Chain,
        now: Time,
    ) -> Result<Block, TemplateError> {
        let view = chain.store().view();
        let mut assembly = self.assembly(block_time(plan.time, chain, now)?, chain, &view)?;
        // DEV-4
        assembly.context.base_fee = plan.base_fee.unwrap_or(assembly.context.base_fee);
        let request = TemplateRequest { extra: self.extra(&plan.request), ..plan.request };
        let template = match plan.content {
            Content::Pool => {
                let (template, invalid) = template::build(&assembly, pool, &request)?;
                pool.drop_invalid(&invalid);
                template
            }
            Content::These(transactions) => template::build_of(&assembly, &transactions, &request)?,
            Content::Edits(edits) => {
                let editor = view.account(&EDITOR).map_err(ExecuteError::from)?.unwrap_or_default();
                let edit = chain.spec().edit(editor.nonce, &edits)?;
                template::build_of(&assembly, &[Transaction::Account(edit)], &request)?
            }
        };
        let Template { mut block, target, .. } = template;
        while pow::check_pow(&block.hash(), block.header.bits, target).is_err() {
            if block.header.nonce >= TRIVIAL {
                return Err(TemplateError::TooHard);
            }
            block.header.nonce += 1;
        }
        Ok(block)
    }
}

/// The time of a block on demand.
fn block_time(time: BlockTime, chain: &Chain, now: Time) -> Result<u32, TemplateError> {
    let parent = chain.tree().get(&chain.store().tip().hash).map_or(0, |info| info.header.time);
    let got = match time {
        BlockTime::NotBefore(least) => return Ok(template_time(chain, now)?.max(least)),
        BlockTime::Parents => return Ok(parent),
        BlockTime::AfterParent(time) => time.max(parent.checked_add(1).ok_or(TemplateError::EndOfTime)?),
        BlockTime::Exactly(time) => time,
        BlockTime::After(seconds) => parent.checked_add(seconds).ok_or(TemplateError::EndOfTime)?,
    };
    // HDR-4, HDR-5
    let most = now.stamp().saturating_add(chain.spec().max_future);
    if (parent..=most).contains(&got) { Ok(got) } else { Err(TemplateError::Time { got, least: parent, most }) }
}

/// The time of a block that is begun now.
pub(super) fn template_time(chain: &Chain, now: Time) -> Result<u32, TemplateError> {
    let parent = chain.tree().get(&chain.store().tip().hash).map_or(0, |info| info.header.time);
    // HDR-5: on a tip beyond the clock no block is accepted before the clock has caught up.
    let (ahead, most) = (u64::from(parent).saturating_sub(now.seconds()), u64::from(chain.spec().max_future));
    if ahead > most {
        return Err(TemplateError::ClockBehind { ahead, wait: ahead - most });
    }
    // HDR-4
    Ok(parent.max(now.stamp()))
}
