//! The mining threads.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use chain_core::{U256, block::header::Header};

use crate::{
    kernel::Kernel,
    meter::Meter,
    work::{Part, Solution, Work},
};

/// Hashes between two checks for newer work: about a millisecond.
const CHUNK: u32 = 4_096;

/// Bytes of a thread's stack: a search takes a few hundred.
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
    /// A header that wins. The search of this work has ended.
    Found(Solution),
    /// All of the work was searched without a hit.
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
    /// Number of the current search; any other ends within [`CHUNK`] hashes.
    wanted: AtomicU64,
    order: Mutex<Order>,
    changed: Condvar,
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
    found: AtomicBool,
    finished: AtomicUsize,
}

impl Miner {
    /// Starts this many threads, which wait for work. They call `events`, which should return quickly.
    ///
    /// # Errors
    /// [`StartError`] if the system does not start them all; then none is left.
    pub fn start(
        threads: usize,
        kernel: impl Kernel + 'static,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        Self::start_with(threads, STACK, kernel, events)
    }

    fn start_with(
        wanted: usize,
        stack: usize,
        kernel: impl Kernel + 'static,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let shared = Arc::new(Shared {
            kernel: Box::new(kernel),
            events: Box::new(events),
            threads: wanted,
            hashes: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            order: Mutex::default(),
            changed: Condvar::new(),
        });
        let mut meter = Meter::default();
        meter.record(Duration::ZERO, 0);
        let mut miner = Self { shared, threads: Vec::new(), started: Instant::now(), meter: Mutex::new(meter) };
        for started in 0..wanted {
            let shared = miner.shared.clone();
            let thread = thread::Builder::new().name(format!("miner-{started}")).stack_size(stack);
            let thread = thread.spawn(move || shared.run());
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
        self.shared.hashes.load(Ordering::Relaxed)
    }

    /// Hashes per second over the last ten seconds, if called about once per second.
    pub fn hash_rate(&self) -> f64 {
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        meter.record(self.started.elapsed(), self.hashes())
    }

    /// Number of threads.
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

    /// The main function of a thread.
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

/// Checks HDR-2 in scalar code, whatever the kernel found.
fn wins(header: &Header, target: &U256) -> bool {
    U256::from_le_bytes(header.hash().0) <= *target
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        sync::mpsc::{Receiver, Sender, channel},
    };

    use chain_core::{hash::BlockHash, work::pow};

    use super::*;
    use crate::{kernel::Midstate, work::VERSION_MASK};

    const PATIENCE: Duration = Duration::from_secs(60);

    fn work(id: &str, target: U256) -> Work {
        let header = Header {
            version: 0x2000_0000,
            prev: BlockHash::default(),
            merkle_root: [id.as_bytes()[0]; 32],
            time: 0,
            bits: 0,
            nonce: 0,
        };
        Work {
            id: id.into(),
            height: 0,
            header,
            target,
            coinbase: vec![0; 80],
            extranonce: 0..0,
            merkle_branch: Vec::new(),
            version_mask: VERSION_MASK,
            time_slack: 0,
        }
    }

    fn start(threads: usize, kernel: impl Kernel + 'static) -> (Miner, Receiver<Event>) {
        let (sender, events) = channel();
        (Miner::start(threads, kernel, move |event| sender.send(event).unwrap()).unwrap(), events)
    }

    /// One call of a [`Stepped`] kernel: its work, its position, and the channel for the result.
    struct Scan {
        header: Header,
        first: u32,
        count: u32,
        answer: Sender<Option<u32>>,
    }

    impl Scan {
        fn letter(&self) -> char {
            self.header.merkle_root[0].into()
        }
    }

    /// A kernel that asks the test at each step.
    struct Stepped(Sender<Scan>);

    impl Kernel for Stepped {
        fn name(&self) -> &'static str {
            "stepped"
        }

        fn scan(&self, header: &Header, _: &U256, first: u32, count: u32) -> Option<u32> {
            let (answer, answers) = channel();
            let scan = Scan { header: *header, first, count, answer };
            self.0.send(scan).ok().and_then(|()| answers.recv().ok()).flatten()
        }
    }

    fn stepped(threads: usize) -> (Miner, Receiver<Event>, Receiver<Scan>) {
        let (sender, scans) = channel();
        let (miner, events) = start(threads, Stepped(sender));
        (miner, events, scans)
    }

    #[test]
    fn finds_a_header_that_wins_and_tells_once() {
        let (miner, events) = start(4, Midstate);
        let target = pow::target(0x1f7f_ffff).unwrap();
        for id in ["a", "b", "c"] {
            miner.set_work(work(id, target));
            let Ok(Event::Found(solution)) = events.recv_timeout(PATIENCE) else { panic!("a solution") };
            assert_eq!(solution.work.id, id);
            assert!(U256::from_le_bytes(solution.header.hash().0) <= target);
            assert_eq!(solution.header.merkle_root, [id.as_bytes()[0]; 32]);
        }
        assert!(miner.hashes() > 0);
        drop(miner);
        assert!(events.try_iter().next().is_none());
    }

    #[test]
    fn a_thread_that_the_system_refuses_is_an_error_with_advice() {
        // No address space has room for such a stack.
        let Err(error) = Miner::start_with(3, 1 << 60, Midstate, |_| ()) else { panic!("it starts") };
        assert_eq!((error.wanted, error.started), (3, 0));
        let text = error.to_string();
        assert!(text.starts_with("the system starts 0 of 3 threads and no more ("), "{text}");
        assert!(text.ends_with("): search with fewer threads"), "{text}");
    }

    #[test]
    fn every_thread_takes_new_work_at_its_next_step() {
        let (miner, _events, scans) = stepped(3);
        miner.set_work(work("a", U256::ZERO));
        let pending: Vec<Scan> = (0..3).map(|_| scans.recv_timeout(PATIENCE).unwrap()).collect();
        assert!(pending.iter().all(|scan| scan.letter() == 'a'));
        miner.set_work(work("b", U256::ZERO));
        for scan in pending {
            scan.answer.send(None).unwrap();
        }
        let after: Vec<Scan> = (0..3).map(|_| scans.recv_timeout(PATIENCE).unwrap()).collect();
        assert!(after.iter().all(|scan| scan.letter() == 'b'));
        drop((after, scans));
    }

    #[test]
    fn a_pause_or_a_stop_ends_the_search_at_the_next_step() {
        let (miner, events, scans) = stepped(2);
        miner.set_work(work("a", U256::ZERO));
        let pending: Vec<Scan> = (0..2).map(|_| scans.recv_timeout(PATIENCE).unwrap()).collect();
        miner.pause();
        for scan in pending {
            scan.answer.send(None).unwrap();
        }
        drop(miner);
        assert!(scans.try_iter().next().is_none());
        assert!(events.try_iter().next().is_none());
    }

    #[test]
    fn threads_search_apart() {
        let (miner, _events, scans) = stepped(4);
        miner.set_work(work("a", U256::ZERO));
        let mut seen = HashSet::new();
        for _ in 0..200 {
            let scan = scans.recv_timeout(PATIENCE).unwrap();
            assert!(scan.count == CHUNK && scan.first.is_multiple_of(CHUNK));
            assert!(seen.insert((scan.header.hash(), scan.first)));
            scan.answer.send(None).unwrap();
        }
        drop(scans);
    }

    #[test]
    fn what_a_kernel_claims_is_checked() {
        let (miner, events, scans) = stepped(1);
        miner.set_work(work("a", U256::ZERO));
        let scan = scans.recv_timeout(PATIENCE).unwrap();
        scan.answer.send(Some(17)).unwrap();
        // The search goes on behind the claim.
        let scan = scans.recv_timeout(PATIENCE).unwrap();
        assert_eq!((scan.first, miner.hashes()), (18, 18));
        assert!(events.try_iter().next().is_none());
        miner.set_work(work("b", U256::MAX));
        scan.answer.send(None).unwrap();
        scans.recv_timeout(PATIENCE).unwrap().answer.send(Some(5)).unwrap();
        let Ok(Event::Found(solution)) = events.recv_timeout(PATIENCE) else { panic!("a solution") };
        assert_eq!((solution.work.id.as_str(), solution.header.nonce), ("b", 5));
    }

    /// The first nonce whose hash is the lowest of the first 2,000, and the first one behind it in the chunk that is lower.
    fn two_hits(header: &Header) -> Option<(u32, u32)> {
        let hash = |nonce: u32| U256::from_le_bytes(Header { nonce, ..*header }.hash().0);
        let first = (0..2_000).min_by_key(|nonce| hash(*nonce))?;
        let second = (first + 1..CHUNK).find(|nonce| hash(*nonce) < hash(first))?;
        Some((first, second))
    }

    #[test]
    fn the_second_of_two_hits_in_a_chunk_is_found_if_the_first_does_not_win() {
        // About every second header has two hits.
        let with_time = |time| Header { time, ..work("a", U256::ZERO).header };
        let (header, (first, second)) =
            (0..).map(with_time).find_map(|header| Some((header, two_hits(&header)?))).unwrap();
        // One too hard for the first: the kernel, which looks at the highest word, claims it.
        let target = U256::from_le_bytes(Header { nonce: first, ..header }.hash().0) - U256::ONE;
        assert_eq!(Midstate.scan(&header, &target, 0, CHUNK), Some(first));
        let (miner, events) = start(1, Midstate);
        miner.set_work(Work { header, ..work("a", target) });
        let Ok(Event::Found(solution)) = events.recv_timeout(PATIENCE) else { panic!("a solution") };
        assert_eq!(solution.header, Header { nonce: second, ..header });
    }

    /// A kernel that finds nothing, at once.
    struct Blind;

    impl Kernel for Blind {
        fn name(&self) -> &'static str {
            "blind"
        }

        fn scan(&self, _: &Header, _: &U256, _: u32, _: u32) -> Option<u32> {
            None
        }
    }

    #[test]
    fn tells_once_when_there_is_nothing_left_to_search() {
        let (miner, events) = start(3, Blind);
        let fixed = Work { version_mask: 0, ..work("a", U256::ZERO) };
        miner.set_work(fixed.clone());
        assert_eq!(events.recv_timeout(PATIENCE), Ok(Event::Exhausted(Arc::new(fixed))));
        assert_eq!(miner.hashes(), 1 << 32);
        miner.set_work(Work { version_mask: 1 << 5, ..work("b", U256::ZERO) });
        assert!(matches!(events.recv_timeout(PATIENCE), Ok(Event::Exhausted(work)) if work.id == "b"));
        assert_eq!(miner.hashes(), 3 << 32);
        drop(miner);
        assert!(events.try_iter().next().is_none());
    }
}
