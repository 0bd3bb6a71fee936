//! Paxos for one decision (Lamport, "Paxos Made Simple", 2001), as clients use it: the first value a client writes is
//! chosen, and reads return it.
//!
//! Every server is proposer, acceptor and learner. A ballot is a number and the id of the proposer that uses it, so no
//! two proposers share one.
//!
//! 1. A proposer with a value of a client takes a ballot higher than any it saw and sends Prepare to all.
//! 2. Upon receiving Prepare with a ballot higher than any before, an acceptor promises to take part in no lower one and
//!    returns the value it accepted last, with its ballot.
//! 3. Upon receiving promises of a majority, the proposer sends Accept with the value accepted in the highest ballot
//!    among them; its own value if there is none.
//! 4. Upon receiving Accept in a ballot not lower than its promise, an acceptor accepts.
//! 5. Upon receiving Accepted of a majority, the proposer knows the value to be chosen, and tells all.
//!
//! Two majorities share an acceptor: a higher ballot's promises contain the value that a lower ballot chose. That gives
//! agreement in any network. Proposers that keep overtaking each other never get done; no protocol can do better in an
//! asynchronous network with a crash (Fischer, Lynch and Paterson, 1985).

use super::register::{Message as Outer, Plan, Request, Role};
use crate::{
    instance::{Instance, View, agreement},
    linear::{Event, History, Value},
    process::{Id, Outputs, Process, others},
};
use std::collections::{BTreeMap, BTreeSet};

/// A number and the proposer that uses it.
pub type Ballot = (u8, Id);
/// A request, its client and the value.
pub type Proposal = (Request, Id, Value);

/// Among servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// Take part in no lower ballot (1a).
    Prepare(Ballot),
    /// I shall not, and this I accepted last (1b).
    Promise(Ballot, Option<(Ballot, Proposal)>),
    /// Accept this (2a).
    Accept(Ballot, Proposal),
    /// Accepted (2b).
    Accepted(Ballot),
    /// This is chosen.
    Decided(Ballot, Proposal),
}

/// A proposer's only timer: it tries again with a higher ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Retry;

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    me: Id,
    rules: Paxos,
    ballot: Ballot,
    // The proposer.
    proposal: Option<Proposal>,
    promises: BTreeMap<Id, Option<(Ballot, Proposal)>>,
    accepts: BTreeSet<Id>,
    tries: u8,
    // The acceptor.
    accepted: Option<(Ballot, Proposal)>,
    decided: bool,
}

impl Server {
    fn new(me: Id, rules: Paxos) -> Self {
        let (promises, accepts) = (BTreeMap::new(), BTreeSet::new());
        let ballot = (0, 0);
        Self { me, rules, ballot, proposal: None, promises, accepts, tries: 0, accepted: None, decided: false }
    }

    /// What this server knows to be chosen.
    pub fn decision(&self) -> Option<Value> {
        self.accepted.filter(|_| self.decided).map(|(_, (_, _, value))| value)
    }

    fn send_all(&self, message: Message, out: &mut Outputs<Self>) {
        out.send_all(others(usize::from(self.rules.servers), self.me), &Outer::Inner(message));
    }

    /// Step 1. The proposer promises to itself.
    fn prepare(&mut self, out: &mut Outputs<Self>) {
        self.ballot = (self.ballot.0 + 1, self.me);
        self.promises = BTreeMap::from([(self.me, self.accepted)]);
        self.accepts.clear();
        self.send_all(Message::Prepare(self.ballot), out);
        if self.tries < self.rules.retries {
            self.tries += 1;
            out.set_timer(Retry, 8 + 4 * u64::from(self.me));
        }
    }

    /// Upon receiving Promise(b, accepted) from a majority: step 3. The proposer accepts, too.
    fn on_promise(&mut self, from: Id, accepted: Option<(Ballot, Proposal)>, out: &mut Outputs<Self>) {
        self.promises.insert(from, accepted);
        if self.promises.len() == self.rules.quorum {
            let highest = self.promises.values().max().copied().flatten();
            let Some(proposal) = highest.map(|(_, proposal)| proposal).or(self.proposal) else { return };
            self.proposal = Some(proposal);
            self.accepted = Some((self.ballot, proposal));
            self.accepts.insert(self.me);
            self.send_all(Message::Accept(self.ballot, proposal), out);
        }
    }

    /// Upon receiving Accepted(b) from a majority: step 5.
    fn on_accepted(&mut self, from: Id, out: &mut Outputs<Self>) {
        self.accepts.insert(from);
        if self.accepts.len() == self.rules.quorum
            && let Some(proposal) = self.proposal
        {
            self.decided = true;
            out.stop_timer(Retry);
            self.send_all(Message::Decided(self.ballot, proposal), out);
            let (request, client, _) = proposal;
            out.send(client, Outer::PutOk(request));
        }
    }
}

impl Process for Server {
    type Message = Outer<Message>;
    type Timer = Retry;
    type Event = Event;

    fn on_message(&mut self, from: Id, message: Outer<Message>, out: &mut Outputs<Self>) {
        if let (Some(value), Outer::Get(request)) = (self.decision(), message) {
            return out.send(from, Outer::GetOk(request, value));
        }
        if self.decided {
            // Upon receiving Prepare of one that missed the decision. Without retries nobody asks.
            if let (Outer::Inner(Message::Prepare(_)), Some((ballot, proposal)), true) =
                (message, self.accepted, self.rules.retries > 0)
            {
                out.send(from, Outer::Inner(Message::Decided(ballot, proposal)));
            }
            return;
        }
        match message {
            // Upon receiving a client's value.
            Outer::Put(request, value) if self.proposal.is_none() => {
                self.proposal = Some((request, from, value));
                self.prepare(out);
            }
            // Upon receiving Prepare(b) with b higher than any ballot so far: step 2.
            Outer::Inner(Message::Prepare(ballot)) if ballot > self.ballot => {
                self.ballot = ballot;
                out.send(from, Outer::Inner(Message::Promise(ballot, self.accepted)));
            }
            Outer::Inner(Message::Promise(ballot, accepted)) if ballot == self.ballot => {
                self.on_promise(from, accepted, out);
            }
            // Upon receiving Accept(b, v) with b not lower than the promise: step 4.
            Outer::Inner(Message::Accept(ballot, proposal)) if ballot >= self.ballot => {
                self.ballot = ballot;
                self.accepted = Some((ballot, proposal));
                out.send(from, Outer::Inner(Message::Accepted(ballot)));
            }
            Outer::Inner(Message::Accepted(ballot)) if ballot == self.ballot => self.on_accepted(from, out),
            // Upon receiving the decision.
            Outer::Inner(Message::Decided(ballot, proposal)) => {
                self.ballot = ballot;
                self.accepted = Some((ballot, proposal));
                self.decided = true;
                out.stop_timer(Retry);
            }
            _ => {}
        }
    }

    fn on_timer(&mut self, Retry: Retry, out: &mut Outputs<Self>) {
        self.prepare(out);
    }
}

/// Servers and their clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Paxos {
    /// How many servers.
    pub servers: u8,
    /// How many clients.
    pub clients: u8,
    /// How many acceptors make a quorum: the majority, or the protocol is broken.
    pub quorum: usize,
    /// How often a proposer tries again.
    pub retries: u8,
}

impl Instance for Paxos {
    type Process = Role<Server>;
    type History = History;

    fn processes(&self) -> Vec<Role<Server>> {
        let servers = (0..self.servers).map(|me| Role::Server(Server::new(me, *self)));
        let client = |me| Role::client(me, self.servers, Plan::WriteThenRead);
        servers.chain((self.servers..self.servers + self.clients).map(client)).collect()
    }

    fn violation(&self, view: &View<'_, Role<Server>>) -> Option<String> {
        let decided = view.processes.iter().filter_map(|process| match process {
            Role::Server(server) => server.decision(),
            Role::Client(_) => None,
        });
        agreement(decided, |value| (1..=self.clients).contains(value))
    }

    fn violation_of(&self, history: &History) -> Option<String> {
        history.violation()
    }

    /// Clients whose value was not chosen get no answer: it is enough that all servers with a proposal know a decision.
    fn done(&self, view: &View<'_, Role<Server>>) -> bool {
        let servers = || {
            view.alive().filter_map(|(_, process)| match process {
                Role::Server(server) => Some(server),
                Role::Client(_) => None,
            })
        };
        servers().any(|server| server.decided) && servers().all(|server| server.decided || server.proposal.is_none())
    }

    fn name(&self, id: Id) -> String {
        if id < self.servers { format!("s{id}") } else { format!("c{id}") }
    }
}
