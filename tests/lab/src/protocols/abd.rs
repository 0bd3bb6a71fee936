//! A register in a network (Attiya, Bar-Noy and Dolev, "Sharing Memory Robustly in Message-Passing Systems", 1995).
//!
//! Each server keeps a value and its sequence number: a counter, and the id of the server that wrote, so that no two
//! writes have the same. A server carries out an operation in two rounds, each of which waits for a majority:
//!
//! 1. It asks all servers for their value and takes the one with the highest sequence number. A write takes the next
//!    sequence number for its own value.
//! 2. It has all servers record that value. A read does this too: otherwise a later read, at another majority, could
//!    return an older value.
//!
//! Two majorities have a server in common, so each operation sees what ended before it started: the register is
//! linearizable. It needs no consensus, and no timers: it works in an asynchronous network with fewer than half crashed.
//!
//! A server serves one client at a time and forgets what others ask meanwhile, as the model of stateright does: so a client
//! that asks a busy server waits for ever, and a run then ends as blocked.

use super::register::{Message as Outer, Plan, Request, Role};
use crate::{
    instance::{Instance, View},
    linear::{Event, History, Value},
    process::{Id, Outputs, Process, majority, others},
};
use std::collections::{BTreeMap, BTreeSet};

/// A counter and the server that wrote.
type Sequence = (u8, Id);

/// Among servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// What do you have?
    Query(Request),
    /// This.
    Have(Request, Sequence, Value),
    /// Record this if it is newer.
    Record(Request, Sequence, Value),
    /// Recorded.
    Recorded(Request),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Round {
    Idle,
    Querying { request: Request, client: Id, write: Option<Value>, answers: BTreeMap<Id, (Sequence, Value)> },
    Recording { request: Request, client: Id, read: Option<Value>, recorded: BTreeSet<Id> },
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    me: Id,
    servers: usize,
    newest: (Sequence, Value),
    round: Round,
    /// Whether reads skip the second round, as in a regular register, which is not linearizable.
    regular: bool,
}

impl Server {
    /// Upon receiving a request of a client: ask all.
    fn begin(&mut self, request: Request, client: Id, write: Option<Value>, out: &mut Outputs<Self>) {
        out.send_all(others(self.servers, self.me), &Outer::Inner(Message::Query(request)));
        let answers = BTreeMap::from([(self.me, self.newest)]);
        self.round = Round::Querying { request, client, write, answers };
    }

    /// Upon receiving the answers of a majority: have the newest recorded.
    fn answered(&mut self, from: Id, asked: Request, answer: (Sequence, Value), out: &mut Outputs<Self>) {
        let (me, quorum) = (self.me, majority(self.servers));
        let Round::Querying { request, client, write, answers } = &mut self.round else { return };
        if *request != asked {
            return;
        }
        answers.insert(from, answer);
        if answers.len() < quorum {
            return;
        }
        let (request, client, write) = (*request, *client, *write);
        let newest = answers.values().copied().max().unwrap_or(self.newest);
        let chosen = write.map_or(newest, |value| ((newest.0.0 + 1, me), value));
        let read = write.is_none().then_some(chosen.1);
        if self.regular && write.is_none() {
            self.round = Round::Idle;
            return out.send(client, Outer::GetOk(request, chosen.1));
        }
        self.newest = self.newest.max(chosen);
        out.send_all(others(self.servers, me), &Outer::Inner(Message::Record(request, chosen.0, chosen.1)));
        self.round = Round::Recording { request, client, read, recorded: BTreeSet::from([me]) };
    }

    /// Upon receiving that a majority recorded: answer the client.
    fn recorded(&mut self, from: Id, asked: Request, out: &mut Outputs<Self>) {
        let quorum = majority(self.servers);
        let Round::Recording { request, client, read, recorded } = &mut self.round else { return };
        if *request == asked && recorded.insert(from) && recorded.len() == quorum {
            out.send(*client, read.map_or(Outer::PutOk(asked), |value| Outer::GetOk(asked, value)));
            self.round = Round::Idle;
        }
    }
}

impl Process for Server {
    type Message = Outer<Message>;
    type Timer = ();
    type Event = Event;

    fn on_message(&mut self, from: Id, message: Outer<Message>, out: &mut Outputs<Self>) {
        match message {
            Outer::Put(request, value) if self.round == Round::Idle => self.begin(request, from, Some(value), out),
            Outer::Get(request) if self.round == Round::Idle => self.begin(request, from, None, out),
            Outer::Inner(Message::Query(request)) => {
                out.send(from, Outer::Inner(Message::Have(request, self.newest.0, self.newest.1)));
            }
            Outer::Inner(Message::Have(request, sequence, value)) => {
                self.answered(from, request, (sequence, value), out);
            }
            // Upon receiving a value to record: keep it if it is newer, and say so in any case.
            Outer::Inner(Message::Record(request, sequence, value)) => {
                self.newest = self.newest.max((sequence, value));
                out.send(from, Outer::Inner(Message::Recorded(request)));
            }
            Outer::Inner(Message::Recorded(request)) => self.recorded(from, request, out),
            _ => {}
        }
    }
}

/// Servers and their clients.
#[derive(Clone, Copy, Debug)]
pub struct Abd {
    /// How many servers.
    pub servers: u8,
    /// How many clients.
    pub clients: u8,
    /// Whether reads skip their second round.
    pub regular: bool,
    /// Whether the first client only writes and the others only read.
    pub split: bool,
}

impl Instance for Abd {
    type Process = Role<Server>;
    type History = History;

    fn processes(&self) -> Vec<Role<Server>> {
        let Self { servers, clients, regular, split } = *self;
        let server = |me| {
            let newest = ((0, me), 0);
            Role::Server(Server { me, servers: usize::from(servers), newest, round: Round::Idle, regular })
        };
        let plan = |me| match split {
            false => Plan::WriteThenRead,
            true if me == servers => Plan::Write,
            true => Plan::ReadTwice,
        };
        let clients = (servers..servers + clients).map(|me| Role::client(me, servers, plan(me)));
        (0..servers).map(server).chain(clients).collect()
    }

    fn violation(&self, _view: &View<'_, Role<Server>>) -> Option<String> {
        None
    }

    fn violation_of(&self, history: &History) -> Option<String> {
        history.violation()
    }

    fn done(&self, view: &View<'_, Role<Server>>) -> bool {
        view.alive().all(|(_, process)| process.is_done())
    }

    fn name(&self, id: Id) -> String {
        if id < self.servers { format!("s{id}") } else { format!("c{id}") }
    }
}
