//! Notifications of one connection, on their way to its socket.
//!
//! The hub puts them in and never waits; a task takes them out as fast as the client reads, and ends when there are none: most
//! clients are idle. A client that is slower than the chain would have them pile up: it is told `lagged`, and its connection
//! closes.

use jsonrpsee::server::MethodSink;
use parking_lot::Mutex;
use serde_json::{json, value::RawValue};
use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::runtime::Handle;

use super::id::show_id;
use crate::rpc::server::session::Session;

/// Notifications that wait for one connection: the logs of a full block, and what waits beside them. Their texts are shared by
/// all connections, so what all of them hold is about as much.
const MOST_WAITING: usize = 20_000;
const MOST_BYTES: usize = 32 << 20;
/// How long a client that lagged has to read that it did.
const FAREWELL: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

/// One notification: the subscription's id and the method's name differ, the result is shared.
#[derive(Debug)]
pub struct Notification {
    /// The subscription.
    pub id: u128,
    /// Name of the notification's method.
    pub method: &'static str,
    /// Its result, as JSON.
    pub result: Arc<str>,
}

/// See the module's first lines.
pub struct Outbox {
    sink: MethodSink,
    /// The connection, which ends without asking its outbox.
    session: Weak<Session>,
    queue: Mutex<Queue>,
    runtime: Handle,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Notification>,
    bytes: usize,
    /// Subscriptions whose responses are not sent yet: no notification goes before them.
    opening: usize,
    /// The last message, once the client has lagged.
    farewell: Option<String>,
    /// A task sends what waits.
    sending: bool,
}

impl Queue {
    fn has_next(&self) -> bool {
        self.opening == 0 && !self.waiting.is_empty() || self.farewell.is_some()
    }
}

/// The client does not read as fast as it is notified.
#[derive(Debug, PartialEq, Eq)]
pub struct Lagged;

impl Outbox {
    /// For a connection; its messages are sent by tasks of the runtime that this is called on.
    pub fn new(sink: MethodSink, session: &Arc<Session>) -> Arc<Self> {
        let session = Arc::downgrade(session);
        Arc::new(Self { sink, session, queue: Mutex::default(), runtime: Handle::current() })
    }

    /// Puts a notification in.
    ///
    /// # Errors
    /// [`Lagged`] if too many wait.
    pub fn push(self: &Arc<Self>, notification: Notification) -> Result<(), Lagged> {
        let mut queue = self.queue.lock();
        let bytes = queue.bytes + notification.result.len();
        // One of any size is taken.
        if queue.waiting.len() >= MOST_WAITING || bytes > MOST_BYTES && !queue.waiting.is_empty() {
            return Err(Lagged);
        }
        if queue.farewell.is_none() {
            queue.bytes = bytes;
            queue.waiting.push_back(notification);
        }
        self.start(&mut queue);
        Ok(())
    }

    /// Removes what waits for a subscription.
    pub fn forget(&self, id: u128) {
        let mut queue = self.queue.lock();
        queue.waiting.retain(|waiting| waiting.id != id);
        queue.bytes = queue.waiting.iter().map(|waiting| waiting.result.len()).sum();
    }

    /// Drops what waits. The client is told why its subscriptions have ended, and disconnected.
    pub fn end(self: &Arc<Self>, subscriptions: &[u128], reason: &str) {
        let subscriptions: Vec<_> = subscriptions.iter().map(|id| show_id(*id)).collect();
        let params = json!({ "subscriptions": subscriptions, "reason": reason });
        let farewell = json!({ "jsonrpc": "2.0", "method": "lagged", "params": params }).to_string();
        let mut queue = self.queue.lock();
        queue.waiting = VecDeque::new();
        queue.farewell = Some(farewell);
        self.start(&mut queue);
    }

    /// Holds notifications back until the response to a request is sent.
    pub fn hold(self: &Arc<Self>) -> Held {
        self.queue.lock().opening += 1;
        Held(self.clone())
    }

    /// Has what waits sent, if nobody does so yet.
    fn start(self: &Arc<Self>, queue: &mut Queue) {
        if !queue.sending && queue.has_next() {
            queue.sending = true;
            self.runtime.spawn(self.clone().run());
        }
    }

    /// Sends what waits. Once the connection is gone, or was told that it lagged, nothing is sent any more.
    async fn run(self: Arc<Self>) {
        while let Some((text, is_last)) = self.next() {
            // It is JSON by its making.
            let Ok(text) = RawValue::from_string(text) else { continue };
            if is_last {
                return self.part(text).await;
            }
            if !self.send(text).await {
                return;
            }
        }
    }

    /// The next message, and whether it is the last.
    fn next(&self) -> Option<(String, bool)> {
        let mut queue = self.queue.lock();
        if !queue.has_next() {
            queue.sending = false;
            // A burst leaves a large buffer behind.
            queue.waiting.shrink_to_fit();
            return None;
        }
        let Some(Notification { id, method, result }) = queue.waiting.pop_front() else {
            return queue.farewell.take().map(|farewell| (farewell, true));
        };
        queue.bytes -= result.len();
        let params = format!(r#"{{"subscription":"{}","result":{result}}}"#, show_id(id));
        Some((format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#), false))
    }

    /// Sends a message; whether there is a connection.
    pub async fn send(&self, text: Box<RawValue>) -> bool {
        if let Some(session) = self.session.upgrade() {
            session.answered(text.get().len());
        }
        self.sink.send(text).await.is_ok()
    }

    async fn part(&self, farewell: Box<RawValue>) {
        let read = async {
            self.send(farewell).await;
            while self.session.upgrade().is_some_and(|session| session.is_unread()) {
                tokio::time::sleep(LOOK).await;
            }
        };
        // A client that does not read it is closed anyway.
        let _ = tokio::time::timeout(FAREWELL, read).await;
        if let Some(session) = self.session.upgrade() {
            session.close();
        }
    }
}

/// Notifications are held back while it lives.
pub struct Held(Arc<Outbox>);

impl Held {
    /// The connection's outbox.
    pub fn outbox(&self) -> &Outbox {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        queue.opening -= 1;
        self.0.start(&mut queue);
    }
}
