//! Mining for a node over JSON-RPC: template in, block out.
//!
//! One thread requests templates and long-polls for better ones; the miner's threads search; another submits what they
//! find; the caller's thread joins them and reports. While the node does not answer, requests are retried.

mod node;
mod report;
mod template;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use chain_core::U256;

pub use node::{Node, NodeError};
pub use report::{Note, Reporter, Totals};
pub use template::{Request, Submitted, Template};

use crate::{Kernel, Miner, Solution, StartError, Status, Threads, Work, miner};

/// How to mine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Payout addresses.
    pub request: Request,
    /// The threads that search.
    pub threads: Threads,
    /// Stop after this many accepted blocks.
    pub blocks: Option<u64>,
}

/// The events of the mining thread.
#[derive(Debug)]
pub enum Event {
    /// Stop.
    Stop,
    /// There is new work.
    Template(Template),
    /// The node does not answer; the next retry is after this long.
    Waiting(NodeError, Duration),
    /// The node will never accept this request.
    Refused(NodeError),
    /// An event of the miner.
    Miner(miner::Event),
    /// A block could not be submitted; the next retry is after this long. The search goes on.
    Delayed(NodeError, Duration),
    /// A block was submitted, or the node never answered.
    HandedIn(Solution, Result<Submitted, NodeError>),
}

/// Interval between two reports of the hash rate.
const TICK: Duration = Duration::from_secs(1);

/// Interval between two attempts to reach a node: at first, and at most.
const RETRY: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];

/// A node that has not answered the first request for so long is reported: a template takes it milliseconds.
const SILENT: Duration = Duration::from_secs(3);

/// Attempts to submit a block.
const TRIES: u32 = 6;

/// Maximum number of solutions that wait for an earlier one to be rejected.
const MOST_SPARE: usize = 16;
/// How long the miner waits at the end for blocks that are being submitted.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Mines until [`Event::Stop`] comes by the channel or enough blocks are accepted.
///
/// # Errors
/// [`NodeError`] if the node refuses to give templates, so that retries are useless, or the system refuses threads.
pub fn run(
    node: &Node,
    options: &Options,
    kernel: Box<dyn Kernel>,
    (sender, events): (Sender<Event>, Receiver<Event>),
    reporter: &mut Reporter,
) -> Result<Totals, NodeError> {
    let found = sender.clone();
    // The receiver may be gone.
    let miner = Miner::start(options.threads.clone(), kernel, move |event| _ = found.send(Event::Miner(event)))?;
    let (solutions, queue) = channel();
    // Ends when the session drops the queue.
    start(options.threads.count, 0, "hand-in", {
        let (node, sender) = (node.clone(), sender.clone());
        move || hand_in(&node, &queue, &sender)
    })?;
    // Ends with the process, or with its next event after the receiver is gone.
    start(options.threads.count, 1, "poll", {
        let (node, request) = (node.clone(), options.request.clone());
        move || poll(&node, &request, &sender)
    })?;
    let started = Instant::now();
    let (totals, spare) = (Totals::default(), VecDeque::new());
    let most = options.blocks;
    let (open, settled, target) = (Vec::new(), None, U256::ZERO);
    let first = Some(node.url());
    let mut session =
        Session { miner, solutions, open, settled, most, spare, totals, height: 0, target, reporter, started, first };
    let (threads, kernel) = (options.threads.count, session.miner.kernel());
    session.reporter.note(&Note::Started { url: node.url(), threads, kernel });
    let outcome = session.follow(&events, options.blocks);
    session.await_open(&events);
    session.totals.hashes = session.miner.hashes();
    session.reporter.note(&Note::Ended { totals: &session.totals, failed: outcome.is_err() });
    outcome.and_then(|()| session.output())?;
    Ok(session.totals)
}

/// Starts a thread besides the `miners`, after `others` such threads.
fn start(miners: usize, others: usize, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
    let started = miners + others;
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map(drop).map_err(|reason| StartError { wanted: miners + 2, started, reason })
}

/// One run.
struct Session<'a> {
    miner: Miner,
    /// Blocks to submit.
    solutions: Sender<Solution>,
    /// The work of those that have no result yet.
    open: Vec<Arc<Work>>,
    /// The last work whose block has a result: a second block of it would only be another at the same height.
    settled: Option<Arc<Work>>,
    /// The maximum number of accepted blocks, and those found beyond it or for work that has one in flight: submitted if
    /// an earlier one is not accepted.
    most: Option<u64>,
    spare: VecDeque<Solution>,
    totals: Totals,
    height: u32,
    target: U256,
    reporter: &'a mut Reporter,
    started: Instant,
    /// Where the first request was sent, until it is answered or reported.
    first: Option<&'a str>,
}

impl Session<'_> {
    fn follow(&mut self, events: &Receiver<Event>, blocks: Option<u64>) -> Result<(), NodeError> {
        let mut tick = Instant::now();
        self.output()?;
        while blocks.is_none_or(|blocks| self.totals.accepted < blocks) {
            let event = events.recv_timeout(TICK.saturating_sub(tick.elapsed()));
            if matches!(event, Ok(Event::Template(_) | Event::Waiting(..))) {
                self.first = None;
            }
            match event {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(Event::Template(template)) => self.take(template),
                Ok(Event::Waiting(error, delay)) => {
                    // The node may come back on another tip, so the rest of the search is useless.
                    self.miner.pause();
                    self.reporter.note(&Note::Waiting { error: &error, delay });
                }
                Ok(Event::Refused(error)) => return Err(error),
                Ok(Event::Miner(miner::Event::Found(solution))) => self.queue(solution),
                Ok(Event::Delayed(error, delay)) => self.reporter.note(&Note::Waiting { error: &error, delay }),
                Ok(Event::HandedIn(solution, outcome)) => self.settle(&solution, &outcome),
                Ok(Event::Miner(miner::Event::Exhausted(work))) => self.reporter.note(&Note::Exhausted(&work.id)),
                Err(RecvTimeoutError::Timeout) => {
                    tick = Instant::now();
                    self.tick();
                }
            }
            self.output()?;
        }
        Ok(())
    }

    /// Whether the output reached its reader: without one, mining stops.
    fn output(&mut self) -> Result<(), NodeError> {
        self.reporter.failure().map_or(Ok(()), |error| Err(NodeError::Output(error.to_string())))
    }

    fn take(&mut self, template: Template) {
        (self.height, self.target) = (template.work.height, template.work.target);
        self.reporter.note(&Note::Work { height: self.height, id: &template.work.id });
        self.miner.set_work(template.work);
    }

    fn tick(&mut self) {
        if self.started.elapsed() >= SILENT
            && let Some(url) = self.first.take()
        {
            let error = NodeError::Busy { url: url.to_owned(), seconds: SILENT.as_secs() };
            self.reporter.note(&Note::Waiting { error: &error, delay: node::ANSWER.saturating_sub(SILENT) });
        }
        self.totals.hashes = self.miner.hashes();
        let status = Status::of(&self.miner, (self.height, self.target), self.started.elapsed());
        self.reporter.note(&Note::Status { status: &status, totals: &self.totals });
    }

    fn queue(&mut self, solution: Solution) {
        self.totals.found += 1;
        if self.settled.as_ref().is_none_or(|work| !Arc::ptr_eq(work, &solution.work)) {
            self.spare.push_back(solution);
            self.hand_in_spare();
        }
    }

    /// Submits found blocks, but one of each work, and no more than may still be accepted.
    fn hand_in_spare(&mut self) {
        while self.most.is_none_or(|most| self.totals.accepted + (self.open.len() as u64) < most) {
            let is_open = |solution: &Solution| self.open.iter().any(|work| Arc::ptr_eq(work, &solution.work));
            let Some(next) = self.spare.iter().position(|solution| !is_open(solution)) else { break };
            let Some(solution) = self.spare.remove(next) else { break };
            let work = solution.work.clone();
            if self.solutions.send(solution).is_ok() {
                self.open.push(work);
            }
        }
        // At trivial difficulty thousands are found while one is submitted.
        self.spare.truncate(MOST_SPARE);
    }

    fn settle(&mut self, solution: &Solution, outcome: &Result<Submitted, NodeError>) {
        self.open.retain(|work| !Arc::ptr_eq(work, &solution.work));
        self.spare.retain(|spare| !Arc::ptr_eq(&spare.work, &solution.work));
        self.settled = Some(solution.work.clone());
        self.totals.count(outcome);
        let hash = solution.header.hash();
        self.reporter.note(&Note::Block { hash, height: solution.work.height, outcome });
        self.hand_in_spare();
    }

    /// A found block is worth a short wait at the end.
    fn await_open(&mut self, events: &Receiver<Event>) {
        self.miner.pause();
        let end = Instant::now() + LAST_WAIT;
        while !self.open.is_empty() {
            match events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Event::HandedIn(solution, outcome)) => self.settle(&solution, &outcome),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

/// Submits blocks, the newest first; retries while the node does not answer. A thread of its own, so that newer work is
/// fetched meanwhile.
fn hand_in(node: &Node, solutions: &Receiver<Solution>, events: &Sender<Event>) {
    let mut waiting = Vec::new();
    loop {
        if waiting.is_empty() {
            let Ok(solution) = solutions.recv() else { return };
            waiting.push((solution, 1));
        }
        // A newer block does not wait for the retries of an older one.
        waiting.extend(solutions.try_iter().map(|solution| (solution, 1)));
        let Some((solution, attempt)) = waiting.pop() else { continue };
        let told = match node.submit(&solution) {
            Err(error) if error.may_pass() && attempt < TRIES => {
                let delay = RETRY[0].saturating_mul(1 << (attempt - 1)).min(RETRY[1]);
                waiting.push((solution, attempt + 1));
                let told = events.send(Event::Delayed(error, delay));
                match solutions.recv_timeout(delay) {
                    Ok(newer) => waiting.push((newer, 1)),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                told
            }
            outcome => events.send(Event::HandedIn(solution, outcome)),
        };
        if told.is_err() {
            return;
        }
    }
}

/// Requests templates until the receiver is gone.
fn poll(node: &Node, request: &Request, events: &Sender<Event>) {
    let (mut than, mut delay) = (None, RETRY[0]);
    loop {
        let event = match node.template(request, than.as_deref()) {
            Ok(template) => {
                than = Some(template.longpoll_id.clone());
                delay = RETRY[0];
                Event::Template(template)
            }
            Err(error) if error.may_pass() => Event::Waiting(error, delay),
            Err(error) => Event::Refused(error),
        };
        let (wait, end) = (matches!(event, Event::Waiting(..)), matches!(event, Event::Refused(_)));
        if events.send(event).is_err() || end {
            return;
        }
        if wait {
            thread::sleep(delay);
            delay = (delay * 2).min(RETRY[1]);
            than = None;
        }
    }
}
