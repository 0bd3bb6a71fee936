//! The pool on the chain: what is submitted, what comes back after a reorganisation, and the templates made of it.
//!
//! [`Mempool`] ranks and bounds; here transactions are verified on their way in, and blocks change it.

mod resubmission;
mod submit;
pub mod template;
mod templates;

use chain_core::{block::Block, execute::ExecutedBlock, hash::TxId, units::Height};
use std::sync::Arc;

use self::{
    resubmission::{Resubmission, may_pass},
    template::{LongPollId, Tag, Template, TemplateRequest},
    templates::Templates,
};
use super::{BlockPlan, Chain, Content, Fatal, NodeEvent, Outbox, TemplateError, Time};
use crate::{
    mempool::{Change, Mempool, MempoolConfig},
    store::Disconnected,
};

/// The mempool, and what is made of it.
pub(super) struct Pool {
    mempool: Mempool,
    resubmission: Resubmission,
    templates: Templates,
    /// What the next block on demand will set (DEV-4).
    next_base_fee: Option<u64>,
    /// There was a new tip, and [`NodeEvent::Resubmitted`] was not published since.
    released: bool,
}

impl Pool {
    /// An empty pool; the tag goes into each coinbase.
    pub(super) fn new(config: MempoolConfig, base_fee: u64, tag: Tag) -> Self {
        // Decoded, a transaction takes about three times its encoding.
        let returned_bytes = config.max_bytes / 3;
        Self {
            mempool: Mempool::new(config, base_fee),
            resubmission: Resubmission::new(returned_bytes),
            templates: Templates::new(tag),
            next_base_fee: None,
            released: false,
        }
    }

    pub(super) fn mempool(&self) -> &Mempool {
        &self.mempool
    }

    /// Base fee of the next block that takes transactions of the pool.
    pub(super) fn base_fee(&self, chain: &Chain) -> u64 {
        self.next_base_fee.unwrap_or_else(|| chain.next_base_fee())
    }

    /// The next block on demand will set this base fee, or none.
    pub(super) fn set_next_base_fee(&mut self, base_fee: Option<u64>, chain: &Chain) {
        self.next_base_fee = base_fee;
        self.mempool.set_base_fee(self.base_fee(chain));
    }

    /// Time passed.
    pub(super) fn tick(&mut self, out: &mut Outbox) {
        self.mempool.tick(out.steady().stamp());
        self.templates.refresh(out);
    }

    /// A block was connected.
    pub(super) fn block_connected(&mut self, executed: &ExecutedBlock, chain: &Chain) {
        self.mempool.block_connected(self.base_fee(chain), executed.block(), &executed.effects().accounts);
    }

    /// A block was disconnected: its transactions may be mined again.
    pub(super) fn block_disconnected(&mut self, disconnected: Disconnected) {
        let dropped = self.mempool.block_disconnected(&disconnected.names, &disconnected.accounts);
        self.resubmission.add_block(disconnected.block, dropped);
    }

    /// Blocks were disconnected, and perhaps others connected.
    pub(super) fn reorganised(&mut self, chain: &Chain) {
        let dropped = self.mempool.reorganised(chain.store().tip().height + 1, self.base_fee(chain));
        self.resubmission.add_dropped(dropped);
    }

    /// Whether blocks were disconnected whose transactions were not submitted again yet.
    pub(super) fn has_returned(&self) -> bool {
        self.resubmission.is_fresh()
    }

    /// There is a tip to be announced: lets go what blocks gave back, to be submitted again.
    pub(super) fn release(&mut self, tip: Height) {
        self.resubmission.release(tip);
        self.released = true;
    }

    /// There is a new tip: templates on the former one are outdated.
    pub(super) fn outdate_templates(&mut self) {
        self.templates.outdate();
    }

    /// Names what a template would be made from now.
    pub(super) fn longpoll_id(&self, chain: &Chain) -> LongPollId {
        self.templates.longpoll_id(chain)
    }

    /// The best block to mine now. Blocks that are searched for do not have the base fee that was set for the next block on demand:
    /// the pool is ranked, and what cannot pay is left out, by the chain's own.
    pub(super) fn template(
        &mut self,
        request: &TemplateRequest,
        chain: &Chain,
        now: Time,
    ) -> Result<Template, TemplateError> {
        if self.next_base_fee.is_some() {
            self.mempool.set_base_fee(chain.next_base_fee());
        }
        let template = match request.full {
            true => self.templates.best_full(request, &mut self.mempool, chain, now),
            false => self.templates.best(request, &mut self.mempool, chain, now),
        };
        if self.next_base_fee.is_some() {
            self.mempool.set_base_fee(self.base_fee(chain));
        }
        template
    }

    /// A solved block, for chains of trivial difficulty.
    pub(super) fn solve(&mut self, plan: BlockPlan, chain: &Chain, now: Time) -> Result<Block, TemplateError> {
        // An edit takes nothing from the pool, and what was said of the next block stays true.
        if !matches!(plan.content, Content::Edits(_)) {
            self.next_base_fee = None;
            // The pool ranks by what is left above the base fee.
            self.mempool.set_base_fee(plan.base_fee.unwrap_or_else(|| chain.next_base_fee()));
        }
        let block = self.templates.solve(plan, &mut self.mempool, chain, now);
        if block.is_err() {
            self.mempool.set_base_fee(self.base_fee(chain));
        }
        block
    }

    /// Drops what disconnected blocks brought back.
    pub(super) fn forget_returned(&mut self) {
        self.resubmission.forget();
    }

    /// Drops transactions.
    pub(super) fn drop_transactions(&mut self, which: &[TxId]) {
        self.mempool.drop_invalid(which);
    }

    /// Submits the next transactions of disconnected blocks again; returns those that are in the pool now.
    pub(super) fn resubmit(&mut self, chain: &mut Chain, out: &mut Outbox) -> Result<Vec<TxId>, Fatal> {
        let batch = self.resubmission.next();
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let transactions = batch.iter().map(|returned| Arc::clone(&returned.transaction)).collect();
        let results = self.submit(transactions, chain, out.now())?;
        let tip = chain.store().tip().height;
        let mut taken = Vec::new();
        for (returned, result) in batch.into_iter().zip(results) {
            match result {
                Ok(txid) => taken.push(txid),
                Err(error) if may_pass(&error) => self.resubmission.retry(returned, tip),
                Err(_) => {}
            }
        }
        if self.resubmission.has_more() {
            out.go_on();
        }
        Ok(taken)
    }

    /// Publishes what changed in the pool, and hands each transaction that peers should hear of to `announce`.
    pub(super) fn report(&mut self, out: &mut Outbox, mut announce: impl FnMut(TxId)) {
        for change in self.mempool.take_changes() {
            let event = match change {
                Change::Added(txid) => NodeEvent::TransactionAdded(txid),
                Change::Removed(txid, reason) => NodeEvent::TransactionRemoved(txid, reason),
                Change::Ready(txid) => {
                    announce(txid);
                    out.publish(NodeEvent::TransactionReady(txid));
                    continue;
                }
            };
            // An account transaction is announced when its nonce is the next: behind a gap it may never be mined, and would
            // cost the whole network's bytes for nothing.
            if let Change::Added(txid) = change
                && self.mempool.sender(&txid).is_none()
            {
                announce(txid);
            }
            self.templates.pool_changed(matches!(change, Change::Added(_)));
            out.publish(event);
        }
        if self.released && !self.resubmission.has_more() {
            self.released = false;
            out.publish(NodeEvent::Resubmitted);
        }
    }
}

#[cfg(test)]
impl Pool {
    /// Transactions of disconnected blocks that wait for the next block.
    pub(super) fn waiting(&self) -> usize {
        self.resubmission.waiting()
    }
}
