//! The threads.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

use chain_core::{U256, header::Header};

use crate::{
    kernel::Kernel,
    meter::Meter,
    work::{Part, Solution, Work},
};

/// Hashes between two looks at whether the work is still wanted: about a millisecond.
const CHUNK: u32 = 4_096;

/// What a miner tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A header that wins. The search of this work has ended.
    Found(Solution),
    /// All there was to search has been searched in vain.
    Exhausted(Arc<Work>),
}

/// Threads that search the work they are given. Dropping it stops them.
pub struct Miner {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    started: Instant,
    meter: Mutex<Meter>,
}

struct Shared {
    kernel: Box<dyn Kernel>,
    events: Box<dyn Fn(Event) + Send + Sync>,
    threads: usize,
    hashes: AtomicU64,
    /// Number of the search that is wanted; any other ends within [`CHUNK`] hashes.
    wanted: AtomicU64,
    order: Mutex<Order>,
    changed: Condvar,
}

#[derive(Default)]
struct Order {
    search: Option<Arc<Search>>,
    stop: bool,
}

/// One work while it is searched.
struct Search {
    number: u64,
    work: Arc<Work>,
    next_part: AtomicU64,
    found: AtomicBool,
    finished: AtomicUsize,
}

impl Miner {
    /// Starts so many threads, which wait for work. `events` is called from them, and should not take long.
    pub fn start(
        threads: usize,
        kernel: impl Kernel + 'static,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            kernel: Box::new(kernel),
            events: Box::new(events),
            threads,
            hashes: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            order: Mutex::default(),
            changed: Condvar::new(),
        });
        let spawn = |index| {
            let shared = shared.clone();
            let name = format!("miner-{index}");
            thread::Builder::new().name(name).spawn(move || shared.run()).expect("the system can start a thread")
        };
        let threads = (0..threads).map(spawn).collect();
        Self { shared, threads, started: Instant::now(), meter: Mutex::default() }
    }

    /// Searches this from now on, and nothing else.
    pub fn set_work(&self, work: Work) {
        self.shared.change(Some(work));
    }

    /// Searches nothing until there is work again.
    pub fn pause(&self) {
        self.shared.change(None);
    }

    /// Hashes done since the start.
    pub fn hashes(&self) -> u64 {
        self.shared.hashes.load(Ordering::Relaxed)
    }

    /// Hashes a second over the last ten seconds, or as long as this was asked.
    pub fn hash_rate(&self) -> f64 {
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        meter.record(self.started.elapsed(), self.hashes())
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.threads.len()
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
                found: AtomicBool::new(false),
                finished: AtomicUsize::new(0),
            })
        });
        self.changed.notify_all();
    }

    /// A thread's life.
    fn run(&self) {
        let mut done = 0;
        while let Some(search) = self.next_search(done) {
            done = search.number;
            self.search(&search);
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

    fn search(&self, search: &Search) {
        while let Some(part) = search.work.part(search.next_part.fetch_add(1, Ordering::Relaxed)) {
            if !self.search_part(search, &part) {
                return;
            }
        }
        if search.finished.fetch_add(1, Ordering::SeqCst) + 1 == self.threads {
            (self.events)(Event::Exhausted(search.work.clone()));
        }
    }

    /// Whether the search goes on.
    fn search_part(&self, search: &Search, part: &Part) -> bool {
        let mut next = part.nonces.start;
        while next < part.nonces.end {
            if self.wanted.load(Ordering::Relaxed) != search.number || search.found.load(Ordering::Relaxed) {
                return false;
            }
            let count = CHUNK.min((part.nonces.end - next) as u32); // CHUNK fits
            let first = next as u32; // below 2^32
            let hit = self.kernel.scan(&part.header, &search.work.target, first, count);
            let tried = hit.map_or(count, |nonce| nonce - first + 1);
            self.hashes.fetch_add(tried.into(), Ordering::Relaxed);
            next += u64::from(tried);
            let header = hit.map(|nonce| Header { nonce, ..part.header });
            if let Some(header) = header.filter(|header| wins(header, &search.work.target)) {
                self.report(search, header, part.coinbase.clone());
                return false;
            }
        }
        true
    }

    fn report(&self, search: &Search, header: Header, coinbase: Vec<u8>) {
        if !search.found.swap(true, Ordering::SeqCst) {
            (self.events)(Event::Found(Solution { work: search.work.clone(), header, coinbase }));
        }
    }
}

/// HDR-2 in scalar code, whatever the kernel said.
fn wins(header: &Header, target: &U256) -> bool {
    U256::from_le_bytes(header.hash().0) <= *target
}
