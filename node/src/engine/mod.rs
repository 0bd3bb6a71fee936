//! The engine: chain, pool and relay as one synchronous state machine.
//!
//! [`Engine::handle`] takes an event and the time and returns actions. It knows no clock, thread or socket, so that a
//! simulator drives the very same code.

mod chain;
mod dev;
mod error;
pub(crate) mod event;
mod outbox;
mod plan;
mod pool;
mod relay;
#[cfg(test)]
pub(crate) mod tests;
mod verify;

pub use crate::{
    mempool::{RemovalReason, SubmitError},
    offence::{BAN, Offence},
};
pub use chain::Chain;
pub use dev::Mined;
pub use error::{AcceptError, OpenError, Stopped, SubmitBlockError, TemplateError};
pub use event::{
    Action, BlockOutcome, ChainInfo, ChainTip, Event, Failure, FinalityInfo, GossipId, InboundId, NodeEvent, Now,
    Payer, PeerAction, PeerEvent, PeerId, Reply, RequestId, Side, SyncProgress, TestedTransaction, Ticket, Time,
    TipStatus, Verdict,
};
pub use plan::{BlockPlan, BlockTime, Content};
pub use pool::template::{LongPollId, MOST_EXTRA, ParseLongPollIdError, Template, TemplateRequest, tag};
#[cfg(test)]
pub(crate) use relay::compact;
pub use relay::{PeerUsage, PeerWork, RelayConfig};
pub use verify::VerifyConfig;

use chain_core::{hash::BlockHash, spec::ChainSpec, transaction::Transaction, units::Height};
use std::{sync::Arc, time::Duration};

use self::{
    chain::Step,
    pool::{Pool, template::Tag},
    relay::Relay,
    verify::Verifier,
};
use crate::{
    finality::{Finality, MemberKey},
    mempool::{Mempool, MempoolConfig},
    metrics,
    store::Store,
};
pub(crate) use error::Fatal;
pub(crate) use outbox::Outbox;

/// Blocks connected or disconnected in one go: peers, RPC and miners are served between two slices. One full block ends a
/// slice, too.
const SLICE: u32 = 32;

/// The ticket of blocks that are mined on demand.
const OWN: Ticket = Ticket::MAX;

/// How the engine works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineConfig {
    /// What the mempool takes.
    pub mempool: MempoolConfig,
    /// How signatures are verified.
    pub verify: VerifyConfig,
    /// How peers are dealt with.
    pub relay: RelayConfig,
    /// The key with which this node votes, on a chain with finality.
    pub member: Option<MemberKey>,
    /// What tells this process's blocks from those of others with the same payout.
    pub tag: Tag,
}

/// The chain, the pool and the peers, driven by events.
pub struct Engine {
    chain: Chain,
    pool: Pool,
    relay: Relay,
    out: Outbox,
    stopped: bool,
}

impl Engine {
    /// Opens the engine on a store: loads the headers. Stored blocks above the store's tip are connected afterwards, by
    /// [`Event::Continue`].
    ///
    /// # Errors
    /// [`OpenError`] if the store cannot be read or its headers are no tree.
    pub fn open(store: Store, spec: ChainSpec, config: EngineConfig) -> Result<Self, OpenError> {
        let EngineConfig { mempool, verify, relay, member, tag } = config;
        let chain = Chain::open(store, spec, Verifier::new(verify), member)?;
        let pool = Pool::new(mempool, chain.next_base_fee(), tag);
        Ok(Self { chain, pool, relay: Relay::new(relay), out: Outbox::default(), stopped: false })
    }

    /// Handles an event at a time and returns what it wants done, in order.
    pub fn handle(&mut self, event: Event, now: impl Into<Now>) -> Vec<Action> {
        self.set_time(now);
        if self.stopped {
            self.refuse(event);
        } else if let Err(Fatal(message)) = self.dispatch(event) {
            self.fail(message);
        }
        self.out.take()
    }

    /// Storage failed: nothing can be decided any more, and no peer is to blame.
    fn fail(&mut self, message: String) {
        self.stopped = true;
        self.chain.give_up(&message, &mut self.out);
        self.out.push(Action::Fatal(message));
    }

    /// Sets the time for queries that depend on it. The wall clock may jump either way; the steady one does not go back.
    pub fn set_time(&mut self, now: impl Into<Now>) {
        self.out.set_time(now.into());
    }

    fn dispatch(&mut self, event: Event) -> Result<(), Fatal> {
        let idle = matches!(event, Event::Continue);
        // What a peer sends is forwarded before it is executed.
        let executes = !matches!(event, Event::Peer(..));
        match event {
            Event::Transactions(batch) => self.pool.submit_batch(batch, &mut self.chain, &mut self.out)?,
            Event::Block(ticket, block) => {
                let stored = self.chain.submit(ticket, block, &mut self.out)?;
                self.relay.on_stored(stored, &mut self.chain, &mut self.out);
            }
            Event::Peer(peer, event) => {
                self.relay.on_peer(peer, event, &mut self.chain, &mut self.pool, &mut self.out)?;
            }
            Event::Tick => self.on_tick()?,
            Event::Continue => {}
            Event::Shutdown => {
                self.chain.finish()?;
                self.stopped = true;
                return Ok(());
            }
        }
        if executes {
            self.advance()?;
        }
        self.announce_tip(idle)?;
        self.chain.decide(&mut self.out);
        self.chain.vote_and_decide(&self.out)?;
        // Subscribers hear of a tip before they hear what it did to the pool.
        if self.is_told() {
            self.relay.retry_orphans(&mut self.chain, &mut self.pool, &mut self.out)?;
            let returned = self.pool.resubmit(&mut self.chain, &mut self.out)?;
            self.relay.tell_again(&returned);
            self.pool.report(&mut self.out, |txid| self.relay.announce(txid));
        }
        self.relay.act(&mut self.chain, &mut self.pool, &mut self.out)?;
        if !self.out.goes_on() && self.chain.next_step().is_some() {
            self.out.go_on();
        }
        Ok(())
    }

    /// Retries what was held back and lets the pool age.
    fn on_tick(&mut self) -> Result<(), Fatal> {
        self.pool.tick(&mut self.out);
        let stored = self.chain.retry_future_blocks(&mut self.out)?;
        self.relay.on_stored(stored, &mut self.chain, &mut self.out);
        self.relay.tick(&mut self.chain, &self.pool, &mut self.out)?;
        Ok(())
    }

    /// Moves a slice of blocks towards the best valid branch; [`Action::Continue`] asks for the next. Between slices of a
    /// reorganisation the state and the pool are those of the block in between, which is not announced.
    fn advance(&mut self) -> Result<(), Fatal> {
        let (mut gas, mut went_back) = (0_u64, false);
        for _ in 0..SLICE {
            let Some(step) = self.chain.next_step() else { break };
            match step {
                Step::Disconnect => {
                    let (disconnected, spent) = self.chain.disconnect_tip()?;
                    self.relay.block_disconnected(&disconnected.block);
                    self.pool.block_disconnected(disconnected);
                    went_back = true;
                    gas = gas.saturating_add(spent);
                }
                Step::Connect(hash) => {
                    let executed = self.chain.connect(hash, self.pool.mempool(), &mut self.out)?;
                    let Some(executed) = executed else { continue };
                    self.relay.block_connected(&executed, &self.chain, &mut self.out);
                    self.pool.block_connected(&executed, &self.chain);
                    gas = gas.saturating_add(executed.effects().gas_used);
                }
            }
            if gas >= self.chain.spec().gas_limit {
                break;
            }
        }
        if went_back {
            self.pool.reorganised(&self.chain);
        }
        Ok(())
    }

    /// A new tip reaches the disk, then everybody else. Under load that waits until the engine is `idle`, so that one
    /// flush serves many blocks.
    fn announce_tip(&mut self, idle: bool) -> Result<(), Fatal> {
        let (now, tip) = (self.out.steady(), self.chain.store().tip());
        if tip.hash == self.chain.told() {
            // A better branch turned out invalid, and the chain is back.
            let returned = self.pool.has_returned();
            if (returned || self.chain.is_unwritten()) && self.chain.next_step().is_none() {
                if returned {
                    self.pool.release(tip.height);
                }
                self.chain.write()?;
            }
            return Ok(());
        }
        if self.chain.is_reorganising() || self.chain.is_far_behind(now) {
            let fetched = self.chain.fetching().map_or(0, |progress| progress.highest);
            self.out.publish(NodeEvent::Progress(tip.height, fetched.max(tip.height + self.chain.backlog())));
            return Ok(());
        }
        self.pool.outdate_templates();
        if !idle {
            self.out.go_on();
            return Ok(());
        }
        let path = self.chain.settle_tip(now)?;
        self.pool.release(tip.height);
        let (info, took) = (Arc::new(self.chain_info()), Duration::ZERO);
        let (disconnected, connected) = (Arc::from(path.disconnect), Arc::from(path.connect));
        self.out.publish(NodeEvent::NewTip { info, disconnected, connected, took });
        Ok(())
    }

    /// Storage failed before, or the engine was shut down.
    fn refuse(&mut self, event: Event) {
        match event {
            Event::Transactions(batch) => {
                let refusal = || Reply::Transaction(Err(SubmitError::Stopped));
                batch.into_iter().for_each(|(ticket, ..)| self.out.reply(ticket, refusal()));
            }
            Event::Block(ticket, ..) => self.out.reply(ticket, Reply::Block(Err(SubmitBlockError::Stopped))),
            Event::Peer(..) | Event::Tick | Event::Continue | Event::Shutdown => {}
        }
    }

    /// Whether the tip has reached the disk and was announced; while far behind, not each is.
    pub(crate) fn is_told(&self) -> bool {
        self.chain.is_told(self.out.steady())
    }

    /// When [`Event::Tick`] is due at the latest, if it is; a second later it does no harm.
    pub fn wake_at(&self) -> Option<Time> {
        let votes = self.chain.finality().and_then(Finality::wake_at);
        [self.relay.wake_at(self.out.steady()), votes].into_iter().flatten().min()
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> crate::wire::Status {
        self.relay.status(&self.chain, self.out.wall())
    }

    /// How much is kept because of peers.
    pub fn peer_usage(&self) -> PeerUsage {
        self.relay.usage(&self.chain)
    }

    /// The tip of each peer, with its height: what it said last, or better blocks that came from it since.
    pub fn peer_tips(&self) -> impl Iterator<Item = (PeerId, (Height, BlockHash))> {
        self.relay.tips(&self.chain)
    }

    /// What each peer has cost since it connected.
    pub fn peer_work(&self) -> impl Iterator<Item = (PeerId, PeerWork)> {
        self.relay.work()
    }

    /// What a peer has cost since it connected, in units.
    pub(crate) fn peer_units(&self, peer: PeerId) -> u64 {
        self.relay.units(peer)
    }

    /// The active chain now.
    pub fn chain_info(&self) -> ChainInfo {
        self.chain.info(self.pool.mempool().stats(), self.pool.base_fee(&self.chain))
    }

    /// Headers, blocks and state.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The store.
    pub fn store(&self) -> &Store {
        self.chain.store()
    }

    /// The pool.
    pub fn mempool(&self) -> &Mempool {
        self.pool.mempool()
    }

    /// Names what a template would be made from now.
    pub fn longpoll_id(&self) -> LongPollId {
        self.pool.longpoll_id(&self.chain)
    }

    /// The best block to mine now.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn template(&mut self, request: &TemplateRequest) -> Result<Template, TemplateError> {
        if let Some(metrics) = metrics::on() {
            metrics.engine.template();
        }
        self.pool.template(request, &self.chain, self.out.wall())
    }

    /// The operator trusts a certificate that would disconnect more blocks than the chain allows: follows it. Returns its height.
    pub fn accept_certificate(&mut self, block: BlockHash) -> (Result<Height, AcceptError>, Vec<Action>) {
        if self.stopped {
            return (Err(AcceptError::Stopped), Vec::new());
        }
        match self.chain.accept_refused(block, self.out.steady()) {
            Ok(Ok(height)) => (Ok(height), self.handle(Event::Continue, self.out.now())),
            Ok(Err(error)) => (Err(error), Vec::new()),
            Err(Fatal(message)) => {
                self.fail(message.clone());
                (Err(AcceptError::Local(message)), self.out.take())
            }
        }
    }

    /// Judges a transaction as if it was submitted, and keeps nothing.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn test_transaction(&mut self, transaction: Transaction) -> Result<TestedTransaction, SubmitError> {
        self.pool.test(transaction, &mut self.chain, self.out.now())
    }
}
