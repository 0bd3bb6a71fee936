//! Notifications of one connection, on their way to its socket.
//!
//! The hub puts them in and never waits; a task of the connection takes them out as fast as the client reads. A client that is
//! slower than the chain would have them pile up: it is told `lagged`, and its connection closes.

use jsonrpsee::server::MethodSink;
use parking_lot::Mutex;
use serde_json::{json, value::RawValue};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::Notify;

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
    session: Option<Arc<Session>>,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Notification>,
    bytes: usize,
    /// Subscriptions whose responses are not sent yet: no notification goes before them.
    opening: usize,
    /// The last message, once the client has lagged.
    farewell: Option<String>,
}

/// The client does not read as fast as it is notified.
#[derive(Debug, PartialEq, Eq)]
pub struct Lagged;

impl Outbox {
    /// For a connection. Notifications are sent while [`Outbox::run`] runs.
    pub fn new(sink: MethodSink, session: Option<Arc<Session>>) -> Arc<Self> {
        Arc::new(Self { sink, session, queue: Mutex::default(), changed: Notify::new() })
    }

    /// Puts a notification in.
    ///
    /// # Errors
    /// [`Lagged`] if too many wait.
    pub fn push(&self, notification: Notification) -> Result<(), Lagged> {
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
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    /// Removes what waits for a subscription.
    pub fn forget(&self, id: u128) {
        let mut queue = self.queue.lock();
        queue.waiting.retain(|waiting| waiting.id != id);
        queue.bytes = queue.waiting.iter().map(|waiting| waiting.result.len()).sum();
    }

    /// Drops what waits. The client is told why its subscriptions have ended, and disconnected.
    pub fn end(&self, subscriptions: &[u128], reason: &str) {
        let subscriptions: Vec<_> = subscriptions.iter().map(|id| show_id(*id)).collect();
        let params = json!({ "subscriptions": subscriptions, "reason": reason });
        let farewell = json!({ "jsonrpc": "2.0", "method": "lagged", "params": params }).to_string();
        let mut queue = self.queue.lock();
        queue.waiting = VecDeque::new();
        queue.farewell = Some(farewell);
        drop(queue);
        self.changed.notify_one();
    }

    /// Holds notifications back until the response to a request is sent.
    pub fn hold(self: &Arc<Self>) -> Held {
        self.queue.lock().opening += 1;
        Held(self.clone())
    }

    /// Sends notifications until the connection closes.
    pub async fn run(&self) {
        while self.turn().await {}
    }

    /// Sends what waits; whether there is a connection for more.
    async fn turn(&self) -> bool {
        tokio::select! {
            () = self.sink.closed() => return false,
            () = self.changed.notified() => {}
        }
        while let Some(text) = self.next() {
            // It is JSON by its making.
            let Ok(text) = RawValue::from_string(text) else { continue };
            if !self.send(text).await {
                return false;
            }
        }
        let farewell = self.queue.lock().farewell.take();
        match farewell.map(RawValue::from_string) {
            Some(Ok(farewell)) => {
                self.part(farewell).await;
                false
            }
            _ => true,
        }
    }

    fn next(&self) -> Option<String> {
        let mut queue = self.queue.lock();
        if queue.opening > 0 {
            return None;
        }
        let Notification { id, method, result } = queue.waiting.pop_front()?;
        queue.bytes -= result.len();
        if queue.waiting.is_empty() {
            // A burst leaves a large buffer behind, and most clients are idle.
            queue.waiting.shrink_to(16);
        }
        let id = show_id(id);
        Some(format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"subscription":"{id}","result":{result}}}}}"#))
    }

    /// Sends a message; whether there is a connection.
    pub async fn send(&self, text: Box<RawValue>) -> bool {
        if let Some(session) = &self.session {
            session.answered(text.get().len());
        }
        self.sink.send(text).await.is_ok()
    }

    async fn part(&self, farewell: Box<RawValue>) {
        let read = async {
            self.send(farewell).await;
            while self.session.as_ref().is_some_and(|session| session.is_unread()) {
                tokio::time::sleep(LOOK).await;
            }
        };
        // A client that does not read it is closed anyway.
        let _ = tokio::time::timeout(FAREWELL, read).await;
        if let Some(session) = &self.session {
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
        self.0.queue.lock().opening -= 1;
        self.0.changed.notify_one();
    }
}
