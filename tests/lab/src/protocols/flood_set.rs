//! Consensus in a synchronous network with crashes (FloodSet; Lynch, "Distributed Algorithms", 1996, section 6.2).
//!
//! In each round every process sends the values it knows to all others, and adds what it receives. After f+1 rounds it
//! decides the least.
//!
//! Of f+1 rounds one passes without a crash, and after it all know the same values. After f rounds, a process that
//! crashed in the last one may have told some and not others. There is no condition on the number of processes: with f
//! crashes of f+1, the one that is left decides. In an asynchronous network there are no rounds.

use crate::{
    instance::{Instance, View, agreement},
    process::{Id, Outputs, Process, others},
};
use std::collections::BTreeSet;

/// The end of a round: all that was sent in it has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Round;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flood {
    me: Id,
    count: usize,
    rounds: u8,
    values: BTreeSet<u8>,
    decided: Option<u8>,
}

impl Process for Flood {
    type Message = BTreeSet<u8>;
    type Timer = Round;
    type Event = u8;

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        out.send_all(others(self.count, self.me), &self.values);
        out.set_timer(Round, 1);
    }

    fn on_message(&mut self, _from: Id, values: BTreeSet<u8>, _out: &mut Outputs<Self>) {
        self.values.extend(values);
    }

    fn on_timer(&mut self, Round: Round, out: &mut Outputs<Self>) {
        self.rounds -= 1;
        if self.rounds > 0 {
            self.on_start(out);
        } else {
            self.decided = self.values.first().copied();
            self.decided.into_iter().for_each(|value| out.emit(value));
        }
    }
}

/// Processes that flood.
#[derive(Clone, Copy, Debug)]
pub struct FloodSet {
    /// How many. Process i proposes i.
    pub processes: u8,
    /// How many rounds: f+1, or the protocol is broken.
    pub rounds: u8,
}

impl Instance for FloodSet {
    type Process = Flood;
    type History = ();

    fn processes(&self) -> Vec<Flood> {
        let Self { processes, rounds } = *self;
        let count = usize::from(processes);
        (0..processes).map(|me| Flood { me, count, rounds, values: BTreeSet::from([me]), decided: None }).collect()
    }

    fn violation(&self, view: &View<'_, Flood>) -> Option<String> {
        agreement(view.alive().filter_map(|(_, flood)| flood.decided), |value| *value < self.processes)
    }

    fn done(&self, view: &View<'_, Flood>) -> bool {
        view.alive().all(|(_, flood)| flood.decided.is_some())
    }
}
