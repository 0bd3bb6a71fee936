//! What global states and the steps between them are made of.

use crate::process::{Id, Process};

/// A process and its timers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Local<P: Process> {
    pub id: Id,
    pub process: P,
    /// Those that are set, sorted.
    pub timers: Vec<P::Timer>,
}

/// A message in flight. Ordered by receiver and sender, so that a state is sorted by channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Envelope<M> {
    pub to: Id,
    pub from: Id,
    pub message: M,
}

/// Something that can happen. Positions count the messages of the state it happens in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Deliver(u32),
    Repeat(u32),
    Lose(u32),
    Fire(Id, u8),
    /// A round ends: the first timer of each process expires.
    Round,
    Crash(Id),
}

/// Where in a state what stands.
pub(super) const BUDGET: usize = 0;
pub(super) const HISTORY: usize = 1;
pub(super) const LOCALS: usize = 2;

/// An input that is a timer, in place of the number of a message.
pub(super) const TIMER: u32 = 1 << 31;

/// What a process does with one input.
#[derive(Debug)]
pub(super) struct Reaction {
    pub local: u32,
    pub sends: Box<[u32]>,
    pub events: Box<[u32]>,
    pub ignored: bool,
}
