//! Mining for a node over JSON-RPC: template in, block out.
//!
//! One thread asks for templates and waits for better ones; the miner's threads search; the caller's thread hands in
//! what they find and tells about it. A node that is away is asked again until it is back.

mod cookie;
mod node;
mod report;
mod template;
#[cfg(test)]
mod tests;

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

pub use cookie::Cookie;
pub use node::{Node, NodeError};
pub use report::{Note, Reporter, Totals};
pub use template::{Request, Submitted, Template};

use crate::{Kernel, Miner, Solution, miner};

/// How to mine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whom the node shall pay.
    pub request: Request,
    /// Threads that search.
    pub threads: usize,
    /// End after so many accepted blocks.
    pub blocks: Option<u64>,
}

/// What the mining thread waits for.
#[derive(Debug)]
pub enum Event {
    /// It is time to end.
    Stop,
    /// There is new work.
    Template(Template),
    /// The node does not answer; it is asked again after this long.
    Waiting(NodeError, Duration),
    /// The node will never answer this.
    Refused(NodeError),
    /// The miner tells.
    Miner(miner::Event),
}

/// Between two looks at the hash rate.
const TICK: Duration = Duration::from_secs(1);

/// Between two tries to reach a node: at first, and at most.
const RETRY: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];

/// Tries to hand in a block.
const TRIES: usize = 6;

/// Mines until [`Event::Stop`] comes or enough blocks are accepted.
///
/// # Errors
/// [`NodeError`] if the node refuses to give work, so that there is no use in asking again.
pub fn run(
    node: &Node,
    options: &Options,
    kernel: impl Kernel + 'static,
    (sender, events): (Sender<Event>, Receiver<Event>),
    reporter: &mut Reporter,
) -> Result<Totals, NodeError> {
    let found = sender.clone();
    // Whoever stopped listening does not want to know.
    let miner = Miner::start(options.threads, kernel, move |event| _ = found.send(Event::Miner(event)));
    // Ends with the process, or when it next has something to tell and nobody listens.
    thread::spawn({
        let (node, request) = (node.clone(), options.request.clone());
        move || poll(&node, &request, &sender)
    });
    let mut session = Session { node, miner, totals: Totals::default(), height: 0, reporter, started: Instant::now() };
    session.reporter.note(&Note::Started { url: node.url(), threads: options.threads });
    let outcome = session.follow(&events, options.blocks);
    session.totals.hashes = session.miner.hashes();
    session.reporter.note(&Note::Ended(&session.totals));
    outcome.map(|()| session.totals)
}

/// One run.
struct Session<'a> {
    node: &'a Node,
    miner: Miner,
    totals: Totals,
    height: u32,
    reporter: &'a mut Reporter,
    started: Instant,
}

impl Session<'_> {
    fn follow(&mut self, events: &Receiver<Event>, blocks: Option<u64>) -> Result<(), NodeError> {
        let mut tick = Instant::now();
        while blocks.is_none_or(|blocks| self.totals.accepted < blocks) {
            match events.recv_timeout(TICK.saturating_sub(tick.elapsed())) {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(Event::Template(template)) => self.take(template),
                Ok(Event::Waiting(error, delay)) => {
                    // What is left of a search is of no use to a node that may come back on another tip.
                    self.miner.pause();
                    self.reporter.note(&Note::Waiting { error: &error, delay });
                }
                Ok(Event::Refused(error)) => return Err(error),
                Ok(Event::Miner(miner::Event::Found(solution))) => self.hand_in(&solution),
                Ok(Event::Miner(miner::Event::Exhausted(work))) => self.reporter.note(&Note::Exhausted(&work.id)),
                Err(RecvTimeoutError::Timeout) => {
                    tick = Instant::now();
                    self.tick();
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, template: Template) {
        self.height = template.work.height;
        self.reporter.note(&Note::Work { height: self.height, id: &template.work.id });
        self.miner.set_work(template.work);
    }

    fn tick(&mut self) {
        self.totals.hashes = self.miner.hashes();
        let hash_rate = self.miner.hash_rate();
        let elapsed = self.started.elapsed();
        self.reporter.note(&Note::Status { hash_rate, height: self.height, totals: &self.totals, elapsed });
    }

    /// Hands in a block; tries again while the node does not answer, since a block is worth it.
    fn hand_in(&mut self, solution: &Solution) {
        self.totals.found += 1;
        let mut delay = RETRY[0];
        for attempt in 1.. {
            match self.node.submit(solution) {
                Err(error) if error.may_pass() && attempt < TRIES => {
                    self.reporter.note(&Note::Waiting { error: &error, delay });
                    thread::sleep(delay);
                    delay = (delay * 2).min(RETRY[1]);
                }
                outcome => {
                    self.totals.count(&outcome);
                    let hash = solution.header.hash();
                    return self.reporter.note(&Note::Block { hash, height: solution.work.height, outcome: &outcome });
                }
            }
        }
    }
}

/// Asks for templates until nobody listens.
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

/// A channel for [`run`]; its sender can tell it to stop.
pub fn events() -> (Sender<Event>, Receiver<Event>) {
    channel()
}
