//! The engine: chain, orphans and mempool as one synchronous state machine, and the thread that drives it.
//!
//! [`Engine::handle`] takes an event and the time and answers with actions; it knows no clock, thread or socket, so that
//! a simulator drives the very same code. [`EngineHandle`] is what the rest of the node talks to.

mod blocks;
mod connect;
mod error;
mod event;
mod handle;
mod held;
mod inbox;
mod link;
mod open;
mod peer;
mod queries;
mod ready;
mod relay;
mod templates;
#[cfg(test)]
pub(crate) mod tests;
mod thread;
mod transactions;

pub use crate::mempool::{RemovalReason, SubmitError};
pub use error::{OpenError, SubmitBlockError, TemplateError};
pub use event::{
    Action, BlockOutcome, ChainInfo, ChainTip, Event, NodeEvent, Now, PeerId, Reply, Source, SyncProgress, Ticket,
    Time, TipStatus,
};
pub use handle::{EngineHandle, HeaderInfo, Stopped, TestedTransaction};
pub use link::{PeerLink, Refused, WAITING};
pub use open::EngineConfig;
pub use peer::{Failure, GossipId, InboundId, Payer, PeerAction, PeerEvent, RequestId, Side, Verdict};
pub use relay::{BAN, Offence, PeerUsage, PeerWork, RelayConfig};

use chain_core::{error::RuleError, hash::BlockHash, headers::HeaderTree, spec::ChainSpec};

use std::sync::Arc;

use self::{
    connect::Session, error::Fatal, held::Held, ready::Ready, relay::Relay, templates::TemplateState,
    transactions::Resubmission,
};
use crate::{mempool::Mempool, store::Store, verify::Verifier};

/// The chain, the mempool and what is held back, driven by events.
pub struct Engine {
    spec: Arc<ChainSpec>,
    genesis: BlockHash,
    store: Store,
    tree: HeaderTree,
    verifier: Verifier,
    mempool: Mempool,
    held: Held,
    ready: Ready,
    relay: Relay,
    templates: TemplateState,
    resubmission: Resubmission,
    /// The way that the active chain is taking now.
    session: Session,
    /// Blocks handed in whose fate is not decided yet.
    undecided: Vec<Undecided>,
    actions: Vec<Action>,
    /// The wall clock, for the times of blocks alone: it may be set either way.
    now: Time,
    /// A clock that nobody sets, for deadlines and budgets.
    steady: Time,
    stopped: bool,
}

/// A block handed in that is stored but neither connected nor found invalid nor left on a side branch yet.
struct Undecided {
    ticket: Ticket,
    source: Source,
    hash: BlockHash,
    fault: Option<RuleError>,
}

impl Engine {
    /// Handles an event at a time and answers with what it wants done, in order.
    pub fn handle(&mut self, event: Event, now: impl Into<Now>) -> Vec<Action> {
        self.set_time(now);
        if self.stopped {
            self.refuse(event);
        } else if let Err(Fatal(message)) = self.dispatch(event) {
            self.stop_on_failure(message);
        }
        std::mem::take(&mut self.actions)
    }

    /// Tells the time to questions that depend on it. The wall clock may jump either way; the steady one does not go back.
    pub fn set_time(&mut self, now: impl Into<Now>) {
        let Now { wall, steady } = now.into();
        self.now = wall;
        self.steady = self.steady.max(steady);
    }

    /// The clocks as they were last told.
    fn clocks(&self) -> Now {
        Now { wall: self.now, steady: self.steady }
    }

    fn dispatch(&mut self, event: Event) -> Result<(), Fatal> {
        let idle = matches!(event, Event::Continue);
        // What a peer sends is passed on before it is executed.
        let executes = !matches!(event, Event::Peer(..));
        match event {
            Event::Transactions(batch) => self.on_transactions(batch)?,
            Event::Block(ticket, source, block) => self.on_block(ticket, source, block)?,
            Event::Headers(source, headers) => self.on_headers(source, &headers)?,
            Event::Peer(peer, event) => self.on_peer(peer, event)?,
            Event::Tick => self.on_tick()?,
            Event::Continue => {}
            Event::Shutdown => {
                self.store.flush()?;
                self.stopped = true;
                return Ok(());
            }
        }
        if executes {
            self.advance()?;
        }
        self.tell(idle)?;
        self.decide();
        // Whoever listens hears of a tip before he hears what it did to the pool.
        if self.is_told() {
            self.retry_orphans()?;
            self.resubmit()?;
            self.report_pool();
        }
        self.relay_on()?;
        let announced = self.actions.iter().any(|action| matches!(action, Action::Continue));
        if !announced && self.next_step().is_some() {
            self.actions.push(Action::Continue);
        }
        Ok(())
    }

    /// Retries what was held back and lets the pool age.
    fn on_tick(&mut self) -> Result<(), Fatal> {
        self.mempool.tick(self.now.stamp());
        self.refresh_templates();
        self.retry_future_blocks()?;
        self.tick_relay()
    }

    /// After a failure of storage nothing can be decided any more, and nobody is to blame.
    fn stop_on_failure(&mut self, message: String) {
        self.stopped = true;
        for undecided in std::mem::take(&mut self.undecided) {
            let error = SubmitBlockError::Local(message.clone());
            self.actions.push(Action::Reply(undecided.ticket, Reply::Block(Err(error))));
        }
        self.actions.push(Action::Fatal(message));
    }

    fn refuse(&mut self, event: Event) {
        match event {
            Event::Transactions(batch) => {
                let refusal = || Reply::Transaction(Err(SubmitError::Stopped));
                self.actions.extend(batch.into_iter().map(|(ticket, ..)| Action::Reply(ticket, refusal())));
            }
            Event::Block(ticket, ..) => {
                self.actions.push(Action::Reply(ticket, Reply::Block(Err(SubmitBlockError::Stopped))));
            }
            Event::Headers(..) | Event::Peer(..) | Event::Tick | Event::Continue | Event::Shutdown => {}
        }
    }

    fn reply_block(&mut self, ticket: Ticket, source: Source, result: Result<BlockOutcome, SubmitBlockError>) {
        if let Err(SubmitBlockError::Rule(rule)) = &result {
            self.blame(source, rule);
        }
        self.actions.push(Action::Reply(ticket, Reply::Block(result)));
    }

    /// Tells the network who handed in what no honest node sends.
    fn blame(&mut self, source: Source, rule: &RuleError) {
        if let Source::Peer(peer) = source {
            self.penalize(peer, Offence::InvalidBlock(rule.clone()));
        }
    }
}
