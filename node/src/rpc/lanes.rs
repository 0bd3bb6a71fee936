//! Admission: a call takes its place before it takes a thread.
//!
//! What waits here is a future, so that a client that leaves takes its call along. Each lane is a [`Queue`]: strangers with
//! cheap bytes (`eth_call` loops, full blocks, histories) must not take the cores that the chain needs, nor keep the
//! operator and the miners from being heard.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    error::RpcResult,
    queue::{Client, Place, Queue, busy},
};

/// Which queue a call stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Microseconds: rows of the store, what the engine has at hand, handing in transactions and blocks.
    Light,
    /// Milliseconds: a whole block, or the state of an older one.
    Block,
    /// Runs code or reads much: calls, estimates, traces, histories, lists of the mempool.
    Heavy,
    /// `admin_*` and `miner_*`, so that nobody else is in front of them.
    Operator,
}

/// Places for heavy calls at most: each may hold some 200 MB (100 M gas of TSTORE, a trace), so this bounds memory.
const MOST_HEAVY: usize = 8;
/// Places for calls that read a block at most: each may hold some 40 MB.
const MOST_BLOCK: usize = 8;
/// Places for light calls. With the others below the runtime's 64 blocking threads, whose own queue has no bound.
const LIGHT: usize = 24;
/// Places for the operator and miners.
const OPERATOR: usize = 8;
/// Calls that may wait for a light place; for a heavy one or a block; for one of the operator's.
const WAITING: [usize; 3] = [1_024, 512, 128];
/// Places of each lane that the owner has beside the others: whatever strangers do, a wallet on the machine is answered.
const KEPT: usize = 1;
/// Templates that may be waited for at a time.
const POLLS: usize = 64;

/// All lanes of a node.
pub struct Lanes {
    light: Queue,
    block: Queue,
    heavy: Queue,
    operator: Queue,
    polls: Arc<Semaphore>,
}

impl Default for Lanes {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(cores, WAITING[1])
    }
}

impl Lanes {
    /// Lanes for so many cores, where so many calls may wait for a heavy place.
    pub fn new(cores: usize, waiting: usize) -> Self {
        // One core stays with the engine, whatever is asked.
        let heavy = cores.saturating_sub(1).clamp(1, MOST_HEAVY);
        Self {
            light: Queue::new(LIGHT, KEPT, WAITING[0]),
            block: Queue::new(cores.clamp(1, MOST_BLOCK), KEPT, WAITING[1]),
            heavy: Queue::new(heavy, KEPT, waiting),
            operator: Queue::new(OPERATOR, KEPT, WAITING[2]),
            polls: Arc::new(Semaphore::new(POLLS)),
        }
    }

    /// The queue of a lane.
    pub fn of(&self, lane: Lane) -> &Queue {
        match lane {
            Lane::Light => &self.light,
            Lane::Block => &self.block,
            Lane::Heavy => &self.heavy,
            Lane::Operator => &self.operator,
        }
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// -32005 if too many wait, or if it takes too long.
    pub async fn enter(&self, lane: Lane, client: Client) -> RpcResult<Place> {
        self.of(lane).enter(client).await
    }

    /// A place to wait for a template, which needs no thread.
    ///
    /// # Errors
    /// -32005 if too many wait.
    pub fn poll(&self) -> RpcResult<OwnedSemaphorePermit> {
        self.polls.clone().try_acquire_owned().map_err(|_| busy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::queue::Place;
    use futures::FutureExt;
    use std::{future::Future, net::IpAddr, pin::Pin};

    type Entering<'a> = Pin<Box<dyn Future<Output = RpcResult<Place>> + 'a>>;

    fn at(address: &str) -> Client {
        Client::at(address.parse::<IpAddr>().unwrap())
    }

    fn enter(lanes: &Lanes, client: Client) -> Entering<'_> {
        Box::pin(lanes.enter(Lane::Heavy, client))
    }

    /// The answer, if there is one: `None` while the call waits.
    fn now(entering: &mut Entering<'_>) -> Option<Result<Place, i32>> {
        entering.as_mut().now_or_never().map(|result| result.map_err(|error| error.code()))
    }

    fn waits(lanes: &Lanes, client: Client) -> Entering<'_> {
        let mut entering = enter(lanes, client);
        assert!(now(&mut entering).is_none(), "it should wait");
        entering
    }

    #[tokio::test]
    async fn heavy_calls_beyond_the_queue_are_refused_and_others_still_run() {
        let (lanes, client) = (Lanes::new(1, 2), at("192.0.2.1"));
        let first = lanes.enter(Lane::Heavy, client).await.unwrap();
        let (mut second, mut third) = (waits(&lanes, client), waits(&lanes, client));
        assert_eq!(now(&mut enter(&lanes, client)).unwrap().err(), Some(-32005));
        for lane in [Lane::Light, Lane::Block, Lane::Operator] {
            assert!(lanes.enter(lane, client).await.is_ok(), "{lane:?}");
        }
        drop(first);
        assert!(now(&mut third).is_none(), "one place, one call");
        drop(now(&mut second).unwrap().unwrap());
        assert!(now(&mut third).unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_client_that_leaves_the_queue_makes_room() {
        let (lanes, client) = (Lanes::new(1, 1), at("192.0.2.1"));
        let first = lanes.enter(Lane::Heavy, client).await.unwrap();
        let second = waits(&lanes, client);
        assert_eq!(now(&mut enter(&lanes, client)).unwrap().err(), Some(-32005));
        drop(second);
        let third = waits(&lanes, client);
        drop(first);
        // It was given the place and never took it.
        drop(third);
        assert!(lanes.enter(Lane::Heavy, client).await.is_ok());
        assert_eq!(lanes.of(Lane::Heavy).room_to_wait(), 1);
    }

    #[tokio::test]
    async fn one_address_does_not_fill_the_queue() {
        let (lanes, greedy) = (Lanes::new(1, 4), at("192.0.2.1"));
        let _running = lanes.enter(Lane::Heavy, greedy).await.unwrap();
        let mut waiting: Vec<_> = (0..4).map(|_| waits(&lanes, greedy)).collect();
        let _others = [waits(&lanes, at("192.0.2.2")), waits(&lanes, at("192.0.2.3"))];
        assert_eq!(now(&mut waiting[3]).unwrap().err(), Some(-32005), "the newest goes");
        assert_eq!(now(&mut waiting[2]).unwrap().err(), Some(-32005));
        let _another = waits(&lanes, at("192.0.2.4"));
        assert_eq!(now(&mut waiting[1]).unwrap().err(), Some(-32005));
        assert!(now(&mut waiting[0]).is_none(), "everybody has one now");
        assert_eq!(now(&mut enter(&lanes, at("192.0.2.5"))).unwrap().err(), Some(-32005));
    }

    #[tokio::test]
    async fn addresses_take_turns() {
        let (lanes, [a, b]) = (Lanes::new(1, 9), [at("192.0.2.1"), at("192.0.2.2")]);
        let running = lanes.enter(Lane::Heavy, a).await.unwrap();
        let mut waiting = [a, a, a, b, b].map(|client| waits(&lanes, client));
        let mut order = Vec::new();
        let mut running = Some(running);
        while running.take().is_some() {
            let next = waiting.iter_mut().enumerate().filter(|(index, _)| !order.contains(index));
            let found = next.into_iter().find_map(|(index, one)| Some((index, now(one)?.unwrap())));
            if let Some((index, place)) = found {
                order.push(index);
                running = Some(place);
            }
        }
        assert_eq!(order, [0, 3, 1, 4, 2]);
    }

    #[tokio::test]
    async fn the_owner_is_served_whatever_strangers_do() {
        let (lanes, stranger) = (Lanes::new(1, 2), at("127.0.0.1"));
        let running = lanes.enter(Lane::Heavy, stranger).await.unwrap();
        let mut before = [waits(&lanes, stranger), waits(&lanes, stranger)];
        let own = lanes.enter(Lane::Heavy, Client::Owner).await.unwrap();
        let mut second = waits(&lanes, Client::Owner);
        drop(own);
        let second = now(&mut second).unwrap().unwrap();
        drop(running);
        assert!(now(&mut before[0]).is_none(), "the owner has the place of a stranger now");
        drop(second);
        assert!(now(&mut before[0]).unwrap().is_ok());
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_client() {
        assert_eq!(at("2001:db8:0:1::1"), at("2001:db8:0:1:ffff::2"));
        assert_ne!(at("2001:db8:0:1::1"), at("2001:db8:0:2::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
        assert_ne!(at("::1"), at("::2"));
    }
}
