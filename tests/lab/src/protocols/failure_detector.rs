//! Failure detectors (Chandra and Toueg, "Unreliable Failure Detectors for Reliable Distributed Systems", 1996).
//!
//! A watcher asks another process again and again whether it is there. If no answer came when its timer expires, it
//! suspects that process. Upon receiving an answer of a process that it suspects, it takes the suspicion back and waits
//! longer from then on.
//!
//! - In a synchronous network a timeout of 2Δ makes the detector perfect: it suspects all that crashed and nobody else.
//! - In a partially synchronous network it is eventually perfect: there are false suspicions, but after the global
//!   stabilisation time each raises the timeout, and from some time on there are none.
//! - In an asynchronous network no timeout is ever long enough: whatever it is, a delay is longer.

use crate::{
    instance::{Instance, View},
    process::{Id, Outputs, Process},
};

/// A question or its answer, with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// Are you there?
    Ping(u8),
    /// I am.
    Pong(u8),
}

/// The time for an answer is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeout;

/// What the watcher shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Opinion {
    /// The watched process has crashed.
    Suspects,
    /// It has not, after all.
    Trusts,
}

/// The watcher, or the process it watches.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The watcher.
    Watcher {
        /// The number of its last question.
        asked: u8,
        /// Of the last answer.
        answered: u8,
        /// How many more questions it asks.
        left: u8,
        /// Its timeout, in Δ.
        timeout: u64,
        /// What it thinks.
        suspects: bool,
    },
    /// The watched process.
    Watched,
}

const WATCHED: Id = 1;

impl Process for Part {
    type Message = Message;
    type Timer = Timeout;
    type Event = Opinion;

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        if let Self::Watcher { asked, timeout, .. } = self {
            *asked += 1;
            out.send(WATCHED, Message::Ping(*asked));
            out.set_timer(Timeout, *timeout);
        }
    }

    fn on_message(&mut self, from: Id, message: Message, out: &mut Outputs<Self>) {
        match (self, message) {
            (Self::Watched, Message::Ping(number)) => out.send(from, Message::Pong(number)),
            (Self::Watcher { answered, timeout, suspects, .. }, Message::Pong(number)) => {
                *answered = (*answered).max(number);
                if std::mem::replace(suspects, false) {
                    *timeout += 1;
                    out.emit(Opinion::Trusts);
                }
            }
            _ => {}
        }
    }

    fn on_timer(&mut self, Timeout: Timeout, out: &mut Outputs<Self>) {
        let Self::Watcher { asked, answered, left, suspects, .. } = self else { return };
        if answered < asked && !std::mem::replace(suspects, true) {
            out.emit(Opinion::Suspects);
        }
        if *left > 0 {
            *left -= 1;
            self.on_start(out);
        }
    }
}

/// A watcher and the process it watches.
#[derive(Clone, Copy, Debug)]
pub struct FailureDetector {
    /// How many questions it asks.
    pub questions: u8,
    /// The first timeout, in Δ.
    pub timeout: u64,
    /// Whether a false suspicion is a violation.
    pub perfect: bool,
}

impl Instance for FailureDetector {
    type Process = Part;
    type History = ();

    fn processes(&self) -> Vec<Part> {
        let (timeout, left) = (self.timeout, self.questions - 1);
        vec![Part::Watcher { asked: 0, answered: 0, left, timeout, suspects: false }, Part::Watched]
    }

    fn violation(&self, view: &View<'_, Part>) -> Option<String> {
        let suspects = view.processes.iter().any(|part| matches!(part, Part::Watcher { suspects: true, .. }));
        let wrong = self.perfect && suspects && !view.is_crashed(WATCHED);
        wrong.then(|| "accuracy: a process is suspected that has not crashed".to_owned())
    }

    /// Completeness: one that crashed before it answered the last question is suspected in the end.
    fn done(&self, view: &View<'_, Part>) -> bool {
        let settled = view.processes.iter().any(|part| match part {
            Part::Watcher { asked, answered, left, suspects, .. } => *suspects || *left == 0 && asked == answered,
            Part::Watched => false,
        });
        settled || !view.is_crashed(WATCHED)
    }

    fn name(&self, id: Id) -> String {
        if id == WATCHED { "watched".to_owned() } else { "watcher".to_owned() }
    }
}
