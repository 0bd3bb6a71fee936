//! Clients of a register that servers keep together: each writes a value of its own, waits, and reads.

use crate::{
    linear::{Event, Operation, Value},
    process::{Id, Outputs, Process},
};
use std::fmt::Debug;
use std::hash::Hash;

/// A request's number, different for each request.
pub type Request = u8;

/// What clients and servers say, and what servers say among themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message<M> {
    /// A client writes.
    Put(Request, Value),
    /// A client reads.
    Get(Request),
    /// The write happened.
    PutOk(Request),
    /// The read's result.
    GetOk(Request, Value),
    /// Among servers.
    Inner(M),
}

/// A client or a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role<S> {
    /// A server.
    Server(S),
    /// A client.
    Client(Client),
}

/// A client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    me: Id,
    servers: u8,
    plan: Plan,
    waits_for: Option<Request>,
    operations: u8,
}

/// What a client asks for, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plan {
    /// It writes and then reads.
    WriteThenRead,
    /// It writes.
    Write,
    /// It reads twice.
    ReadTwice,
}

impl<S> Role<S> {
    /// A client that asks another server each time. Servers come first in the list of processes.
    pub fn client(me: Id, servers: u8, plan: Plan) -> Self {
        Self::Client(Client { me, servers, plan, waits_for: None, operations: 0 })
    }

    /// Whether a client has its answers. Servers have nothing to wait for.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Server(_) => true,
            Self::Client(client) => client.operations == client.plan.operations() && client.waits_for.is_none(),
        }
    }
}

impl Plan {
    fn operations(self) -> u8 {
        if self == Self::Write { 1 } else { 2 }
    }
}

impl Client {
    fn ask<S, M>(&mut self, out: &mut Outputs<Role<S>>)
    where
        S: Process<Message = Message<M>, Event = Event>,
        M: Copy + Ord + Hash + Debug,
    {
        let request = (self.operations + 1) * self.me;
        let server = (self.me + self.operations) % self.servers;
        let (operation, message) = if self.operations == 0 && self.plan != Plan::ReadTwice {
            let value = 1 + self.me - self.servers;
            (Operation::Write(0, value), Message::Put(request, value))
        } else {
            (Operation::Read(0), Message::Get(request))
        };
        out.emit(Event::Invoked(operation));
        out.send(server, message);
        self.waits_for = Some(request);
        self.operations += 1;
    }

    /// The next operation, if there is one.
    fn go_on<S, M>(&mut self, out: &mut Outputs<Role<S>>)
    where
        S: Process<Message = Message<M>, Event = Event>,
        M: Copy + Ord + Hash + Debug,
    {
        self.waits_for = None;
        if self.operations < self.plan.operations() {
            self.ask(out);
        }
    }
}

impl<S, M> Process for Role<S>
where
    S: Process<Message = Message<M>, Event = Event>,
    M: Copy + Ord + Hash + Debug,
{
    type Message = Message<M>;
    type Timer = S::Timer;
    type Event = Event;

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        match self {
            Self::Server(server) => within(out, |out| server.on_start(out)),
            Self::Client(client) => client.ask(out),
        }
    }

    fn on_message(&mut self, from: Id, message: Message<M>, out: &mut Outputs<Self>) {
        let client = match self {
            Self::Server(server) => return within(out, |out| server.on_message(from, message, out)),
            Self::Client(client) => client,
        };
        match message {
            // Upon receiving the end of the write.
            Message::PutOk(request) if client.waits_for == Some(request) => {
                out.emit(Event::Returned(None));
                client.go_on(out);
            }
            // Upon receiving the read's result.
            Message::GetOk(request, value) if client.waits_for == Some(request) => {
                out.emit(Event::Returned(Some(value)));
                client.go_on(out);
            }
            _ => {}
        }
    }

    fn on_timer(&mut self, timer: S::Timer, out: &mut Outputs<Self>) {
        if let Self::Server(server) = self {
            within(out, |out| server.on_timer(timer, out));
        }
    }
}

/// Passes on what a server wants done.
fn within<S, M>(out: &mut Outputs<Role<S>>, act: impl FnOnce(&mut Outputs<S>))
where
    S: Process<Message = Message<M>, Event = Event>,
    M: Copy + Ord + Hash + Debug,
{
    let mut inner = Outputs::default();
    act(&mut inner);
    let Outputs { sends, timers, events } = inner;
    *out = Outputs { sends, timers, events };
}
