//! Admission: a call takes its place before it takes a thread.
//!
//! What waits here is a future, so that a client that leaves takes its call along. Each lane has a few places and a bounded
//! queue: strangers with cheap bytes (`eth_call` loops, full blocks, histories) must not take the cores that the chain needs,
//! nor keep the operator and the miners from being heard.

use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{RpcError, RpcResult, over_limit};

/// Which queue a call stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Small reads, and handing in transactions and blocks.
    Light,
    /// Runs code or reads much: calls, estimates, traces, histories, whole blocks.
    Heavy,
    /// `admin_*` and `miner_*`, so that nobody else is in front of them.
    Operator,
}

/// Memory that all heavy calls together may hold, and what one of them holds at most: 100 million gas of TSTORE, or a trace
/// with the copies that are made of it.
const MEMORY: usize = 1 << 30;
const MEMORY_OF_ONE: usize = 256 << 20;
/// Places for heavy calls at most, on a machine with more cores than memory for them.
const MOST_HEAVY: usize = MEMORY / MEMORY_OF_ONE;
/// Places for light calls. With the others below the runtime's 64 blocking threads, whose own queue has no bound.
const LIGHT: usize = 32;
/// Places for the operator and miners.
const OPERATOR: usize = 8;
/// Heavy calls of one connection that may wait, so that one client does not fill the queue.
const WAITING_OF_ONE: usize = 128;
/// Templates that may be waited for at a time: with each new tip all of them are made.
const POLLS: usize = 64;
/// A call that has waited for so long is refused.
const PATIENCE: Duration = Duration::from_secs(30);

/// All lanes of a node.
pub struct Lanes {
    light: Queue,
    heavy: Queue,
    operator: Queue,
    polls: Arc<Semaphore>,
}

struct Queue {
    places: Arc<Semaphore>,
    waiting: Semaphore,
}

/// The right to run, given back when it is dropped.
pub type Place = OwnedSemaphorePermit;

/// Heavy calls of one connection that may still wait.
pub struct Waiters(Semaphore);

impl Default for Waiters {
    fn default() -> Self {
        Self(Semaphore::new(WAITING_OF_ONE))
    }
}

impl Queue {
    fn new(places: usize, waiting: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), waiting: Semaphore::new(waiting) }
    }

    async fn enter(&self, of_client: Option<&Waiters>) -> RpcResult<Place> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let _of_client = of_client.map(|waiters| waiters.0.try_acquire()).transpose().map_err(|_| busy())?;
        let _waits = self.waiting.try_acquire().map_err(|_| busy())?;
        match tokio::time::timeout(PATIENCE, self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            // Nobody closes it; a wait in vain ends the same way.
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }
}

fn busy() -> RpcError {
    over_limit("the node is busy with other calls: try again later")
}

impl Default for Lanes {
    fn default() -> Self {
        // One core stays with the engine, whatever is asked.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(cores.saturating_sub(1).clamp(1, MOST_HEAVY), 512)
    }
}

impl Lanes {
    /// Lanes with so many places for heavy calls, and for such that wait.
    pub fn new(heavy: usize, waiting: usize) -> Self {
        Self {
            light: Queue::new(LIGHT, 1_024),
            heavy: Queue::new(heavy, waiting),
            operator: Queue::new(OPERATOR, 128),
            polls: Arc::new(Semaphore::new(POLLS)),
        }
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// -32005 if too many wait, in all or of one connection.
    pub async fn enter(&self, lane: Lane, of_client: Option<&Waiters>) -> RpcResult<Place> {
        match lane {
            Lane::Light => self.light.enter(None).await,
            Lane::Heavy => self.heavy.enter(of_client).await,
            Lane::Operator => self.operator.enter(None).await,
        }
    }

    /// How many more heavy calls may wait.
    #[cfg(test)]
    pub fn room_to_wait(&self) -> usize {
        self.heavy.waiting.available_permits()
    }

    /// A place to wait for a template, which needs no thread.
    ///
    /// # Errors
    /// -32005 if too many wait.
    pub fn poll(&self) -> RpcResult<Place> {
        self.polls.clone().try_acquire_owned().map_err(|_| busy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn code(result: RpcResult<Place>) -> Option<i32> {
        result.err().map(|error| error.code())
    }

    #[tokio::test]
    async fn heavy_calls_beyond_the_queue_are_refused_and_light_ones_still_run() {
        let lanes = Lanes::new(1, 2);
        let first = lanes.enter(Lane::Heavy, None).await.unwrap();
        let mut second = Box::pin(lanes.enter(Lane::Heavy, None));
        let mut third = Box::pin(lanes.enter(Lane::Heavy, None));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        assert_eq!(code(lanes.enter(Lane::Heavy, None).await), Some(-32005));
        assert_eq!(code(lanes.enter(Lane::Light, None).await), None);
        assert_eq!(code(lanes.enter(Lane::Operator, None).await), None);
        drop(first);
        assert_eq!(code(second.await), None);
    }

    #[tokio::test]
    async fn a_client_that_leaves_the_queue_makes_room() {
        let lanes = Lanes::new(1, 1);
        let _first = lanes.enter(Lane::Heavy, None).await.unwrap();
        let mut second = Box::pin(lanes.enter(Lane::Heavy, None));
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(code(lanes.enter(Lane::Heavy, None).await), Some(-32005));
        drop(second);
        assert!(Box::pin(lanes.enter(Lane::Heavy, None)).now_or_never().is_none(), "it waits, and is not refused");
    }

    #[tokio::test]
    async fn one_connection_does_not_fill_the_queue() {
        let lanes = Lanes::new(1, 512);
        let client = Waiters::default();
        let _first = lanes.enter(Lane::Heavy, Some(&client)).await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..WAITING_OF_ONE {
            let mut one = Box::pin(lanes.enter(Lane::Heavy, Some(&client)));
            assert!(one.as_mut().now_or_never().is_none());
            waiting.push(one);
        }
        assert_eq!(code(lanes.enter(Lane::Heavy, Some(&client)).await), Some(-32005));
        let other = Waiters::default();
        assert!(Box::pin(lanes.enter(Lane::Heavy, Some(&other))).now_or_never().is_none());
    }
}
