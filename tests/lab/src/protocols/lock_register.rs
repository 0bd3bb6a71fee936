//! A shared counter behind a lock.
//!
//! Process 0 is the lock, process 1 the register; the others are clients. Each adds one to the register:
//!
//! 1. It asks for the lock and waits.
//! 2. Upon receiving the lock, it reads the register.
//! 3. Upon receiving the value, it writes that value plus one.
//! 4. Upon receiving the end of the write, it gives the lock back.
//!
//! With the lock no addition is lost. Without it two clients read the same value. But a client that crashes between steps
//! 2 and 4 never gives the lock back, and everyone waits for ever: a lock makes each depend on all others. No timeout
//! helps in an asynchronous network, since a slow holder looks like a dead one.

use crate::{
    instance::{Instance, View},
    process::{Id, Outputs, Process},
};
use std::collections::VecDeque;

/// The process that is the lock.
pub const LOCK: Id = 0;
/// The process that is the register.
pub const REGISTER: Id = 1;

/// Requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// A client asks for the lock.
    Acquire,
    /// It has it.
    Granted,
    /// It gives it back.
    Release,
    /// A client reads.
    Read,
    /// The register's value.
    Value(u8),
    /// A client writes.
    Write(u8),
    /// The write happened.
    Written,
}

/// The lock, the register or a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Who has the lock, and who waits.
    Lock {
        /// First the holder, then those that wait.
        queue: VecDeque<Id>,
    },
    /// The register.
    Register {
        /// Its value.
        value: u8,
    },
    /// A client.
    Client {
        /// Whether it takes the lock at all.
        locks: bool,
        /// Whether it has the lock.
        holds: bool,
        /// Whether its addition is written.
        done: bool,
    },
}

impl Process for Part {
    type Message = Message;
    type Timer = ();
    type Event = ();

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        match self {
            Self::Client { locks: true, .. } => out.send(LOCK, Message::Acquire),
            Self::Client { .. } => out.send(REGISTER, Message::Read),
            Self::Lock { .. } | Self::Register { .. } => {}
        }
    }

    fn on_message(&mut self, from: Id, message: Message, out: &mut Outputs<Self>) {
        match (self, message) {
            (Self::Lock { queue }, Message::Acquire) => {
                queue.push_back(from);
                if queue.len() == 1 {
                    out.send(from, Message::Granted);
                }
            }
            // Upon receiving the lock back: the next in line has it.
            (Self::Lock { queue }, Message::Release) => {
                queue.pop_front();
                if let Some(&next) = queue.front() {
                    out.send(next, Message::Granted);
                }
            }
            (Self::Register { value }, Message::Read) => out.send(from, Message::Value(*value)),
            (Self::Register { value }, Message::Write(new)) => {
                *value = new;
                out.send(from, Message::Written);
            }
            (Self::Client { holds, .. }, Message::Granted) => {
                *holds = true;
                out.send(REGISTER, Message::Read);
            }
            (Self::Client { .. }, Message::Value(value)) => out.send(REGISTER, Message::Write(value + 1)),
            (Self::Client { locks, holds, done }, Message::Written) => {
                (*holds, *done) = (false, true);
                if *locks {
                    out.send(LOCK, Message::Release);
                }
            }
            _ => {}
        }
    }
}

/// Clients that add one each.
#[derive(Clone, Copy, Debug)]
pub struct LockRegister {
    /// How many.
    pub clients: u8,
    /// Whether they take the lock.
    pub locks: bool,
}

impl Instance for LockRegister {
    type Process = Part;
    type History = ();

    fn processes(&self) -> Vec<Part> {
        let client = Part::Client { locks: self.locks, holds: false, done: false };
        let mut all = vec![Part::Lock { queue: VecDeque::new() }, Part::Register { value: 0 }];
        all.extend((0..self.clients).map(|_| client.clone()));
        all
    }

    fn violation(&self, view: &View<'_, Part>) -> Option<String> {
        let written = view.processes.iter().filter(|part| matches!(part, Part::Client { done: true, .. })).count();
        let value = view.processes.iter().find_map(|part| match part {
            Part::Register { value } => Some(usize::from(*value)),
            _ => None,
        })?;
        (value < written).then(|| format!("lost update: {written} clients added one and the register is {value}"))
    }

    fn done(&self, view: &View<'_, Part>) -> bool {
        view.alive().all(|(_, part)| !matches!(part, Part::Client { done: false, .. }))
    }

    /// What becomes of the others when the holder dies is what this protocol is about.
    fn may_crash(&self, part: &Part) -> bool {
        matches!(part, Part::Client { holds: true, .. })
    }

    fn name(&self, id: Id) -> String {
        match id {
            LOCK => "lock".to_owned(),
            REGISTER => "register".to_owned(),
            _ => format!("c{id}"),
        }
    }
}
