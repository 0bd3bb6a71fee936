use std::{
    collections::HashSet,
    ops::Range,
    sync::mpsc::{Receiver, Sender, channel},
};

use chain_core::{hash::BlockHash, work::pow};

use super::*;
use crate::{
    kernel::fastest,
    work::{MAX_SOLUTIONS, VERSION_MASK},
};

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
        max_solutions: MAX_SOLUTIONS,
    }
}

fn start(threads: usize, kernel: impl Kernel + 'static) -> (Miner, Receiver<Event>) {
    start_boxed(threads, Box::new(kernel))
}

fn start_boxed(threads: usize, kernel: Box<dyn Kernel>) -> (Miner, Receiver<Event>) {
    let (sender, events) = channel();
    (Miner::start(Threads::new(threads), kernel, move |event| sender.send(event).unwrap()).unwrap(), events)
}

/// One call of a [`Stepped`] kernel: its job, its position, and the channel for the result.
struct Scan {
    job: Job,
    first: u32,
    count: u32,
    answer: Sender<Vec<Hit>>,
}

impl Scan {
    fn header(&self) -> Header {
        self.job.header(Hit { version: 0, nonce: 0 })
    }

    fn letter(&self) -> char {
        self.header().merkle_root[0].into()
    }

    fn find(&self, nonces: &[u32]) {
        self.answer.send(nonces.iter().map(|&nonce| Hit { version: 0, nonce }).collect()).unwrap();
    }
}

/// A kernel that asks the test at each step.
struct Stepped(Sender<Scan>);

impl Kernel for Stepped {
    fn name(&self) -> &'static str {
        "stepped"
    }

    fn scan(&self, job: &Job, first: u32, count: u32, hits: &mut Vec<Hit>) {
        let (answer, answers) = channel();
        let scan = Scan { job: job.clone(), first, count, answer };
        hits.extend(self.0.send(scan).ok().and_then(|()| answers.recv().ok()).unwrap_or_default());
    }
}

fn stepped(threads: usize) -> (Miner, Receiver<Event>, Receiver<Scan>) {
    let (sender, scans) = channel();
    let (miner, events) = start(threads, Stepped(sender));
    (miner, events, scans)
}

#[test]
fn finds_headers_that_win_and_goes_on_until_there_are_enough() {
    let (miner, events) = start_boxed(4, fastest());
    let target = pow::target(0x1f7f_ffff).unwrap();
    for (id, most) in [("a", 1), ("b", 16), ("c", 1)] {
        miner.set_work(Work { max_solutions: most, ..work(id, target) });
        let mut distinct = HashSet::new();
        for _ in 0..most {
            let Ok(Event::Found(solution)) = events.recv_timeout(PATIENCE) else { panic!("a solution") };
            assert_eq!(solution.work.id, id);
            assert!(U256::from_le_bytes(solution.header.hash().0) <= target);
            assert_eq!(solution.header.merkle_root, [id.as_bytes()[0]; 32]);
            assert!(distinct.insert(solution.header.hash()));
        }
    }
    let best = miner.best().unwrap();
    assert!(best <= target && miner.hashes() > 0);
    drop(miner);
    assert!(events.try_iter().next().is_none());
}

#[test]
fn a_thread_that_the_system_refuses_is_an_error_with_advice() {
    // No address space has room for such a stack.
    let Err(error) = Miner::start_with(Threads::new(3), 1 << 60, fastest(), |_| ()) else { panic!("it starts") };
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
        scan.find(&[]);
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
        scan.find(&[]);
    }
    drop(miner);
    assert!(scans.try_iter().next().is_none());
    assert!(events.try_iter().next().is_none());
}

#[test]
fn threads_search_apart() {
    let (miner, _events, scans) = stepped(4);
    miner.set_work(work("a", U256::ZERO));
    let mut seen = Vec::new();
    for _ in 0..200 {
        let scan = scans.recv_timeout(PATIENCE).unwrap();
        let nonces = u64::from(scan.first)..u64::from(scan.first) + u64::from(scan.count);
        assert!(scan.count > 0 && nonces.end <= 1 << 32);
        let key = scan.header().to_bytes();
        let apart = |other: &Range<u64>| other.end <= nonces.start || nonces.end <= other.start;
        assert!(seen.iter().all(|(header, other)| *header != key || apart(other)));
        seen.push((key, nonces));
        scan.find(&[]);
    }
    drop(scans);
}

#[test]
fn what_a_kernel_claims_is_checked() {
    let (miner, events, scans) = stepped(1);
    miner.set_work(work("a", U256::ZERO));
    let scan = scans.recv_timeout(PATIENCE).unwrap();
    scan.find(&[17]);
    let next = scans.recv_timeout(PATIENCE).unwrap();
    assert_eq!((next.first, miner.hashes()), (scan.count, u64::from(scan.count) * 64));
    assert!(events.try_iter().next().is_none());
    miner.set_work(work("b", U256::MAX));
    next.find(&[]);
    scans.recv_timeout(PATIENCE).unwrap().find(&[5]);
    let Ok(Event::Found(solution)) = events.recv_timeout(PATIENCE) else { panic!("a solution") };
    assert_eq!((solution.work.id.as_str(), solution.header.nonce), ("b", 5));
}

#[test]
fn a_solution_does_not_stop_the_search() {
    let (miner, events, scans) = stepped(1);
    // Only the lower of two hashes wins.
    let all = work("a", U256::ZERO);
    miner.set_work(all.clone());
    let scan = scans.recv_timeout(PATIENCE).unwrap();
    let hash = |nonce| U256::from_le_bytes(scan.job.header(Hit { version: 0, nonce }).hash().0);
    let (low, high) = if hash(1) < hash(2) { (1, 2) } else { (2, 1) };
    miner.set_work(Work { target: hash(low), max_solutions: 2, ..all });
    scan.find(&[]);
    let mut next = scans.recv_timeout(PATIENCE).unwrap();
    next.find(&[high, low]);
    let Ok(Event::Found(solution)) = events.recv_timeout(PATIENCE) else { panic!("a solution") };
    assert_eq!(solution.header.nonce, low);
    assert_eq!(miner.best(), Some(hash(low)));
    next = scans.recv_timeout(PATIENCE).unwrap();
    assert!(next.first > 0);
    next.find(&[low]);
    let Ok(Event::Found(_)) = events.recv_timeout(PATIENCE) else { panic!("the second solution") };
    // That was the last that is wanted.
    miner.set_work(work("b", U256::ZERO));
    assert_eq!(scans.recv_timeout(PATIENCE).unwrap().letter(), 'b');
    assert!(events.try_iter().next().is_none());
}

#[test]
fn newer_work_ends_a_rest_at_once() {
    let (sender, scans) = channel();
    let settings = Threads { intensity: 1, ..Threads::new(1) };
    let miner = Miner::start(settings, Box::new(Stepped(sender)), |_| ()).unwrap();
    miner.set_work(work("a", U256::ZERO));
    let scan = scans.recv_timeout(PATIENCE).unwrap();
    // The rest after this is the longest.
    thread::sleep(Duration::from_millis(20));
    let asked = Instant::now();
    scan.find(&[]);
    thread::sleep(Duration::from_millis(5));
    assert!(scans.try_iter().next().is_none());
    miner.set_work(work("b", U256::ZERO));
    assert_eq!(scans.recv_timeout(PATIENCE).unwrap().letter(), 'b');
    assert!(asked.elapsed() < Duration::from_millis(90), "{:?}", asked.elapsed());
}

/// A kernel that finds nothing, at once.
struct Blind;

impl Kernel for Blind {
    fn name(&self) -> &'static str {
        "blind"
    }

    fn scan(&self, _: &Job, _: u32, _: u32, _: &mut Vec<Hit>) {}
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
