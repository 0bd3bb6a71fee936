//! Mining for a stratum v1 server: a pool, or a node with `--stratum`.
//!
//! A thread connects and reads lines; the miner's threads search; the caller's thread joins them. A server that fails is left
//! for the next of the list, and after all have failed the miner waits longer each time.

mod message;
mod probe;
mod report;
mod server;
mod session;
mod stream;
mod tls;

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use chain_core::{U256, units::Height, work::pow};

use self::session::{ANSWER, Reason, Session, Step};
pub use report::{Note, Reporter, Totals};
pub use server::{Event, ParseServerError, Server};
pub use session::{Share, Worker};
pub use tls::{Trust, TrustError};

use crate::{Miner, StartError, Status, Work, miner};

/// How to mine.
#[derive(Clone, Debug)]
pub struct Options {
    /// The servers, the preferred one first; at least one.
    pub servers: Vec<Server>,
    /// The authorities that servers with TLS are trusted by; needed if there is such a server.
    pub trust: Option<Trust>,
    /// Who mines.
    pub worker: Worker,
    /// Number of threads that search, for display.
    pub threads: usize,
    /// Stop after this many accepted blocks.
    pub blocks: Option<u64>,
    /// How often the preferred server is tried while another one is mined for.
    pub return_after: Duration,
}

/// Why mining ends by itself.
#[derive(Debug, thiserror::Error)]
pub enum StratumError {
    /// No server takes the worker.
    #[error("{server}: {reason}. Check --user, --address and --password")]
    Refused {
        /// The last server.
        server: Server,
        /// Its words.
        reason: String,
    },
    /// There are not enough threads.
    #[error("{0}: see --threads")]
    Threads(#[from] StartError),
    /// The output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
}

/// Interval between two reports of the hash rate.
const TICK: Duration = Duration::from_secs(1);
/// A server that has sent no job for so long after the connection is left.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// A session of so long was a good one: its end is no reason to wait.
const STABLE: Duration = Duration::from_secs(10);
/// Wait after all servers have failed: at first, and at most. A random part keeps miners from coming back all at once.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// A server that asks so often for a new connection has not failed yet.
const MAX_HURRIED: u32 = 2;
/// Longest wait that a server may ask for before a new connection.
const MAX_RECONNECT: u64 = 60;

/// Mines until [`Event::Stop`] comes by the channel or enough blocks are accepted. `start` starts the threads that search.
///
/// # Errors
/// [`StratumError`].
pub fn run(
    options: &Options,
    start: impl FnOnce(Box<dyn Fn(miner::Event) + Send + Sync>) -> Result<Miner, StartError>,
    (sender, events): (Sender<Event>, Receiver<Event>),
    reporter: &mut Reporter,
) -> Result<Totals, StratumError> {
    let found = sender.clone();
    // The receiver may be gone.
    let miner = start(Box::new(move |event| _ = found.send(Event::Miner(event))))?;
    let (now, totals) = (Instant::now(), Totals::default());
    reporter.note(&Note::Started { options, kernel: miner.kernel() });
    let mut run = Run {
        options,
        miner,
        sender,
        reporter,
        totals,
        session: None,
        number: 0,
        server: 0,
        failures: 0,
        refusals: 0,
        next_try: Some(now),
        since: now,
        worked: None,
        probed: now,
        probe: None,
        started: now,
        hurried: 0,
        height: 0,
        target: U256::ZERO,
    };
    let outcome = run.follow(&events);
    run.miner.pause();
    run.totals.hashes = run.miner.hashes();
    run.reporter.note(&Note::Ended(&run.totals));
    outcome.and_then(|()| run.output())?;
    Ok(run.totals)
}

/// One run.
struct Run<'a> {
    options: &'a Options,
    miner: Miner,
    sender: Sender<Event>,
    reporter: &'a mut Reporter,
    totals: Totals,
    session: Option<Session>,
    /// Of the connection; events of earlier ones are void.
    number: u64,
    /// Which server of the list.
    server: usize,
    /// Sessions that failed one after another.
    failures: u32,
    /// Servers that refused the worker one after another.
    refusals: usize,
    next_try: Option<Instant>,
    /// When the last connection was tried.
    since: Instant,
    /// When it first gave work.
    worked: Option<Instant>,
    /// When the preferred server was last tried, or left.
    probed: Instant,
    /// That try, which a silent server makes last: there is one at a time.
    probe: Option<JoinHandle<()>>,
    started: Instant,
    /// Times in a row that the server asked for a new connection after it had work for a shorter time than [`STABLE`] or the wait.
    hurried: u32,
    height: Height,
    /// Of a block.
    target: U256,
}

impl Run<'_> {
    fn follow(&mut self, events: &Receiver<Event>) -> Result<(), StratumError> {
        let mut tick = Instant::now() + TICK;
        self.output()?;
        while self.options.blocks.is_none_or(|blocks| self.totals.blocks < blocks) {
            let due = self.next_try.map_or(tick, |next| next.min(tick));
            match events.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(event) => self.take(event)?,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if self.next_try.is_some_and(|next| next <= now) {
                self.connect()?;
            }
            if tick <= now {
                tick = now + TICK;
                self.tick()?;
            }
            self.output()?;
        }
        Ok(())
    }

    fn output(&mut self) -> Result<(), StratumError> {
        self.reporter.failure().map_or(Ok(()), |error| Err(StratumError::Output(error)))
    }

    fn connect(&mut self) -> Result<(), StratumError> {
        (self.next_try, self.since) = (None, Instant::now());
        self.number += 1;
        let Options { servers, trust, .. } = self.options;
        match server::open(&servers[self.server], trust.as_ref(), self.number, &self.sender) {
            Ok(()) => Ok(()),
            Err(error) => self.fail(Reason::Broken(error.to_string())),
        }
    }

    fn tick(&mut self) -> Result<(), StratumError> {
        self.totals.hashes = self.miner.hashes();
        let status = Status::of(&self.miner, (self.height, self.target), self.started.elapsed());
        self.reporter.note(&Note::Status { status: &status, totals: &self.totals });
        if self.has_worked(STABLE) {
            self.failures = 0;
        }
        let late = self.since.elapsed() >= HANDSHAKE;
        if late && self.session.as_ref().is_some_and(|session| !session.works()) {
            return self.fail(Reason::Broken(format!("it has sent no job for {} s", HANDSHAKE.as_secs())));
        }
        if self.session.as_ref().is_some_and(|session| session.is_unanswered(Instant::now())) {
            return self.fail(Reason::Broken(format!("it has not answered a share for {} s", ANSWER.as_secs())));
        }
        if self.server == 0 {
            self.probed = Instant::now();
        } else if self.probed.elapsed() >= self.options.return_after
            && self.probe.as_ref().is_none_or(JoinHandle::is_finished)
        {
            let Options { servers, trust, worker, .. } = self.options;
            self.probed = Instant::now();
            self.probe = probe::probe(&servers[0], trust.as_ref(), worker, &self.sender);
        }
        Ok(())
    }

    fn take(&mut self, event: Event) -> Result<(), StratumError> {
        match event {
            Event::Connected(number, connection) if number == self.number => {
                match Session::begin(number, connection, &self.options.worker) {
                    Ok(session) => {
                        self.session = Some(session);
                        self.reporter.note(&Note::Connected(&self.options.servers[self.server]));
                    }
                    Err(error) => return self.fail(Reason::Broken(error.to_string())),
                }
            }
            Event::Message(number, message) if number == self.number => {
                let Some(session) = &mut self.session else { return Ok(()) };
                let step = session.take(message);
                session.handled();
                return self.go(step);
            }
            Event::Closed(number, reason) if number == self.number => return self.fail(Reason::Broken(reason)),
            Event::Miner(miner::Event::Found(solution)) => {
                let Some(session) = &mut self.session else { return Ok(()) };
                let step = session.submit(&solution, Instant::now());
                if session.ends(&solution.work) {
                    self.go_on(&solution.work);
                }
                return self.go(step);
            }
            Event::Miner(miner::Event::Exhausted(work)) => {
                self.go_on(&work);
            }
            Event::Back if self.server != 0 => {
                let reason = format!("{} is back", self.options.servers[0]);
                self.leave(&reason, Duration::ZERO);
                // It has taken the worker just now.
                (self.server, self.hurried, self.refusals) = (0, 0, 0);
            }
            Event::Back => {}
            // Of an earlier connection.
            Event::Connected(..) | Event::Message(..) | Event::Closed(..) | Event::Stop => {}
        }
        Ok(())
    }

    /// The search of a work has ended.
    fn go_on(&mut self, work: &Work) {
        let Some(session) = &mut self.session else { return };
        match session.after(work) {
            Some(next) => self.miner.set_work(next),
            None if session.searches(work) => self.reporter.note(&Note::Exhausted),
            None => {}
        }
    }

    fn go(&mut self, step: Step) -> Result<(), StratumError> {
        match step {
            Step::Nothing => {}
            Step::Search(work) => {
                (self.height, self.refusals) = (work.height, 0);
                self.worked.get_or_insert_with(Instant::now);
                self.target = pow::target(work.header.bits).unwrap_or_default();
                self.reporter.note(&Note::Work(&work));
                self.miner.set_work(*work);
            }
            Step::Judged(share, outcome) => {
                self.totals.count(&share, &outcome);
                self.reporter.note(&Note::Share(&share, &outcome));
            }
            Step::Show(text) => self.reporter.note(&Note::Show(&text)),
            Step::Reconnect(host, port, wait) => return self.reconnect(host.as_deref(), port, wait),
            Step::End(reason) => return self.fail(reason),
        }
        Ok(())
    }

    /// A server may ask for another connection to itself, but not at once each time. To follow it elsewhere would let anybody on
    /// the way redirect the hash rate.
    fn reconnect(&mut self, host: Option<&str>, port: Option<u16>, wait: u64) -> Result<(), StratumError> {
        let server = &self.options.servers[self.server];
        if !server.is(host, port) {
            let (host, port) = (host.unwrap_or(&server.host), port.unwrap_or(server.port));
            let text = format!("it asks to connect to {host}:{port} instead, which is not followed");
            self.reporter.note(&Note::Show(&text));
            return Ok(());
        }
        let delay = Duration::from_secs(wait.clamp(RETRY[0].as_secs(), MAX_RECONNECT));
        self.hurried = if self.has_worked(STABLE.max(delay)) { 0 } else { self.hurried + 1 };
        if self.hurried > MAX_HURRIED {
            return self.fail(Reason::Broken("it asks for one new connection after another".into()));
        }
        self.leave("it asks for a new connection", delay);
        Ok(())
    }

    /// Leaves this server for the next one.
    fn fail(&mut self, reason: Reason) -> Result<(), StratumError> {
        let servers = &self.options.servers;
        let server = &servers[self.server];
        if self.has_worked(STABLE) {
            self.failures = 0;
        }
        let text = match reason {
            Reason::Refused(reason) => {
                self.refusals += 1;
                if self.refusals >= servers.len() {
                    return Err(StratumError::Refused { server: server.clone(), reason });
                }
                reason
            }
            // It may take the worker when it is back.
            Reason::Broken(reason) => {
                self.refusals = 0;
                reason
            }
        };
        self.failures = self.failures.saturating_add(1);
        let rounds = self.failures as usize / servers.len();
        self.leave(&text, if rounds == 0 { Duration::ZERO } else { backoff(rounds) });
        (self.server, self.hurried) = ((self.server + 1) % servers.len(), 0);
        Ok(())
    }

    /// Whether this session has had work for so long.
    fn has_worked(&self, time: Duration) -> bool {
        self.worked.is_some_and(|since| since.elapsed() >= time)
    }

    /// Ends the session; the next connection is tried after this long.
    fn leave(&mut self, reason: &str, delay: Duration) {
        (self.session, self.worked) = (None, None);
        // What still comes of the old connection is void.
        self.number += 1;
        self.miner.pause();
        self.next_try = Some(Instant::now() + delay);
        self.reporter.note(&Note::Waiting { server: &self.options.servers[self.server], reason, delay });
    }
}

/// The wait after so many rounds in which all servers failed: doubled each time, of which half is random.
fn backoff(rounds: usize) -> Duration {
    let doublings = u32::try_from(rounds.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    let whole = RETRY[0].saturating_mul(1 << doublings).min(RETRY[1]);
    // The keys of a new state are random.
    let random = RandomState::new().build_hasher().finish() % 1_000;
    whole / 2 + whole.mul_f64(random as f64 / 2_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_minute_and_is_partly_random() {
        for (rounds, whole) in [(1, 1), (2, 2), (6, 32), (7, 60), (1_000_000, 60)] {
            let waits: Vec<_> = (0..50).map(|_| backoff(rounds)).collect();
            let range = Duration::from_secs(whole) / 2..=Duration::from_secs(whole);
            assert!(waits.iter().all(|wait| range.contains(wait)), "{waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]));
        }
    }
}
