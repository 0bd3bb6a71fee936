//! Paxos for a log of values, with a leader (Lamport, "Paxos Made Simple", 2001, section 3).
//!
//! Each slot of the log is a consensus of its own, but a ballot counts for all of them: one Prepare opens it for every
//! slot, and then the leader needs one round trip a value.
//!
//! 1. Upon suspicion of the leader, a server takes a ballot higher than any it saw and sends Prepare to all.
//! 2. Upon receiving Prepare(b) with b higher than any before, a server promises, and returns for each slot what it
//!    accepted last.
//! 3. Upon receiving Promise(b) from a majority, the new leader proposes again what was accepted in the highest ballot,
//!    slot by slot; slots between that nobody accepted get a value that does nothing. Then it proposes its own values.
//! 4. Upon receiving Accept(b, slot, value) with b not lower than the promise, a server accepts.
//! 5. Upon receiving Accepted(b, slot) from a majority, the leader knows the slot to be chosen and tells all.
//!
//! With a stable leader a value is chosen after two message delays, Accept and Accepted: the least that any protocol
//! for fewer than half crashed can do.

use crate::{
    instance::{Instance, View, agreement},
    process::{Id, Outputs, Process, majority, others},
};
use std::collections::{BTreeMap, BTreeSet};

/// A number and the server that uses it.
pub type Ballot = (u8, Id);
/// A command. 0 does nothing; server i proposes 10i+1, 10i+2, ...
pub type Value = u8;
/// What was accepted, by slot.
pub type Accepted = BTreeMap<u8, (Ballot, Value)>;

/// Messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// Take part in no lower ballot.
    Prepare(Ballot),
    /// I shall not, and this I accepted.
    Promise(Ballot, Accepted),
    /// Accept this in a slot.
    Accept(Ballot, u8, Value),
    /// Accepted.
    Accepted(Ballot, u8),
    /// This is chosen in a slot.
    Chosen(u8, Value),
}

/// The leader is suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Suspect;

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    me: Id,
    rules: MultiPaxos,
    ballot: Ballot,
    accepted: Accepted,
    chosen: BTreeMap<u8, Value>,
    // The leader.
    promises: BTreeMap<Id, Accepted>,
    accepts: BTreeMap<u8, BTreeSet<Id>>,
    elections: u8,
}

impl Server {
    fn servers(&self) -> usize {
        usize::from(self.rules.servers)
    }

    fn propose(&mut self, slot: u8, value: Value, out: &mut Outputs<Self>) {
        self.accepted.insert(slot, (self.ballot, value));
        self.accepts.insert(slot, BTreeSet::from([self.me]));
        out.send_all(others(self.servers(), self.me), &Message::Accept(self.ballot, slot, value));
    }

    /// Step 3: what may be chosen, then its own.
    fn lead(&mut self, out: &mut Outputs<Self>) {
        let mut open = Accepted::new();
        for (&slot, &accepted) in self.promises.values().flatten() {
            let highest = open.entry(slot).or_insert(accepted);
            *highest = (*highest).max(accepted);
        }
        let end = open.last_key_value().map_or(0, |(slot, _)| slot + 1);
        for slot in 0..end {
            let value = open.get(&slot).map_or(0, |&(_, value)| value);
            self.propose(slot, value, out);
        }
        for slot in end..end.max(self.rules.slots) {
            self.propose(slot, 10 * self.me + slot + 1, out);
        }
    }

    fn choose(&mut self, slot: u8, value: Value, out: &mut Outputs<Self>) {
        if self.chosen.insert(slot, value).is_none() {
            out.emit((slot, value));
        }
        if self.chosen.len() >= usize::from(self.rules.slots) {
            out.stop_timer(Suspect);
        }
    }
}

impl Process for Server {
    type Message = Message;
    type Timer = Suspect;
    type Event = (u8, Value);

    /// Server 0 leads from the start: its ballot (0, 0) is promised by all.
    fn on_start(&mut self, out: &mut Outputs<Self>) {
        if self.me == 0 {
            self.lead(out);
        }
        if self.elections > 0 {
            out.set_timer(Suspect, 8 + 8 * u64::from(self.me));
        }
    }

    fn on_message(&mut self, from: Id, message: Message, out: &mut Outputs<Self>) {
        match message {
            Message::Prepare(ballot) if ballot > self.ballot => {
                self.ballot = ballot;
                out.send(from, Message::Promise(ballot, self.accepted.clone()));
            }
            Message::Promise(ballot, accepted) if ballot == self.ballot => {
                self.promises.insert(from, accepted);
                if self.promises.len() == majority(self.servers()) {
                    self.lead(out);
                }
            }
            Message::Accept(ballot, slot, value) if ballot >= self.ballot => {
                self.ballot = ballot;
                self.accepted.insert(slot, (ballot, value));
                out.send(from, Message::Accepted(ballot, slot));
            }
            Message::Accepted(ballot, slot) if ballot == self.ballot => {
                let quorum = majority(self.servers());
                let accepts = self.accepts.entry(slot).or_default();
                if accepts.insert(from) && accepts.len() == quorum {
                    let (_, value) = self.accepted[&slot];
                    out.send_all(others(self.servers(), self.me), &Message::Chosen(slot, value));
                    self.choose(slot, value, out);
                }
            }
            Message::Chosen(slot, value) => self.choose(slot, value, out),
            _ => {}
        }
    }

    /// Step 1.
    fn on_timer(&mut self, Suspect: Suspect, out: &mut Outputs<Self>) {
        self.ballot = (self.ballot.0 + 1, self.me);
        self.promises = BTreeMap::from([(self.me, self.accepted.clone())]);
        self.accepts.clear();
        out.send_all(others(self.servers(), self.me), &Message::Prepare(self.ballot));
        self.elections -= 1;
        if self.elections > 0 {
            out.set_timer(Suspect, 8 + 8 * u64::from(self.me));
        }
    }
}

/// Servers that keep a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MultiPaxos {
    /// How many servers.
    pub servers: u8,
    /// How many slots the leader fills.
    pub slots: u8,
    /// How often a candidate suspects the leader.
    pub elections: u8,
    /// The candidates, as bits.
    pub candidates: u8,
}

impl Instance for MultiPaxos {
    type Process = Server;
    type History = ();

    fn processes(&self) -> Vec<Server> {
        let server = |me| {
            let (accepted, chosen, promises, accepts) = Default::default();
            let elections = if self.candidates >> me & 1 == 1 { self.elections } else { 0 };
            Server { me, rules: *self, ballot: (0, 0), accepted, chosen, promises, accepts, elections }
        };
        (0..self.servers).map(server).collect()
    }

    fn violation(&self, view: &View<'_, Server>) -> Option<String> {
        (0..self.slots).find_map(|slot| {
            let chosen = view.processes.iter().filter_map(|server| server.chosen.get(&slot).copied());
            agreement(chosen, |&value| value == 0 || value / 10 < self.servers && value % 10 == slot + 1)
        })
    }

    /// The first slot is chosen at all that are alive.
    fn done(&self, view: &View<'_, Server>) -> bool {
        view.alive().all(|(_, server)| server.chosen.contains_key(&0))
    }
}
