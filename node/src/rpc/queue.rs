//! A queue with a few places, which those who wait get in turn, an address at a time.
//!
//! One client with twenty connections must not stand in front of everybody else: addresses take turns, and a full queue
//! drops the newest of the address that has most in it. The node's own user has places that nobody else takes.

use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};
use tokio::sync::oneshot;

use super::error::{RpcError, RpcResult, over_limit};

/// A call that has waited for so long is refused.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who stands in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// Callers with the cookie: the node's own user.
    Owner,
    /// Everybody at one address.
    Address(IpAddr),
}

impl Client {
    /// Somebody at an address. A host has at least 2^64 addresses of IPv6, which count as one.
    pub fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
            other => other,
        })
    }
}

/// See the module's first lines.
pub struct Queue(Arc<Shared>);

struct Shared {
    /// Places for everybody.
    places: usize,
    /// Places beside them for the owner.
    kept: usize,
    /// Calls that may wait.
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    waiting: HashMap<Client, VecDeque<Waiter>>,
    /// Who has calls that wait, the next in turn first.
    turns: VecDeque<Client>,
    /// How many calls wait.
    count: usize,
    last: u64,
}

struct Waiter {
    number: u64,
    /// Dropped without a word if the call is pushed out.
    go: oneshot::Sender<()>,
}

/// The right to run, given back when it is dropped.
pub struct Place(Arc<Shared>);

/// A call that waits; leaves the queue when it is dropped.
struct Waiting {
    shared: Arc<Shared>,
    client: Client,
    number: u64,
    turn: oneshot::Receiver<()>,
}

impl Queue {
    /// A queue with places for everybody, places for the owner beside them, and room for calls that wait.
    pub fn new(places: usize, kept: usize, most: usize) -> Self {
        Self(Arc::new(Shared { places, kept, most, state: Mutex::default() }))
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// -32005 if too many wait, or if it takes too long.
    pub async fn enter(&self, client: Client) -> RpcResult<Place> {
        let mut waiting = match self.0.begin(client)? {
            Begun::Runs => return Ok(Place(self.0.clone())),
            Begun::Waits(number, turn) => Waiting { shared: self.0.clone(), client, number, turn },
        };
        match tokio::time::timeout(PATIENCE, &mut waiting.turn).await {
            Ok(Ok(())) => Ok(waiting.run()),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }

    /// How many more calls may wait.
    #[cfg(test)]
    pub fn room_to_wait(&self) -> usize {
        self.0.most - self.0.state.lock().count
    }
}

/// The answer where too many calls wait.
pub fn busy() -> RpcError {
    over_limit("the node is busy with other calls: try again later")
}

enum Begun {
    Runs,
    Waits(u64, oneshot::Receiver<()>),
}

impl Shared {
    fn begin(&self, client: Client) -> RpcResult<Begun> {
        let mut state = self.state.lock();
        // If it may run, nobody waits who may: places that are given back are passed on at once.
        if state.running < self.places_of(client) {
            state.running += 1;
            return Ok(Begun::Runs);
        }
        if state.count >= self.most && !state.push_out_for(client) {
            return Err(busy());
        }
        let (go, turn) = oneshot::channel();
        Ok(Begun::Waits(state.push(client, go), turn))
    }

    fn places_of(&self, client: Client) -> usize {
        match client {
            Client::Owner => self.places + self.kept,
            Client::Address(_) => self.places,
        }
    }

    /// Gives a place back, and free places to those in turn.
    fn leave(&self, state: &mut State) {
        state.running -= 1;
        while let Some(client) = state.next().filter(|client| state.running < self.places_of(*client)) {
            // Who has left takes itself out of the queue, so that somebody listens, or gives the place back.
            if let Some(waiter) = state.pop(client) {
                state.running += 1;
                let _ = waiter.go.send(());
            }
        }
    }
}

impl State {
    /// Whose turn it is.
    fn next(&self) -> Option<Client> {
        let owner = self.waiting.contains_key(&Client::Owner).then_some(Client::Owner);
        owner.or_else(|| self.turns.front().copied())
    }

    fn push(&mut self, client: Client, go: oneshot::Sender<()>) -> u64 {
        self.last += 1;
        self.count += 1;
        let row = self.waiting.entry(client).or_default();
        if row.is_empty() {
            self.turns.push_back(client);
        }
        row.push_back(Waiter { number: self.last, go });
        self.last
    }

    /// Takes a client's oldest call; its next one comes after everybody else's.
    fn pop(&mut self, client: Client) -> Option<Waiter> {
        let waiter = self.waiting.get_mut(&client)?.pop_front();
        self.taken(client);
        waiter
    }

    /// Pushes out the newest call of the client with most of them, unless the newcomer has as many; whether it did.
    fn push_out_for(&mut self, client: Client) -> bool {
        let own = self.waiting.get(&client).map_or(0, VecDeque::len);
        let busiest = self.waiting.iter().max_by_key(|(_, row)| row.len()).map(|(client, row)| (*client, row.len()));
        let Some((busiest, _)) = busiest.filter(|(_, most)| *most > own + 1) else { return false };
        self.waiting.get_mut(&busiest).and_then(VecDeque::pop_back);
        self.count -= 1;
        true
    }

    /// Takes a call out, wherever it stands; whether it still waited.
    fn remove(&mut self, client: Client, number: u64) -> bool {
        let Some(row) = self.waiting.get_mut(&client) else { return false };
        let Some(at) = row.iter().position(|waiter| waiter.number == number) else { return false };
        row.remove(at);
        self.count -= 1;
        if row.is_empty() {
            self.waiting.remove(&client);
            self.turns.retain(|other| *other != client);
        }
        true
    }

    /// Notes that a call of a client was taken in turn.
    fn taken(&mut self, client: Client) {
        self.count -= 1;
        self.turns.retain(|other| *other != client);
        if self.waiting.get(&client).is_some_and(VecDeque::is_empty) {
            self.waiting.remove(&client);
        } else {
            self.turns.push_back(client);
        }
    }
}

impl Waiting {
    fn run(mut self) -> Place {
        // Its number is nobody's, so that dropping it gives nothing back.
        self.number = 0;
        Place(self.shared.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        if self.number == 0 || state.remove(self.client, self.number) {
            return;
        }
        // It was pushed out, or given a place that it never took.
        if self.turn.try_recv().is_ok() {
            self.shared.leave(&mut state);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave(&mut self.0.state.lock());
    }
}
