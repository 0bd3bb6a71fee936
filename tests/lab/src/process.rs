//! What a protocol is: a state machine without IO, clock or randomness. It is told of its start, of a message or of a
//! timer, and answers with outputs. The explorer, the runner and a real node can drive the same code.

use std::{fmt::Debug, hash::Hash};

/// A process: its place in the list of all processes, from 0.
pub type Id = u8;

/// One participant of a protocol.
pub trait Process: Clone + Eq + Hash + Debug {
    /// What processes send each other.
    type Message: Clone + Eq + Ord + Hash + Debug;
    /// Names of the timers. A timer is set or not; setting it again restarts it.
    type Timer: Copy + Eq + Ord + Hash + Debug;
    /// What an observer of the system sees: a decision, an operation's start or end.
    type Event: Clone + Eq + Hash + Debug;

    /// Upon start.
    fn on_start(&mut self, _out: &mut Outputs<Self>) {}

    /// Upon receiving a message.
    fn on_message(&mut self, from: Id, message: Self::Message, out: &mut Outputs<Self>);

    /// Upon expiry of a timer, which is no longer set then.
    fn on_timer(&mut self, _timer: Self::Timer, _out: &mut Outputs<Self>) {}
}

/// What a handler wants done.
#[derive(Debug)]
pub struct Outputs<P: Process> {
    /// Messages and their receivers.
    pub sends: Vec<(Id, P::Message)>,
    /// Timers to set, with their delay, and timers to stop.
    pub timers: Vec<(P::Timer, Option<u64>)>,
    /// What the observer sees.
    pub events: Vec<P::Event>,
}

impl<P: Process> Default for Outputs<P> {
    fn default() -> Self {
        Self { sends: Vec::new(), timers: Vec::new(), events: Vec::new() }
    }
}

impl<P: Process> Outputs<P> {
    /// Sends a message to one process, which may be the sender itself.
    pub fn send(&mut self, to: Id, message: P::Message) {
        self.sends.push((to, message));
    }

    /// Sends a message to each of several processes.
    pub fn send_all(&mut self, to: impl IntoIterator<Item = Id>, message: &P::Message) {
        self.sends.extend(to.into_iter().map(|to| (to, message.clone())));
    }

    /// Sets a timer. The delay counts in the runner, in units of the greatest delay of a message; to the explorer a
    /// timer expires at any time.
    pub fn set_timer(&mut self, timer: P::Timer, delay: u64) {
        self.timers.push((timer, Some(delay)));
    }

    /// Stops a timer.
    pub fn stop_timer(&mut self, timer: P::Timer) {
        self.timers.push((timer, None));
    }

    /// Shows something to the observer.
    pub fn emit(&mut self, event: P::Event) {
        self.events.push(event);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sends.is_empty() && self.timers.is_empty() && self.events.is_empty()
    }
}

/// More than half of `n`.
pub const fn majority(n: usize) -> usize {
    n / 2 + 1
}

/// All processes of `0..n` but one.
pub fn others(n: usize, me: Id) -> impl Iterator<Item = Id> {
    everyone(n).filter(move |&id| id != me)
}

/// All processes of `0..n`.
pub fn everyone(n: usize) -> impl Iterator<Item = Id> {
    0..Id::try_from(n).expect("an instance has few processes")
}
