//! All subscriptions, and the way to their connections.
//!
//! Anybody may subscribe, so everything is bounded: subscriptions in all, of a connection and of an address, and what they
//! compare with, which is what makes them large.

use alloy_primitives::Log;
use chain_core::transaction::coin::Lock;
use jsonrpsee::server::{MethodSink, SubscriptionPermit};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use super::{
    id::{random_id, show_id},
    outbox::{Held, Notification, Outbox},
    topic::{Kind, Term, Topic},
};
use crate::rpc::{
    base::{RpcError, RpcResult, over_limit},
    lanes::Who,
    server::session::Session,
};

/// Subscriptions of one connection.
pub const MOST_OF_CONNECTION: u32 = 1_000;
/// What the subscriptions of one connection weigh together ([`Topic::weight`]), and those of all; strangers of one address have a
/// tenth of that.
const WEIGHT_OF_CONNECTION: usize = 10_000;
const WEIGHT_OF_ALL: usize = 500_000;

/// The connection that a subscription arrives on.
pub struct Arrival {
    /// Whose it is.
    pub who: Who,
    /// The way to its socket.
    pub sink: MethodSink,
    /// What it has not read.
    pub session: Arc<Session>,
    /// Its place among the subscriptions of its connection.
    pub permit: SubscriptionPermit,
}

/// One subscription.
struct Subscription {
    id: u128,
    method: &'static str,
    topic: Topic,
    who: Who,
    outbox: Arc<Outbox>,
    _permit: SubscriptionPermit,
}

/// See the module's first lines.
#[derive(Default)]
pub struct Subscribers(Mutex<State>);

#[derive(Default)]
struct State {
    by_id: HashMap<u128, Arc<Subscription>>,
    by_kind: HashMap<Kind, HashMap<u128, Arc<Subscription>>>,
    by_term: HashMap<Term, Vec<Arc<Subscription>>>,
    connections: HashMap<u64, Connection>,
    weight: usize,
    weight_of: HashMap<IpAddr, usize>,
}

struct Connection {
    outbox: Arc<Outbox>,
    subscriptions: Vec<u128>,
    weight: usize,
}

impl Subscribers {
    /// Opens a subscription; returns its id. What is published from now on waits until the second result is dropped, so that
    /// the response comes first.
    ///
    /// # Errors
    /// -32005 if there are too many.
    pub fn open(self: &Arc<Self>, topic: Topic, method: &'static str, arrival: Arrival) -> RpcResult<(String, Held)> {
        let (id, weight) = (random_id()?, topic.weight());
        let Arrival { who, sink, session, permit } = arrival;
        let mut state = self.0.lock();
        state.check(who, weight)?;
        let connection = state.connections.entry(who.connection).or_insert_with(|| {
            let (subscribers, number) = (Arc::downgrade(self), who.connection);
            session.at_end(move || {
                if let Some(subscribers) = subscribers.upgrade() {
                    subscribers.0.lock().disconnect(number);
                }
            });
            Connection { outbox: Outbox::new(sink, &session), subscriptions: Vec::with_capacity(1), weight: 0 }
        });
        let outbox = connection.outbox.clone();
        let held = outbox.hold();
        state.add(Subscription { id, method, topic, who, outbox, _permit: permit });
        Ok((show_id(id), held))
    }

    /// Closes a subscription of this caller's connection; whether there was one.
    pub fn close(&self, id: u128, who: Who) -> bool {
        let mut state = self.0.lock();
        match state.by_id.get(&id) {
            Some(found) if found.who.connection == who.connection => {
                let closed = state.remove(id);
                closed.inspect(|closed| closed.outbox.forget(id)).is_some()
            }
            _ => false,
        }
    }

    /// Whether anybody would be notified.
    pub fn has(&self, kind: Kind) -> bool {
        self.0.lock().by_kind.contains_key(&kind)
    }

    /// Notifies all subscriptions of a kind.
    pub fn publish(&self, kind: Kind, result: &Arc<str>) {
        let mut state = self.0.lock();
        let slow = of_kind(&state, kind).filter_map(|to| to.notify(result)).collect::<HashSet<_>>();
        state.end(slow, SLOW);
    }

    /// Notifies the subscriptions that have this lock.
    pub fn publish_of_lock(&self, lock: &Lock, result: &Arc<str>) {
        let mut state = self.0.lock();
        let of_lock = state.by_term.get(&Term::Lock(*lock)).into_iter().flatten();
        let slow = of_lock.filter_map(|to| to.notify(result)).collect::<HashSet<_>>();
        state.end(slow, SLOW);
    }

    /// Notifies the subscriptions that ask for this log of a block at this height; `render` is called if there are some.
    ///
    /// # Errors
    /// Those of `render`.
    pub fn publish_log(&self, log: &Log, height: u64, render: impl FnOnce() -> RpcResult<Arc<str>>) -> RpcResult<()> {
        let mut state = self.0.lock();
        let mut wanted = Term::of_log(log)
            .filter_map(|term| state.by_term.get(&term))
            .flatten()
            .filter(|subscription| subscription.topic.wants_log(log, height))
            .peekable();
        if wanted.peek().is_none() {
            return Ok(());
        }
        let result = render()?;
        let slow = wanted.filter_map(|to| to.notify(&result)).collect::<HashSet<_>>();
        state.end(slow, SLOW);
        Ok(())
    }

    /// Which of these locks somebody has.
    pub fn watched(&self, locks: impl Iterator<Item = Lock>) -> HashSet<Lock> {
        let state = self.0.lock();
        locks.filter(|lock| state.by_term.contains_key(&Term::Lock(*lock))).collect()
    }

    /// Ends all connections that have a subscription of this kind: it missed something.
    pub fn end_all(&self, kind: Kind, reason: &str) {
        let mut state = self.0.lock();
        let connections = of_kind(&state, kind).map(|subscription| subscription.who.connection).collect();
        state.end(connections, reason);
    }

    /// How many subscriptions are open.
    pub fn len(&self) -> usize {
        self.0.lock().by_id.len()
    }
}

#[cfg(test)]
impl Subscribers {
    pub fn is_empty(&self) -> bool {
        let state = self.0.lock();
        let rest = state.by_kind.len() + state.by_term.len() + state.weight_of.len();
        state.by_id.is_empty() && rest == 0 && state.weight == 0
    }
}

const SLOW: &str =
    "lagged: the client does not read its notifications as fast as they come; connect and subscribe again";

fn of_kind(state: &State, kind: Kind) -> impl Iterator<Item = &Arc<Subscription>> {
    state.by_kind.get(&kind).into_iter().flat_map(HashMap::values)
}

fn too_many() -> RpcError {
    over_limit("too many subscriptions, or too many addresses and topics in them: close some")
}

impl Subscription {
    /// The connection's number if it is too slow.
    fn notify(&self, result: &Arc<str>) -> Option<u64> {
        let notification = Notification { id: self.id, method: self.method, result: result.clone() };
        self.outbox.push(notification).err().map(|_| self.who.connection)
    }
}

impl State {
    fn check(&self, who: Who, weight: usize) -> RpcResult<()> {
        let of_connection = self.connections.get(&who.connection).map_or(0, |connection| connection.weight);
        let of_address = self.weight_of.get(&who.network).copied().unwrap_or_default();
        let most_of_address = if who.network.is_loopback() { WEIGHT_OF_ALL } else { WEIGHT_OF_ALL / 10 };
        let fits = of_connection + weight <= WEIGHT_OF_CONNECTION
            && of_address + weight <= most_of_address
            && self.weight + weight <= WEIGHT_OF_ALL;
        if fits { Ok(()) } else { Err(too_many()) }
    }

    fn add(&mut self, subscription: Subscription) {
        let subscription = Arc::new(subscription);
        let (id, weight) = (subscription.id, subscription.topic.weight());
        self.weight += weight;
        *self.weight_of.entry(subscription.who.network).or_default() += weight;
        if let Some(connection) = self.connections.get_mut(&subscription.who.connection) {
            connection.weight += weight;
            connection.subscriptions.push(id);
        }
        for term in subscription.topic.terms() {
            self.by_term.entry(term).or_default().push(subscription.clone());
        }
        self.by_kind.entry(subscription.topic.kind()).or_default().insert(id, subscription.clone());
        self.by_id.insert(id, subscription);
    }

    fn remove(&mut self, id: u128) -> Option<Arc<Subscription>> {
        let subscription = self.by_id.remove(&id)?;
        let weight = subscription.topic.weight();
        self.weight -= weight;
        take(&mut self.weight_of, &subscription.who.network, |of_address| {
            *of_address -= weight;
            *of_address == 0
        });
        if let Some(connection) = self.connections.get_mut(&subscription.who.connection) {
            connection.weight -= weight;
            connection.subscriptions.retain(|other| *other != id);
        }
        for term in subscription.topic.terms() {
            take(&mut self.by_term, &term, |subscriptions| {
                subscriptions.retain(|other| other.id != id);
                subscriptions.is_empty()
            });
        }
        take(&mut self.by_kind, &subscription.topic.kind(), |subscriptions| {
            subscriptions.remove(&id);
            subscriptions.is_empty()
        });
        Some(subscription)
    }

    fn disconnect(&mut self, number: u64) {
        let ids = self.connections.get_mut(&number).map(|connection| std::mem::take(&mut connection.subscriptions));
        for id in ids.into_iter().flatten() {
            self.remove(id);
        }
        self.connections.remove(&number);
    }

    /// Ends these connections; each is told why.
    fn end(&mut self, connections: HashSet<u64>, reason: &str) {
        for number in connections {
            let Some(connection) = self.connections.get(&number) else { continue };
            let ids = connection.subscriptions.clone();
            connection.outbox.end(&ids, reason);
            for id in ids {
                self.remove(id);
            }
        }
    }
}

/// Changes a value, and removes it if it is then of no use.
fn take<K: std::hash::Hash + Eq, V>(map: &mut HashMap<K, V>, key: &K, change: impl FnOnce(&mut V) -> bool) {
    if map.get_mut(key).is_some_and(change) {
        map.remove(key);
    }
}
