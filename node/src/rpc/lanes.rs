//! Admission: a call takes its place before it takes a thread.
//!
//! What waits here is a future, so that a client that leaves takes its call along. Each lane has a few places and a bounded
//! queue: strangers with cheap bytes (`eth_call` loops, full blocks, histories) must not take the cores that the chain needs,
//! nor keep the operator and the miners from being heard. Code and reads have lanes of their own, since a loop of code runs for
//! seconds and a balance is read in a millisecond. In a queue the addresses take turns, and so do the connections of an address:
//! however much one asks, another waits for one call of it at most.

use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};
use tokio::sync::oneshot;

use super::base::{RpcError, RpcResult, over_limit};

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
    place: oneshot::Sender<Place>,
}

/// The right to run, given back when it is dropped.
pub struct Place(Arc<Queue>);

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

    async fn enter(self: &Arc<Self>, who: Who) -> RpcResult<Place> {
        let (waiting, place) = {
            let mut line = self.line.lock();
            // Nobody who may run waits while there is room.
            if line.running < self.room_for(who) {
                line.running += 1;
                return Ok(Place(self.clone()));
            }
            line.make_room(who, self.most_waiting)?;
            let (sender, place) = oneshot::channel();
            line.next += 1;
            let number = line.next;
            let entered = line.turns;
            line.waiting.push(Waiter { number, who, entered, place: sender });
            (Waiting { queue: self, number }, place)
        };
        let place = tokio::time::timeout(PATIENCE, place).await;
        drop(waiting);
        // It waited in vain, or made room for a call of another address.
        place.ok().and_then(Result::ok).ok_or_else(busy)
    }

    /// Places for a caller: one is kept for the operator.
    fn room_for(&self, who: Who) -> usize {
        self.places + usize::from(who.operator)
    }

    /// A call has ended: another runs in its place.
    fn leave(self: &Arc<Self>) {
        let mut line = self.line.lock();
        line.running -= 1;
        let running = line.running;
        let Some(next) = line.pop_next(|who| running < self.room_for(who)) else { return };
        line.running += 1;
        drop(line);
        // If its client has gone in this moment, dropping the place serves the next.
        let _ = next.place.send(Place(self.clone()));
    }
}

impl Line {
    /// # Errors
    /// -32005 if too many wait, in all or of this address.
    fn make_room(&mut self, who: Who, most: usize) -> RpcResult<()> {
        let own = self.waiting.iter().filter(|waiter| waiter.who.network == who.network).count();
        if own >= WAITING_OF_ONE {
            return Err(busy());
        }
        if self.waiting.len() < most {
            return Ok(());
        }
        let mut of: HashMap<IpAddr, usize> = HashMap::new();
        self.waiting.iter().for_each(|waiter| *of.entry(waiter.who.network).or_default() += 1);
        let busiest = of.into_iter().max_by_key(|(_, calls)| *calls).filter(|(_, calls)| *calls > own + 1);
        let last =
            busiest.and_then(|(network, _)| self.waiting.iter().rposition(|waiter| waiter.who.network == network));
        // Its caller is told by the end of the channel.
        last.map(|last| drop(self.waiting.remove(last))).ok_or_else(busy)
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

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.line.lock().waiting.retain(|waiter| waiter.number != self.number);
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

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}

fn busy() -> RpcError {
    over_limit("the node is busy with other calls: try again later")
}

impl Default for Lanes {
    fn default() -> Self {
        // One core stays with the engine, whatever is asked.
        let cores = std::thread::available_parallelism().map_or(1, usize::from).saturating_sub(1);
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
        }
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// -32005 if too many wait, in all or of one address.
    pub async fn enter(&self, lane: Lane, who: Who) -> RpcResult<Place> {
        self.queue(lane).enter(who).await
    }

    fn queue(&self, lane: Lane) -> &Arc<Queue> {
        match lane {
            Lane::Light => &self.light,
            Lane::Read => &self.read,
            Lane::Code => &self.code,
            Lane::Operator => &self.operator,
        }
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
mod tests {
    use super::*;
    use futures::{FutureExt, future::BoxFuture};

    fn code(result: RpcResult<Place>) -> Option<i32> {
        result.err().map(|error| error.code())
    }

    fn who(ip: &str, connection: u64) -> Who {
        Who { network: network(ip.parse().unwrap()), connection, operator: false }
    }

    /// A call that stands in the queue.
    fn waits(lanes: &Lanes, who: Who) -> BoxFuture<'_, RpcResult<Place>> {
        let mut call = lanes.enter(Lane::Code, who).boxed();
        assert!(call.as_mut().now_or_never().is_none());
        call
    }

    #[tokio::test]
    async fn code_beyond_the_queue_is_refused_and_other_calls_still_run() {
        let lanes = Lanes::new(1, 1, 2);
        let first = lanes.enter(Lane::Code, Who::default()).await.unwrap();
        let (second, _third) = (waits(&lanes, Who::default()), waits(&lanes, Who::default()));
        assert_eq!(code(lanes.enter(Lane::Code, Who::default()).await), Some(-32005));
        for lane in [Lane::Light, Lane::Read, Lane::Operator] {
            assert_eq!(code(lanes.enter(lane, Who::default()).await), None, "{lane:?}");
        }
        drop(first);
        assert_eq!(code(second.await), None);
    }

    #[tokio::test]
    async fn a_client_that_leaves_the_queue_makes_room() {
        let lanes = Lanes::new(1, 1, 1);
        let _first = lanes.enter(Lane::Code, Who::default()).await.unwrap();
        let second = waits(&lanes, Who::default());
        assert_eq!(code(lanes.enter(Lane::Code, Who::default()).await), Some(-32005));
        drop(second);
        drop(waits(&lanes, Who::default()));
        assert_eq!(lanes.waiting(Lane::Code), 0);
    }

    // Two addresses come again with a new call whenever they are served.
    #[tokio::test]
    async fn who_comes_again_and_again_does_not_overtake_who_waits() {
        let lanes = Lanes::new(1, 1, 512);
        let mut place = lanes.enter(Lane::Code, who("192.0.2.9", 9)).await.unwrap();
        let (patient, again) = (who("192.0.2.1", 1), [who("192.0.2.2", 2), who("192.0.2.3", 3)]);
        let mut calls: Vec<_> = [patient; 3].into_iter().chain(again).map(|who| (who, waits(&lanes, who))).collect();
        let mut left = 3;
        for _ in 0..9 {
            drop(place);
            let served = calls.iter_mut().enumerate().find_map(|(at, (_, call))| Some((at, call.now_or_never()?)));
            let (at, next) = served.expect("one is served");
            place = next.unwrap();
            let (by, _) = calls.remove(at);
            match by == patient {
                true => left -= 1,
                false => calls.push((by, waits(&lanes, by))),
            }
        }
        assert_eq!(left, 0, "a third of nine turns");
    }

    // Addresses take turns, and the connections of an address too: 1 has a hundred calls in the queue, 2 has two connections.
    #[tokio::test]
    async fn a_call_waits_for_one_call_of_each_other_address_at_most() {
        let lanes = Lanes::new(1, 1, 512);
        let mut place = lanes.enter(Lane::Code, who("192.0.2.1", 1)).await.unwrap();
        let mut calls: Vec<_> = (0..100).map(|_| ("flood", waits(&lanes, who("192.0.2.1", 1)))).collect();
        calls.push(("a", waits(&lanes, who("192.0.2.2", 2))));
        calls.push(("a", waits(&lanes, who("192.0.2.2", 2))));
        calls.push(("b", waits(&lanes, who("192.0.2.2", 3))));
        let mut order = Vec::new();
        while order.len() < 7 {
            drop(place);
            let mut served = None;
            calls.retain_mut(|(name, call)| match served.is_none().then(|| call.now_or_never()).flatten() {
                Some(next) => {
                    served = Some((*name, next.unwrap()));
                    false
                }
                None => true,
            });
            let (name, next) = served.expect("one is served");
            order.push(name);
            place = next;
        }
        assert_eq!(order, ["flood", "a", "flood", "b", "flood", "a", "flood"]);
    }

    #[tokio::test]
    async fn one_address_has_a_share_and_makes_room_for_others_when_the_queue_is_full() {
        let lanes = Lanes::new(1, 1, 2 * WAITING_OF_ONE);
        let _first = lanes.enter(Lane::Code, who("192.0.2.1", 0)).await.unwrap();
        // The connections of a network of IPv6 are one address.
        let flood = |number: u64| who(&format!("2001:db8::{number:x}"), number);
        let mut waiting: Vec<_> = (0..WAITING_OF_ONE as u64).map(|number| waits(&lanes, flood(number))).collect();
        assert_eq!(code(lanes.enter(Lane::Code, flood(999)).await), Some(-32005));
        waiting.extend((0..WAITING_OF_ONE).map(|_| waits(&lanes, who("192.0.2.1", 0))));
        let honest = waits(&lanes, who("192.0.2.7", 7));
        assert_eq!(lanes.waiting(Lane::Code), 2 * WAITING_OF_ONE);
        let refused = waiting.iter_mut().filter_map(|call| call.now_or_never()).map(code);
        assert_eq!(refused.collect::<Vec<_>>(), [Some(-32005)], "the last one of those who have most");
        drop(honest);
    }

    #[test]
    fn long_polls_are_bounded_by_address_and_the_operator_always_waits() {
        let lanes = Lanes::new(1, 1, 512);
        let poll = |who| lanes.poll(Lane::Operator, who).map_err(|error| error.code());
        let mut polls: Vec<_> = (0..POLLS_OF_ONE).map(|_| poll(who("192.0.2.1", 1)).unwrap()).collect();
        assert_eq!(poll(who("192.0.2.1", 2)).err(), Some(-32005));
        polls.extend((0..POLLS - POLLS_OF_ONE).map(|_| poll(who("192.0.2.2", 1)).unwrap()));
        assert_eq!(poll(who("192.0.2.3", 3)).err(), Some(-32005), "in all");
        assert!(poll(Who { operator: true, ..who("192.0.2.1", 1) }).is_ok());
        polls.pop();
        assert!(poll(who("192.0.2.3", 3)).is_ok());
        drop(polls);
        assert!(lanes.polls.of.lock().is_empty());
    }

    #[test]
    fn calls_that_wait_for_their_transactions_leave_the_long_polls_of_miners_alone() {
        let lanes = Lanes::new(1, 1, 512);
        let wait = |host: usize| lanes.poll(Lane::Light, who(&format!("192.0.2.{host}"), 1));
        let waits: Vec<_> = (0..WAITS).map(|number| wait(number / WAITS_OF_ONE).unwrap()).collect();
        assert_eq!(wait(9).err().map(|error| error.code()), Some(-32005));
        assert!(lanes.poll(Lane::Operator, who("192.0.2.9", 1)).is_ok());
        drop(waits);
        assert!(lanes.waits.of.lock().is_empty());
    }

    #[tokio::test]
    async fn a_place_is_kept_for_the_operator() {
        let lanes = Lanes::new(1, 1, 512);
        let operator = Who { operator: true, ..who("127.0.0.1", 1) };
        let _first = lanes.enter(Lane::Code, who("127.0.0.1", 0)).await.unwrap();
        let own = lanes.enter(Lane::Code, operator).now_or_never().expect("it runs at once").unwrap();
        let stranger = waits(&lanes, who("127.0.0.1", 2));
        let second = waits(&lanes, operator);
        drop(own);
        assert!(second.now_or_never().is_some(), "the kept place is not given to a stranger");
        assert!(stranger.now_or_never().is_none());
    }
}
