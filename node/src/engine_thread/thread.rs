//! The engine's thread: the only place where the engine meets a clock, a queue and other threads.

use chain_core::{block::Block, hash::TxId, transaction::Transaction};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{broadcast, mpsc, oneshot, watch},
    time::timeout,
};

use super::{inbox::Inbox, link::PeerMessage};
use crate::{
    engine::{
        Action, BlockOutcome, ChainInfo, Engine, Event, LongPollId, NodeEvent, Now, PeerAction, Reply,
        SubmitBlockError, SubmitError, Ticket, Time,
    },
    metrics,
};

/// Messages handled in one go. Transactions among them are verified together.
const MOST: usize = 512;

/// Blocks, responses and other news of peers handled in one go, before local callers have a turn again.
const MOST_OF_PEERS: usize = 64;

/// What requests of peers may cost in one go, in units (5 ms): less than a slice of blocks takes while syncing.
const MOST_FOR_QUESTIONS: u64 = 500;

/// Microseconds of a unit.
const UNIT: u128 = 10;

/// How often [`Event::Tick`] comes at least.
const TICK: Duration = Duration::from_secs(1);

/// A query of the engine, which sends its own reply.
pub(super) type Question = Box<dyn FnOnce(&mut Engine) + Send>;

/// Moves the chain; returns what the engine wants done, and what sends the reply after that.
pub(super) type Act = Box<dyn FnOnce(&mut Engine) -> (Vec<Action>, Box<dyn FnOnce()>) + Send>;

/// What other threads send.
pub(super) enum Message {
    Transaction(Transaction, oneshot::Sender<Result<TxId, SubmitError>>),
    Block(Block, oneshot::Sender<Result<BlockOutcome, SubmitBlockError>>),
    /// Move the chain on demand.
    Act(Act),
    Ask(Question),
    /// Tell the network here what it shall do.
    Network(mpsc::UnboundedSender<PeerAction>),
    Shutdown,
}

/// Who waits for a reply.
enum Waiter {
    Transaction(oneshot::Sender<Result<TxId, SubmitError>>),
    Block(oneshot::Sender<Result<BlockOutcome, SubmitBlockError>>),
}

/// The thread's end of all channels.
pub(super) struct Driver {
    pub(super) engine: Engine,
    pub(super) messages: mpsc::Receiver<Message>,
    pub(super) from_peers: mpsc::UnboundedReceiver<PeerMessage>,
    pub(super) network: Option<mpsc::UnboundedSender<PeerAction>>,
    pub(super) info: watch::Sender<ChainInfo>,
    pub(super) longpoll: watch::Sender<LongPollId>,
    pub(super) events: broadcast::Sender<NodeEvent>,
    pub(super) failure: watch::Sender<Option<String>>,
    /// Set once the thread ends as it should.
    pub(super) ended: Arc<AtomicBool>,
    pub(super) state: DriverState,
}

#[derive(Default)]
pub(super) struct DriverState {
    waiters: HashMap<Ticket, Waiter>,
    next_ticket: Ticket,
    inbox: Inbox,
    /// The engine has more to do when nothing else waits.
    more: bool,
    /// Since when there is a tip that was not announced.
    news_since: Option<Instant>,
    stopped: bool,
}

/// The time of both clocks. The steady one starts with what the wall clock shows when it is first asked for.
pub(super) fn now() -> Now {
    static START: OnceLock<(Instant, Time)> = OnceLock::new();
    let milliseconds = |since: Duration| u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let wall = Time(milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()));
    let (start, shown) = START.get_or_init(|| (Instant::now(), wall));
    Now { wall, steady: shown.after(milliseconds(start.elapsed())) }
}

/// A number that cannot be guessed outside this process.
pub(super) fn seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// Bytes that cannot be guessed outside this process.
pub(super) fn secret() -> [u8; 32] {
    let state = RandomState::new();
    let mut bytes = [0; 32];
    for (index, chunk) in bytes.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&state.hash_one(index).to_le_bytes());
    }
    bytes
}

impl Driver {
    /// Runs until it is told to stop, the last handle is dropped, or storage fails.
    pub(super) fn run(mut self, runtime: &Runtime) {
        self.handle(Event::Continue);
        let mut last_tick = Instant::now();
        while !self.state.stopped {
            let wake = self.engine.wake_at().map_or(u64::MAX, |at| at.since(now().steady));
            let due = TICK.saturating_sub(last_tick.elapsed()).min(Duration::from_millis(wake));
            let messages = self.receive(runtime, due);
            self.take(messages);
            self.take_from_peers();
            let is_due = || self.engine.wake_at().is_some_and(|at| at <= now().steady);
            if !self.state.stopped && (last_tick.elapsed() >= TICK || is_due()) {
                last_tick = Instant::now();
                self.handle(Event::Tick);
            }
            if std::mem::take(&mut self.state.more) && !self.state.stopped {
                self.handle(Event::Continue);
            }
        }
        self.ended.store(true, Ordering::SeqCst);
    }

    /// Waits for messages, not at all if there is more to do; takes all that are there.
    pub(super) fn receive(&mut self, runtime: &Runtime, at_most: Duration) -> Vec<Message> {
        let mut messages = Vec::new();
        let busy = self.state.more || !self.state.inbox.is_empty();
        let at_most = if busy { Duration::ZERO } else { at_most };
        let (local, peers, inbox) = (&mut self.messages, &mut self.from_peers, &mut self.state.inbox);
        let received = async {
            tokio::select! {
                biased;
                count = local.recv_many(&mut messages, MOST) => count == 0,
                Some(first) = peers.recv() => { inbox.push(first); false }
            }
        };
        if runtime.block_on(async { timeout(at_most, received).await }) == Ok(true) {
            messages.push(Message::Shutdown);
        }
        self.sort();
        if let Some(metrics) = metrics::on() {
            metrics.engine.waiting(self.state.inbox.len());
        }
        messages
    }

    /// Receives all that peers have sent meanwhile; returns whether anything waits that requests must not delay.
    fn sort(&mut self) -> bool {
        while let Ok(message) = self.from_peers.try_recv() {
            self.state.inbox.push(message);
        }
        self.state.inbox.has_news() || !self.messages.is_empty()
    }

    /// Handles what peers sent: news in its order, then requests as long as nothing else comes. One request has its turn
    /// even so: a flood of news would otherwise leave every peer without responses.
    pub(super) fn take_from_peers(&mut self) {
        for _ in 0..MOST_OF_PEERS {
            let Some(PeerMessage { peer, event, _permit }) = self.state.inbox.news() else { break };
            self.handle(Event::Peer(peer, event));
        }
        let mut spent = 0;
        while spent < MOST_FOR_QUESTIONS
            && (spent == 0 || !self.sort())
            && let Some(PeerMessage { peer, event, _permit }) = self.state.inbox.question()
        {
            let (before, started) = (self.engine.peer_units(peer), Instant::now());
            self.handle(Event::Peer(peer, event));
            let work = self.engine.peer_units(peer).saturating_sub(before);
            // A disk may be much slower than a unit supposes, and what is refused takes its time too.
            let time = u64::try_from(started.elapsed().as_micros() / UNIT).unwrap_or(u64::MAX);
            let cost = work.max(time).max(1);
            self.state.inbox.charge(peer, cost);
            spent += cost;
        }
    }

    /// Handles messages in their order, neighbouring transactions together.
    fn take(&mut self, messages: Vec<Message>) {
        let mut batch = Vec::new();
        for message in messages {
            if let Message::Transaction(transaction, reply) = message {
                batch.push((self.ticket(Waiter::Transaction(reply)), transaction));
                continue;
            }
            self.take_batch(&mut batch);
            match message {
                Message::Block(block, reply) => {
                    let ticket = self.ticket(Waiter::Block(reply));
                    self.handle(Event::Block(ticket, block));
                }
                Message::Act(act) => {
                    let started = Instant::now();
                    self.engine.set_time(now());
                    let (actions, reply) = act(&mut self.engine);
                    self.perform(actions, started);
                    reply();
                    measure("request", started);
                }
                Message::Ask(question) => {
                    // The pool has let go of what a new block holds, and readers of the store do not see it before the flush: a
                    // query in between would see a transaction nowhere, or a nonce that was used.
                    if self.state.more && !self.engine.is_told() {
                        self.handle(Event::Continue);
                    }
                    let started = Instant::now();
                    self.engine.set_time(now());
                    question(&mut self.engine);
                    measure("request", started);
                }
                Message::Network(network) => self.network = Some(network),
                Message::Shutdown => {
                    self.handle(Event::Shutdown);
                    self.state.stopped = true;
                }
                Message::Transaction(..) => {}
            }
        }
        self.take_batch(&mut batch);
    }

    fn take_batch(&mut self, batch: &mut Vec<(Ticket, Transaction)>) {
        if !batch.is_empty() {
            self.handle(Event::Transactions(std::mem::take(batch)));
        }
    }

    fn ticket(&mut self, waiter: Waiter) -> Ticket {
        self.state.next_ticket += 1;
        self.state.waiters.insert(self.state.next_ticket, waiter);
        self.state.next_ticket
    }

    fn handle(&mut self, event: Event) {
        let (started, name) = (Instant::now(), name(&event));
        let actions = self.engine.handle(event, now());
        self.perform(actions, started);
        measure(name, started);
    }

    fn perform(&mut self, actions: Vec<Action>, started: Instant) {
        // A caller that gets its reply finds the chain that the reply is about.
        let (told, reorganising) = (self.engine.is_told(), self.engine.chain().is_reorganising());
        if told || reorganising {
            let info = self.engine.chain_info();
            self.info.send_if_modified(|old| std::mem::replace(old, info.clone()) != info);
        }
        if !told {
            self.state.news_since.get_or_insert(started);
        }
        // No miner works on a block in between.
        if !reorganising {
            let id = self.engine.longpoll_id();
            self.longpoll.send_if_modified(|old| std::mem::replace(old, id) != id);
        }
        for action in actions {
            match action {
                Action::Reply(ticket, reply) => self.answer(ticket, reply),
                Action::Publish(mut event) => {
                    note(&event);
                    if let NodeEvent::NewTip { took, .. } = &mut event {
                        *took = self.state.news_since.take().unwrap_or(started).elapsed();
                    }
                    // There may be no subscriber.
                    drop(self.events.send(event));
                }
                Action::Peer(action) => {
                    // Without a network nothing receives it.
                    if let Some(network) = &self.network {
                        let _ = network.send(action);
                    }
                }
                Action::Continue => self.state.more = true,
                Action::Fatal(message) => {
                    tracing::error!("{message}");
                    self.failure.send_replace(Some(message));
                    self.state.stopped = true;
                }
            }
        }
    }

    fn answer(&mut self, ticket: Ticket, reply: Reply) {
        // The caller may have gone.
        match (self.state.waiters.remove(&ticket), reply) {
            (Some(Waiter::Transaction(waiter)), Reply::Transaction(result)) => drop(waiter.send(result)),
            (Some(Waiter::Block(waiter)), Reply::Block(result)) => drop(waiter.send(result)),
            _ => {}
        }
    }
}

/// What the event is called in statistics.
fn name(event: &Event) -> &'static str {
    match event {
        Event::Transactions(_) => "transactions",
        Event::Block(..) => "block",
        Event::Peer(..) => "peer",
        Event::Tick => "tick",
        Event::Continue | Event::Shutdown => "continue",
    }
}

fn measure(event: &str, started: Instant) {
    if let Some(metrics) = metrics::on() {
        metrics.engine.handled(event, started.elapsed());
    }
}

/// Counts what is published.
fn note(event: &NodeEvent) {
    let Some(metrics) = metrics::on() else { return };
    match event {
        NodeEvent::NewTip { disconnected, connected, .. } => {
            metrics.engine.new_tip(connected.len(), disconnected.len());
        }
        NodeEvent::TransactionAdded(_) => metrics.engine.added(),
        NodeEvent::TransactionRemoved(_, reason) => metrics.engine.removed(reason.name()),
        _ => {}
    }
}

/// A runtime that lets a plain thread wait with a limit.
pub(super) fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_time().build()
}
