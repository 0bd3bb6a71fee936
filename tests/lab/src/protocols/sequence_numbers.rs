//! Consensus on one value with sequence numbers instead of a lock.
//!
//! A memory holds a sequence number V and a value X, which is unset at first. A proposer with the sequence number N, which
//! no other uses, takes two steps, each of which is
//!
//!     if V > N return; V := N; access X
//!
//! 1. In the first it reads X. If X is set, its value is decided.
//! 2. In the second, if X was unset, it sets X to its own value, which is then decided.
//!
//! A proposer that is turned away starts again with a higher number. Nobody waits for anybody, so nobody is blocked by a
//! crash. If a step is atomic, X is set once: between the steps of the one that sets it nobody took a step with a higher
//! number, and from then on everyone reads it. If X is accessed after V in a step of its own, a proposer that was
//! overtaken in between still writes.
//!
//! Put V and X on several processes and access a majority of them: the first step is Paxos's Prepare, the second Accept.

use crate::{
    instance::{Instance, View, agreement},
    process::{Id, Outputs, Process},
};

/// The process that is the memory.
pub const MEMORY: Id = 0;

/// What is done with X.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Read it.
    Read,
    /// Overwrite it.
    Set(u8),
}

/// Requests to the memory and its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// If V > N return; V := N.
    Pass(u8),
    /// The answer: N is not lower than V was.
    Passed,
    /// Access X.
    Access(Access),
    /// Both in one step.
    Step(u8, Access),
    /// X.
    Is(Option<u8>),
    /// V, which was higher than N.
    Refused(u8),
}

/// The memory or a proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The memory.
    Memory {
        /// V.
        number: u8,
        /// X.
        value: Option<u8>,
    },
    /// A proposer.
    Proposer(Proposer),
}

/// A proposer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proposer {
    me: Id,
    atomic: bool,
    number: u8,
    retries: u8,
    access: Access,
    decided: Option<u8>,
    gave_up: bool,
}

impl Proposer {
    fn step(&self, out: &mut Outputs<Part>) {
        let step = if self.atomic { Message::Step(self.number, self.access) } else { Message::Pass(self.number) };
        out.send(MEMORY, step);
    }

    fn on_message(&mut self, message: Message, out: &mut Outputs<Part>) {
        match message {
            Message::Passed => out.send(MEMORY, Message::Access(self.access)),
            Message::Is(Some(value)) => self.decided = Some(value),
            // X was unset in the first step: the second.
            Message::Is(None) => {
                self.access = Access::Set(self.me);
                self.step(out);
            }
            // Another step came first: again from the start, with a number of its own above V.
            Message::Refused(number) if self.retries > 0 => {
                self.retries -= 1;
                self.number = (number / 8 + 1) * 8 + self.me;
                self.access = Access::Read;
                self.step(out);
            }
            Message::Refused(_) => self.gave_up = true,
            _ => {}
        }
    }
}

impl Process for Part {
    type Message = Message;
    type Timer = ();
    type Event = ();

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        if let Self::Proposer(proposer) = self {
            proposer.step(out);
        }
    }

    fn on_message(&mut self, from: Id, message: Message, out: &mut Outputs<Self>) {
        let (number, value) = match self {
            Self::Proposer(proposer) => return proposer.on_message(message, out),
            Self::Memory { number, value } => (number, value),
        };
        let mut pass = |asked| {
            let passes = *number <= asked;
            *number = (*number).max(asked);
            if passes { None } else { Some(Message::Refused(*number)) }
        };
        let mut access = |access| {
            if let Access::Set(new) = access {
                *value = Some(new);
            }
            Message::Is(*value)
        };
        let answer = match message {
            Message::Pass(number) => pass(number).unwrap_or(Message::Passed),
            Message::Access(asked) => access(asked),
            Message::Step(number, asked) => pass(number).unwrap_or_else(|| access(asked)),
            _ => return,
        };
        out.send(from, answer);
    }
}

/// Proposers that share a memory.
#[derive(Clone, Copy, Debug)]
pub struct SequenceNumbers {
    /// How many.
    pub proposers: u8,
    /// Whether a step on V and X is atomic.
    pub atomic: bool,
    /// How often a proposer starts again.
    pub retries: u8,
}

impl Instance for SequenceNumbers {
    type Process = Part;
    type History = ();

    fn processes(&self) -> Vec<Part> {
        let Self { atomic, retries, .. } = *self;
        let proposer = |me| {
            Part::Proposer(Proposer {
                me,
                atomic,
                number: me,
                retries,
                access: Access::Read,
                decided: None,
                gave_up: false,
            })
        };
        let memory = Part::Memory { number: 0, value: None };
        std::iter::once(memory).chain((1..=self.proposers).map(proposer)).collect()
    }

    fn violation(&self, view: &View<'_, Part>) -> Option<String> {
        let decided = view.processes.iter().filter_map(|part| match part {
            Part::Proposer(proposer) => proposer.decided,
            Part::Memory { .. } => None,
        });
        agreement(decided, |value| (1..=self.proposers).contains(value))
    }

    /// Whichever proposer crashed, one of the others decides or was overtaken as often as it may start again.
    fn done(&self, view: &View<'_, Part>) -> bool {
        view.alive().any(|(_, part)| match part {
            Part::Proposer(proposer) => proposer.decided.is_some() || proposer.gave_up,
            Part::Memory { .. } => false,
        })
    }

    fn name(&self, id: Id) -> String {
        if id == MEMORY { "memory".to_owned() } else { format!("p{id}") }
    }
}
