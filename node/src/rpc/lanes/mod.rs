//! Admission: a call takes its place before it takes a thread.
//!
//! A call that waits goes with its future, so that a client that leaves takes it along. Each lane has a few places and a bounded
//! queue: strangers with cheap bytes (`eth_call` loops, full blocks, histories) must not take the cores that the chain needs,
//! nor keep the operator and the miners from being heard. Code and reads have lanes of their own, since a loop of code runs for
//! seconds and a balance is read in a millisecond. In a queue the addresses take turns, and so do the connections of an address:
//! however much one asks, another waits for one call of it at most.
//!
//! Waking another thread takes longer than to read a row. So the thread that ends a call runs the next that waits, and calls that
//! read no more than a row are run by the thread that read them, if it gets a slot: there are fewer of them than such threads, so
//! that one is left for connections and peers while a disk is slow.

use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::base::{RpcError, RpcResult, cannot, internal, over_limit};

/// Which queue a call stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Small reads, and handing in transactions and blocks.
    Light,
    /// Reads much: histories, balances, whole blocks.
    Read,
    /// Runs code: calls, estimates, traces.
    Code,
    /// `admin_*` and `miner_*`, so that nobody else is in front of them.
    Operator,
}

/// Memory that all calls of strangers that run code or read much may hold together, half of it each; what one of them holds at
/// most: 50 million gas of TSTORE, or a trace with the copies that are made of it; and a decoded block with its text.
const MEMORY: usize = 1 << 30;
const MEMORY_OF_CODE: usize = 256 << 20;
const MEMORY_OF_READ: usize = 128 << 20;
/// Places for them at most, on a machine with more cores than memory for them.
const MOST_CODE: usize = MEMORY / 2 / MEMORY_OF_CODE;
const MOST_READ: usize = MEMORY / 2 / MEMORY_OF_READ;
/// Threads that read connections and peers' messages: one more than run brief calls.
const THREADS: [usize; 2] = [3, 9];
/// Places for light calls. With the others below the runtime's 64 blocking threads, whose own queue has no bound.
const LIGHT: usize = 32;
/// Places for the operator and miners.
const OPERATOR: usize = 8;
/// Calls that may wait in a queue, and those of one address, more than a library sends at once: four addresses fill it, and then
/// make room for the calls of others.
const WAITING: usize = 2_048;
const WAITING_OF_ONE: usize = 512;
/// Templates that may be waited for at a time, and of one address: with each new tip all of them are made.
const POLLS: usize = 64;
const POLLS_OF_ONE: usize = 32;
/// Other calls that wait for something to happen, of which strangers must not keep the miners': each costs a task, and a small
/// read with each new tip.
const WAITS: usize = 512;
const WAITS_OF_ONE: usize = 128;
/// A call that has waited for so long is refused.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whose call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Who {
    /// Its address, as [`network`] has it.
    pub network: IpAddr,
    /// Its connection.
    pub connection: u64,
    /// Whether it showed the node's cookie: for it a place more is kept, whatever others do.
    pub operator: bool,
}

impl Default for Who {
    fn default() -> Self {
        Self { network: Ipv4Addr::LOCALHOST.into(), connection: 0, operator: false }
    }
}

/// What counts as one address: of IPv6 the half that an operator is given, who has all addresses in it.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip => ip,
    }
}

/// All lanes of a node.
pub struct Lanes {
    light: Arc<Queue>,
    read: Arc<Queue>,
    code: Arc<Queue>,
    operator: Arc<Queue>,
    polls: Arc<Polls>,
    waits: Arc<Polls>,
    slots: Arc<Semaphore>,
}

/// Calls that wait without a thread, by address.
struct Polls {
    most: usize,
    most_of_one: usize,
    of: Mutex<HashMap<IpAddr, usize>>,
}

struct Queue {
    places: usize,
    most_waiting: usize,
    line: Mutex<Line>,
}

/// Who runs and who waits.
#[derive(Default)]
struct Line {
    running: usize,
    next: u64,
    waiting: Vec<Waiter>,
    /// When those who wait were last served, as the number of calls served before: by address, and by connection.
    served: HashMap<Who, u64>,
    served_networks: HashMap<IpAddr, u64>,
    turns: u64,
}

struct Waiter {
    number: u64,
    who: Who,
    /// Calls that had been served when it came: who comes anew does not come before those who wait.
    entered: u64,
    job: Job,
}

/// What a call does once it has a thread.
type Job = Box<dyn FnOnce() + Send>;

/// The right to wait for something to happen, given back when it is dropped.
pub struct Poll {
    polls: Arc<Polls>,
    /// `None` for the operator, who is not counted.
    network: Option<IpAddr>,
}

/// A call in the queue, which leaves it when this is dropped.
struct Waiting<'q> {
    queue: &'q Queue,
    number: u64,
}

impl Queue {
    fn new(places: usize, most_waiting: usize) -> Arc<Self> {
        Arc::new(Self { places, most_waiting, line: Mutex::default() })
    }

    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        who: Who,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> RpcResult<T> {
        let (sender, mut result) = oneshot::channel();
        let job = move || {
            // Its client has gone.
            if sender.is_closed() {
                return;
            }
            let done = catch_unwind(AssertUnwindSafe(run)).map_err(|_| {
                tracing::error!("an RPC call panicked; please report this");
                internal("the call failed; the node's log says more")
            });
            let _ = sender.send(done);
        };
        let waiting = self.admit(who, Box::new(job))?;
        if let Some(waiting) = waiting {
            match tokio::time::timeout(PATIENCE, &mut result).await {
                Err(_) if waiting.leave() => return Err(busy()),
                Err(_) => {}
                // Without a result it made room for a call of another address.
                Ok(result) => return result.unwrap_or_else(|_| Err(busy())),
            }
        }
        result.await.unwrap_or_else(|_| Err(cannot("the node is shutting down")))
    }

    /// Starts a job, or lets it wait for its turn.
    fn admit(self: &Arc<Self>, who: Who, job: Job) -> RpcResult<Option<Waiting<'_>>> {
        let mut line = self.line.lock();
        // Nobody who may run waits while there is room.
        if line.running < self.room_for(who) {
            line.running += 1;
            drop(line);
            let queue = self.clone();
            tokio::task::spawn_blocking(move || queue.work(job));
            return Ok(None);
        }
        let removed = line.make_room(who, self.most_waiting)?;
        line.next += 1;
        let (number, entered) = (line.next, line.turns);
        line.waiting.push(Waiter { number, who, entered, job });
        drop(line);
        // Its caller is told by the end of the channel. A job may hold a large request, which is dropped outside the lock.
        drop(removed);
        Ok(Some(Waiting { queue: self, number }))
    }

    /// Runs a job, and then those that wait.
    fn work(&self, mut job: Job) {
        loop {
            job();
            let Some(next) = self.take_next() else { return };
            job = next;
        }
    }

    /// A job has ended: another runs in its place.
    fn take_next(&self) -> Option<Job> {
        let mut line = self.line.lock();
        line.running -= 1;
        let running = line.running;
        let next = line.pop_next(|who| running < self.room_for(who))?;
        line.running += 1;
        Some(next.job)
    }

    /// Places for a caller: one is kept for the operator.
    fn room_for(&self, who: Who) -> usize {
        self.places + usize::from(who.operator)
    }
}

impl Line {
    /// Removes a call if too many wait.
    ///
    /// # Errors
    /// -32005 if there is none to remove, or too many wait of this address.
    fn make_room(&mut self, who: Who, most: usize) -> RpcResult<Option<Waiter>> {
        let own = self.waiting.iter().filter(|waiter| waiter.who.network == who.network).count();
        if own >= WAITING_OF_ONE {
            return Err(busy());
        }
        if self.waiting.len() < most {
            return Ok(None);
        }
        let mut of: HashMap<IpAddr, usize> = HashMap::new();
        self.waiting.iter().for_each(|waiter| *of.entry(waiter.who.network).or_default() += 1);
        let busiest = of.into_iter().max_by_key(|(_, calls)| *calls).filter(|(_, calls)| *calls > own + 1);
        let last =
            busiest.and_then(|(network, _)| self.waiting.iter().rposition(|waiter| waiter.who.network == network));
        last.map(|last| Some(self.waiting.remove(last))).ok_or_else(busy)
    }

    /// Takes out the call whose turn it is: of the address that was served longest ago, and of its connections likewise.
    fn pop_next(&mut self, may: impl Fn(Who) -> bool) -> Option<Waiter> {
        let turn = |waiter: &Waiter| {
            let network = self.served_networks.get(&waiter.who.network).copied().unwrap_or(waiter.entered);
            (network, self.served.get(&waiter.who).copied().unwrap_or(waiter.entered), waiter.number)
        };
        let able = self.waiting.iter().enumerate().filter(|(_, waiter)| may(waiter.who));
        let (place, _) = able.min_by_key(|(_, waiter)| turn(waiter))?;
        let next = self.waiting.remove(place);
        self.turns += 1;
        self.served.insert(next.who, self.turns);
        self.served_networks.insert(next.who.network, self.turns);
        // Of those who do not wait nothing is kept: there may be any number of them.
        let waiting: HashSet<Who> = self.waiting.iter().map(|waiter| waiter.who).chain([next.who]).collect();
        let networks: HashSet<IpAddr> = waiting.iter().map(|who| who.network).collect();
        self.served.retain(|who, _| waiting.contains(who));
        self.served_networks.retain(|network, _| networks.contains(network));
        Some(next)
    }
}

impl Waiting<'_> {
    /// Whether it still waited.
    fn leave(&self) -> bool {
        // Its job is dropped outside the lock.
        let left = {
            let waiting = &mut self.queue.line.lock().waiting;
            let place = waiting.iter().position(|waiter| waiter.number == self.number);
            place.map(|place| waiting.remove(place))
        };
        left.is_some()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let mut of = self.polls.of.lock();
        if let Some(network) = self.network
            && let Some(own) = of.get_mut(&network)
        {
            *own -= 1;
            of.retain(|_, own| *own > 0);
        }
    }
}

/// How many threads read connections and peers' messages.
pub fn threads() -> usize {
    (cores() + 1).clamp(THREADS[0], THREADS[1])
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn busy() -> RpcError {
    over_limit("the node is busy with other calls: try again later")
}

impl Default for Lanes {
    fn default() -> Self {
        // One core stays with the engine, whatever is asked.
        let cores = cores().saturating_sub(1);
        Self::new(cores.clamp(1, MOST_CODE), cores.clamp(1, MOST_READ), WAITING)
    }
}

impl Lanes {
    /// Lanes with so many places for calls that run code and that read much, and for such that wait.
    pub fn new(code: usize, read: usize, waiting: usize) -> Self {
        Self {
            light: Queue::new(LIGHT, WAITING),
            read: Queue::new(read, waiting),
            code: Queue::new(code, waiting),
            operator: Queue::new(OPERATOR, 128),
            polls: Polls::new(POLLS, POLLS_OF_ONE),
            waits: Polls::new(WAITS, WAITS_OF_ONE),
            slots: Arc::new(Semaphore::new(threads() - 1)),
        }
    }

    /// Runs something on a blocking thread once there is a place for it; dropped before, it never runs.
    ///
    /// # Errors
    /// -32005 if too many wait, in all or of one address, or if it waited too long; -32603 if it panics.
    pub async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        who: Who,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> RpcResult<T> {
        self.queue(lane).run(who, run).await
    }

    /// The right to run a call on the thread that read it; `None` if others do.
    pub fn slot(&self) -> Option<OwnedSemaphorePermit> {
        self.slots.clone().try_acquire_owned().ok()
    }

    fn queue(&self, lane: Lane) -> &Arc<Queue> {
        match lane {
            Lane::Light => &self.light,
            Lane::Read => &self.read,
            Lane::Code => &self.code,
            Lane::Operator => &self.operator,
        }
    }

    /// Calls in all places but the operator's, each of which ends when what belongs to it here is dropped.
    #[cfg(test)]
    pub fn fill(&self, lane: Lane) -> Vec<std::sync::mpsc::Sender<()>> {
        let start = |_| {
            let (end, ended) = std::sync::mpsc::channel();
            let wait = move || ended.recv().unwrap_or_default();
            assert!(self.queue(lane).admit(Who::default(), Box::new(wait)).unwrap().is_none());
            end
        };
        (0..self.queue(lane).places).map(start).collect()
    }

    /// How many calls wait.
    #[cfg(test)]
    pub fn waiting(&self, lane: Lane) -> usize {
        self.queue(lane).line.lock().waiting.len()
    }

    /// A place to wait for something to happen, which needs no thread: for a template in the operator's lane. The operator
    /// always has one.
    ///
    /// # Errors
    /// -32005 if too many wait, in all or of one address.
    pub fn poll(&self, lane: Lane, who: Who) -> RpcResult<Poll> {
        let polls = if lane == Lane::Operator { &self.polls } else { &self.waits };
        let network = (!who.operator).then_some(who.network);
        if let Some(network) = network {
            let mut of = polls.of.lock();
            let own = of.get(&network).copied().unwrap_or_default();
            if own >= polls.most_of_one || of.values().sum::<usize>() >= polls.most {
                return Err(busy());
            }
            of.insert(network, own + 1);
        }
        Ok(Poll { polls: polls.clone(), network })
    }
}

impl Polls {
    fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        Arc::new(Self { most, most_of_one, of: Mutex::default() })
    }
}

#[cfg(test)]
mod tests;
