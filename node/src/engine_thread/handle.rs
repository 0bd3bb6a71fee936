//! The engine's thread, and the handle by which others ask it.

use chain_core::{
    block::Block,
    hash::{BlockHash, TxId},
    spec::ChainSpec,
    transaction::Transaction,
    units::Height,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{
    link::{PeerLink, PeerMessage},
    thread::{self, Act, Driver, DriverState, Message},
};
use crate::{
    engine::{
        AcceptError, Action, BlockOutcome, BlockPlan, ChainInfo, Engine, EngineConfig, LongPollId, NodeEvent,
        OpenError, PeerAction, PeerId, RelayConfig, Stopped, SubmitBlockError, SubmitError, Template, TemplateError,
        TemplateRequest, TestedTransaction, VerifyConfig, tag,
    },
    finality::MemberKey,
    mempool::{FeeEstimate, MempoolConfig, MempoolStats},
    store::Store,
};

/// Messages that may wait for the engine; a sender of more waits.
const QUEUE: usize = 4_096;

/// Events that a subscriber may fall behind.
const EVENTS: usize = 4_096;

/// The engine, asked from other threads. Cheap to clone. Methods that are `async` wait for a bounded queue and then for
/// the engine; dropping their future takes nothing back. The engine stops when the last handle is dropped.
#[derive(Clone)]
pub struct EngineHandle {
    messages: mpsc::Sender<Message>,
    /// Bounded by each peer's permits.
    peers: mpsc::UnboundedSender<PeerMessage>,
    info: watch::Receiver<ChainInfo>,
    longpoll: watch::Receiver<LongPollId>,
    // Weak, so that subscribers learn of the engine's end.
    events: broadcast::WeakSender<NodeEvent>,
    failure: watch::Receiver<Option<String>>,
    ended: Arc<AtomicBool>,
}

impl EngineHandle {
    /// Starts the engine on a thread of its own. Loads the headers and returns; stored bodies above the store's tip are
    /// then replayed (`syncing`, [`NodeEvent::Progress`]) while queries are answered.
    ///
    /// # Errors
    /// [`OpenError`] if the store cannot be read or its headers are no tree.
    pub fn start(store: Store, spec: ChainSpec, mempool: MempoolConfig) -> Result<Self, OpenError> {
        Self::start_member(store, spec, mempool, None)
    }

    /// As [`EngineHandle::start`], with the key with which this node votes on a chain with finality.
    ///
    /// # Errors
    /// As [`EngineHandle::start`].
    pub fn start_member(
        store: Store,
        spec: ChainSpec,
        mempool: MempoolConfig,
        member: Option<MemberKey>,
    ) -> Result<Self, OpenError> {
        let verify = VerifyConfig { secret: thread::secret(), ..VerifyConfig::default() };
        let relay = RelayConfig { seed: thread::seed(), ..RelayConfig::default() };
        let tag = tag(thread::seed());
        let engine = Engine::open(store, spec, EngineConfig { mempool, verify, relay, member, tag })?;
        let (messages, received) = mpsc::channel(QUEUE);
        let (peers, from_peers) = mpsc::unbounded_channel();
        let (info_sender, info) = watch::channel(engine.chain_info());
        let (longpoll_sender, longpoll) = watch::channel(engine.longpoll_id());
        let (events, _) = broadcast::channel(EVENTS);
        let (failure_sender, failure) = watch::channel(None);
        let ended = Arc::new(AtomicBool::new(false));
        let weak = events.downgrade();
        let driver = Driver {
            engine,
            messages: received,
            from_peers,
            network: None,
            info: info_sender,
            longpoll: longpoll_sender,
            events,
            failure: failure_sender,
            ended: ended.clone(),
            state: DriverState::default(),
        };
        let runtime = thread::runtime().map_err(OpenError::Thread)?;
        let builder = std::thread::Builder::new().name("engine".into());
        builder.spawn(move || driver.run(&runtime)).map_err(OpenError::Thread)?;
        Ok(Self { messages, peers, info, longpoll, events: weak, failure, ended })
    }

    /// Waits until the engine has stopped by itself, since its storage failed; returns why. Never ends otherwise.
    pub async fn failed(&self) -> String {
        let mut failure = self.failure.clone();
        match failure.wait_for(Option::is_some).await {
            Ok(message) => message.clone().unwrap_or_default(),
            Err(_) if self.ended.load(Ordering::SeqCst) => std::future::pending().await,
            Err(_) => "the engine has ended by a bug; see what was logged before".into(),
        }
    }

    /// Why the engine has stopped by itself, if it has.
    pub fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
    }

    /// The chain now, without waiting for the engine.
    pub fn chain_info(&self) -> ChainInfo {
        self.info.borrow().clone()
    }

    /// The chain from now on, without waiting for the engine.
    pub fn watch(&self) -> watch::Receiver<ChainInfo> {
        self.info.clone()
    }

    /// Messages of this node that wait for the engine.
    pub fn queued(&self) -> usize {
        self.messages.max_capacity() - self.messages.capacity()
    }

    /// Subscribes to events. A subscriber that falls behind loses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<NodeEvent> {
        match self.events.upgrade() {
            Some(events) => events.subscribe(),
            // The engine has ended: a channel that is closed says so.
            None => broadcast::channel(1).1,
        }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        // The caller may have gone.
        let question = Box::new(move |engine: &mut Engine| drop(reply.send(question(engine))));
        self.messages.send(Message::Ask(question)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Reads something between two of the engine's steps.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn query<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.ask(|engine| read(engine)).await
    }

    /// Submits a transaction.
    ///
    /// # Errors
    /// [`SubmitError`] says which rule or limit it misses.
    pub async fn submit_transaction(&self, transaction: Transaction) -> Result<TxId, SubmitError> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Transaction(transaction, reply);
        self.messages.send(message).await.map_err(|_| SubmitError::Stopped)?;
        answer.await.unwrap_or(Err(SubmitError::Stopped))
    }

    /// Tests a transaction as if it was submitted; the pool stays as it is.
    ///
    /// # Errors
    /// [`SubmitError`] says which rule or limit it misses.
    pub async fn test_transaction(&self, transaction: Transaction) -> Result<TestedTransaction, SubmitError> {
        let tested = self.ask(move |engine| engine.test_transaction(transaction)).await;
        tested.unwrap_or(Err(SubmitError::Stopped))
    }

    /// Submits a block.
    ///
    /// # Errors
    /// [`SubmitBlockError`] says which rule it breaks.
    pub async fn submit_block(&self, block: Block) -> Result<BlockOutcome, SubmitBlockError> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Block(block, reply);
        self.messages.send(message).await.map_err(|_| SubmitBlockError::Stopped)?;
        answer.await.unwrap_or(Err(SubmitBlockError::Stopped))
    }

    /// The best block to mine now.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub async fn block_template(&self, request: TemplateRequest) -> Result<Template, TemplateError> {
        let template = self.ask(move |engine| engine.template(&request)).await;
        template.unwrap_or(Err(TemplateError::Stopped))
    }

    /// Waits until a template is worth changing from the one with this long-poll id, at most so long.
    pub async fn better_than(&self, than: LongPollId, at_most: Duration) {
        let mut longpoll = self.longpoll.clone();
        // Too long a wait ends with the template that there is, an engine that stopped with its error.
        let _ = tokio::time::timeout(at_most, longpoll.wait_for(|id| *id != than)).await;
    }

    /// As [`EngineHandle::block_template`], but waits until it is worth changing from the one with this long-poll id, at
    /// most so long.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub async fn next_template(
        &self,
        request: TemplateRequest,
        than: LongPollId,
        at_most: Duration,
    ) -> Result<Template, TemplateError> {
        self.better_than(than, at_most).await;
        self.block_template(request).await
    }

    /// Mines a block on the tip; for chains of trivial difficulty (`--dev`).
    ///
    /// # Errors
    /// [`TemplateError`], also when the difficulty is not trivial.
    pub async fn mine(&self, plan: BlockPlan) -> Result<BlockHash, TemplateError> {
        self.act(|engine| engine.mine_block(plan)).await.unwrap_or(Err(TemplateError::Stopped))
    }

    /// Mines blocks on any block; see [`Engine::mine_branch`].
    ///
    /// # Errors
    /// [`TemplateError`]; the chain is then as before.
    pub async fn mine_branch(&self, fork: BlockHash, plans: Vec<BlockPlan>) -> Result<Vec<BlockHash>, TemplateError> {
        self.act(move |engine| engine.mine_branch(fork, plans)).await.unwrap_or(Err(TemplateError::Stopped))
    }

    /// Takes the chain back to a block for good; see [`Engine::rewind`].
    ///
    /// # Errors
    /// [`TemplateError`].
    pub async fn rewind(&self, to: BlockHash) -> Result<(), TemplateError> {
        self.act(move |engine| engine.rewind(to)).await.unwrap_or(Err(TemplateError::Stopped))
    }

    /// The next block on demand will set this base fee; see [`Engine::set_next_base_fee`].
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn set_next_base_fee(&self, base_fee: u64) -> Result<(), Stopped> {
        self.act(move |engine| engine.set_next_base_fee(base_fee)).await
    }

    /// Drops transactions of the mempool; returns how many were there.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn drop_transactions(&self, which: Vec<TxId>) -> Result<usize, Stopped> {
        self.act(move |engine| engine.drop_transactions(&which)).await
    }

    /// Has the engine move the chain; the reply comes when that was announced.
    async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Engine) -> (T, Vec<Action>) + Send + 'static,
    ) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        let act: Act = Box::new(move |engine| {
            let (result, actions) = act(engine);
            // The caller may have gone.
            (actions, Box::new(move || drop(reply.send(result))))
        });
        self.messages.send(Message::Act(act)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Has a certificate followed that was refused; see [`Engine::accept_certificate`].
    ///
    /// # Errors
    /// [`AcceptError`].
    pub async fn accept_certificate(&self, block: BlockHash) -> Result<Height, AcceptError> {
        self.act(move |engine| engine.accept_certificate(block)).await.unwrap_or(Err(AcceptError::Stopped))
    }

    /// Which of these transactions are in the mempool.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn mempool_holds(&self, txids: Vec<TxId>) -> Result<Vec<bool>, Stopped> {
        self.ask(move |engine| txids.iter().map(|txid| engine.mempool().contains(txid)).collect()).await
    }

    /// Size and limits of the mempool, without waiting for the engine.
    pub fn mempool_stats(&self) -> MempoolStats {
        self.info.borrow().mempool
    }

    /// What a transaction should offer to be mined soon.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn estimate_fee(&self) -> Result<FeeEstimate, Stopped> {
        self.ask(|engine| engine.mempool().estimate(engine.chain().spec().gas_limit)).await
    }

    /// The way of a peer's events to the engine: one for each connection, kept as long as that.
    pub fn peer(&self, peer: PeerId) -> PeerLink {
        PeerLink::new(peer, self.peers.clone())
    }

    /// From now on actions for the network are sent here; before, they are dropped. What waits here is bounded by what may be
    /// open with each peer: a few dozen of our requests, and responses to what [`PeerLink`] let through.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn peer_actions(&self) -> Result<mpsc::UnboundedReceiver<PeerAction>, Stopped> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.messages.send(Message::Network(sender)).await.map_err(|_| Stopped)?;
        Ok(receiver)
    }

    /// Flushes and stops the engine; returns when its thread has ended.
    pub async fn shutdown(&self) {
        // Both fail if the engine has ended already.
        let _ = self.messages.send(Message::Shutdown).await;
        self.messages.closed().await;
    }
}
