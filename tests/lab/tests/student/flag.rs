//! A flag that is set once.
//!
//! Process 0 keeps it. Every other process asks whether it is set; if not, it sets it and believes to be the first.

use cairn_lab::{
    instance::{Instance, View},
    process::{Id, Outputs, Process},
};

/// What processes say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// Is it set?
    Ask,
    /// The answer.
    IsSet(bool),
    /// Set it.
    Set,
}

/// The keeper or one that asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The keeper of the flag.
    Keeper(bool),
    /// Whether it believes to be the first.
    Asker(bool),
}

impl Process for Part {
    type Message = Message;
    type Timer = ();
    type Event = ();

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        if let Self::Asker(_) = self {
            out.send(0, Message::Ask);
        }
    }

    fn on_message(&mut self, from: Id, message: Message, out: &mut Outputs<Self>) {
        match (self, message) {
            (Self::Keeper(flag), Message::Ask) => out.send(from, Message::IsSet(*flag)),
            (Self::Keeper(flag), Message::Set) => *flag = true,
            (Self::Asker(first), Message::IsSet(false)) => {
                *first = true;
                out.send(0, Message::Set);
            }
            _ => {}
        }
    }
}

/// A keeper and some that ask.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// How many ask.
    pub askers: usize,
}

impl Instance for Flag {
    type Process = Part;
    type History = ();

    fn processes(&self) -> Vec<Part> {
        let askers = (0..self.askers).map(|_| Part::Asker(false));
        std::iter::once(Part::Keeper(false)).chain(askers).collect()
    }

    fn violation(&self, view: &View<'_, Part>) -> Option<String> {
        let first = view.processes.iter().filter(|part| matches!(part, Part::Asker(true))).count();
        (first > 1).then(|| format!("{first} believe to be the first"))
    }
}
