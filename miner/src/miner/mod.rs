//! The mining threads.

#[cfg(test)]
mod tests;
mod threads;

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use chain_core::{U256, block::header::Header};

use crate::{
    kernel::{Hit, Job, Kernel},
    meter::Meter,
    work::{Part, Solution, Work},
};
pub use threads::Threads;

/// Time between two checks for newer work. The number of hashes follows from the kernel's speed.
const PACE: Duration = Duration::from_micros(250);

/// Hashes of the first such step, and of any.
const FIRST_STEP: u64 = 4_096;
const MAX_STEP: u64 = 1 << 22;

/// Leading zero bits of the hashes that are looked at though they do not win, for the best difficulty: tens a second.
const NOTABLE: usize = 20;

/// Bytes of a thread's stack: a search takes some 10 KiB.
const STACK: usize = 256 << 10;

/// The system refuses threads.
#[derive(Debug, thiserror::Error)]
#[error("the system starts {started} of {wanted} threads and no more ({reason}): search with fewer threads")]
pub struct StartError {
    /// Number requested.
    pub wanted: usize,
    /// Number started.
    pub started: usize,
    /// The system's error.
    pub reason: io::Error,
}

/// The events of a miner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A header that wins. The search goes on, up to [`Work::max_solutions`].
    Found(Solution),
    /// All of the work was searched.
    Exhausted(Arc<Work>),
}

/// Threads that search the work they are given. Dropping it stops them.
pub struct Miner {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    started: Instant,
    meters: Mutex<Vec<Meter>>,
}

struct Shared {
    kernel: Box<dyn Kernel>,
    events: Box<dyn Fn(Event) + Send + Sync>,
    settings: Threads,
    /// Hashes of each thread.
    hashes: Vec<AtomicU64>,
    /// Number of the current search; any other ends within a step.
    wanted: AtomicU64,
    order: Mutex<Order>,
    changed: Condvar,
    /// The lowest hash of all.
    best: Mutex<U256>,
}

#[derive(Default)]
struct Order {
    search: Option<Arc<Search>>,
    stop: bool,
}

/// A search for one work.
struct Search {
    number: u64,
    work: Arc<Work>,
    next_part: AtomicU64,
    /// Solutions so far.
    found: AtomicU32,
    finished: AtomicUsize,
}

impl Search {
    fn is_over(&self) -> bool {
        self.found.load(Ordering::Relaxed) >= self.work.max_solutions
    }
}

/// What a thread keeps from step to step.
struct Worker {
    index: usize,
    /// Hashes of a step.
    step: u64,
    hits: Vec<Hit>,
    /// The lowest hash that this thread has seen.
    best: U256,
}

impl Miner {
    /// Starts the threads, which wait for work. They call `events`, which should return quickly.
    ///
    /// # Errors
    /// [`StartError`] if the system does not start them all; then none is left.
    pub fn start(
        settings: Threads,
        kernel: Box<dyn Kernel>,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        Self::start_with(settings, STACK, kernel, events)
    }

    fn start_with(
        settings: Threads,
        stack: usize,
        kernel: Box<dyn Kernel>,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let wanted = settings.count;
        let shared = Arc::new(Shared {
            kernel,
            events: Box::new(events),
            settings,
            hashes: (0..wanted).map(|_| AtomicU64::new(0)).collect(),
            wanted: AtomicU64::new(0),
            order: Mutex::default(),
            changed: Condvar::new(),
            best: Mutex::new(U256::MAX),
        });
        let mut meters: Vec<_> = (0..wanted).map(|_| Meter::default()).collect();
        for meter in &mut meters {
            meter.record(Duration::ZERO, 0);
        }
        let mut miner = Self { shared, threads: Vec::new(), started: Instant::now(), meters: Mutex::new(meters) };
        for started in 0..wanted {
            let shared = miner.shared.clone();
            let thread = thread::Builder::new().name(format!("miner-{started}")).stack_size(stack);
            let thread = thread.spawn(move || shared.run(started));
            miner.threads.push(thread.map_err(|reason| StartError { wanted, started, reason })?);
        }
        Ok(miner)
    }

    /// Searches this work from now on, and no other.
    pub fn set_work(&self, work: Work) {
        self.shared.change(Some(work));
    }

    /// Searches nothing until there is work again.
    pub fn pause(&self) {
        self.shared.change(None);
    }

    /// Hashes done since the start.
    pub fn hashes(&self) -> u64 {
        self.shared.hashes.iter().map(|hashes| hashes.load(Ordering::Relaxed)).sum()
    }

    /// Hashes per second of each thread over the last ten seconds, if called about once per second.
    pub fn hash_rates(&self) -> Vec<f64> {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.started.elapsed();
        let threads = meters.iter_mut().zip(&self.shared.hashes);
        threads.map(|(meter, hashes)| meter.record(now, hashes.load(Ordering::Relaxed))).collect()
    }

    /// Their sum.
    pub fn hash_rate(&self) -> f64 {
        self.hash_rates().iter().sum()
    }

    /// The lowest hash so far, if any was worth a look.
    pub fn best(&self) -> Option<U256> {
        Some(*self.shared.best.lock().unwrap_or_else(PoisonError::into_inner)).filter(|best| *best != U256::MAX)
    }

    /// Name of the kernel.
    pub fn kernel(&self) -> &'static str {
        self.shared.kernel.name()
    }
}

impl Drop for Miner {
    fn drop(&mut self) {
        self.shared.change(None);
        self.shared.order().stop = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, work: Option<Work>) {
        let mut order = self.order();
        let number = self.wanted.fetch_add(1, Ordering::SeqCst) + 1;
        order.search = work.map(|work| {
            Arc::new(Search {
                number,
                work: Arc::new(work),
                next_part: AtomicU64::new(0),
                found: AtomicU32::new(0),
                finished: AtomicUsize::new(0),
            })
        });
        self.changed.notify_all();
    }

    /// The main function of a thread.
    fn run(&self, index: usize) {
        self.settings.apply(index);
        let mut worker = Worker { index, step: FIRST_STEP, hits: Vec::new(), best: U256::MAX };
        let mut done = 0;
        while let Some(search) = self.next_search(done) {
            done = search.number;
            self.search(&mut worker, &search);
        }
    }

    /// Waits for a search later than `done`; `None` when it is time to stop.
    fn next_search(&self, done: u64) -> Option<Arc<Search>> {
        let mut order = self.order();
        loop {
            if order.stop {
                return None;
            }
            if let Some(search) = order.search.as_ref().filter(|search| search.number > done) {
                return Some(search.clone());
            }
            order = self.changed.wait(order).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn search(&self, worker: &mut Worker, search: &Search) {
        while let Some(part) = search.work.part(search.next_part.fetch_add(1, Ordering::Relaxed)) {
            if !self.search_part(worker, search, part) {
                return;
            }
        }
        if search.finished.fetch_add(1, Ordering::SeqCst) + 1 == self.hashes.len() {
            (self.events)(Event::Exhausted(search.work.clone()));
        }
    }

    fn is_wanted(&self, search: &Search) -> bool {
        self.wanted.load(Ordering::Relaxed) == search.number && !search.is_over()
    }

    /// Whether the search goes on.
    fn search_part(&self, worker: &mut Worker, search: &Search, part: Part) -> bool {
        let notable = U256::MAX >> NOTABLE;
        let job = Job::new(&part.header, part.versions, &search.work.target.max(notable));
        let versions = job.versions() as u64;
        let mut next = part.nonces.start;
        while next < part.nonces.end {
            if !self.is_wanted(search) {
                return false;
            }
            let start = Instant::now();
            let count = (worker.step / versions).max(1).min(part.nonces.end - next);
            worker.hits.clear();
            // A part's nonces are below 2^32.
            self.kernel.scan(&job, next as u32, count as u32, &mut worker.hits);
            self.hashes[worker.index].fetch_add(count * versions, Ordering::Relaxed);
            next += count;
            if !self.check_hits(worker, search, &job, &part.coinbase) {
                return false;
            }
            let took = start.elapsed();
            worker.adapt(took);
            self.rest(search, took);
        }
        true
    }

    /// Checks HDR-2 in scalar code, whatever the kernel found. Returns whether the search goes on.
    fn check_hits(&self, worker: &mut Worker, search: &Search, job: &Job, coinbase: &[u8]) -> bool {
        for hit in &worker.hits {
            let header = job.header(*hit);
            let hash = U256::from_le_bytes(header.hash().0);
            if hash < worker.best {
                worker.best = hash;
                let mut best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
                *best = hash.min(*best);
            }
            if hash <= search.work.target {
                self.report(search, header, coinbase);
                // At a trivial difficulty a step has thousands of hits.
                if !self.is_wanted(search) {
                    return false;
                }
            }
        }
        true
    }

    fn report(&self, search: &Search, header: Header, coinbase: &[u8]) {
        let found = search.found.fetch_add(1, Ordering::SeqCst);
        if found < search.work.max_solutions {
            (self.events)(Event::Found(Solution { work: search.work.clone(), header, coinbase: coinbase.to_vec() }));
        }
    }

    /// Leaves the core to others for a part of the time that the intensity says, or until there is newer work.
    fn rest(&self, search: &Search, worked: Duration) {
        let Some(rest) = self.settings.rest(worked) else { return };
        let order = self.order();
        let unchanged = |_: &mut Order| self.wanted.load(Ordering::Relaxed) == search.number;
        drop(self.changed.wait_timeout_while(order, rest, unchanged));
    }
}

impl Worker {
    /// Sets the next step's hashes by the time of the last. One that the system interrupted counts little.
    fn adapt(&mut self, took: Duration) {
        let fit = self.step as f64 * PACE.as_secs_f64() / took.as_secs_f64().max(1e-9);
        self.step = (fit as u64).clamp(self.step / 2, self.step * 2).clamp(64, MAX_STEP);
    }
}
