//! PBFT: its replicas and traitors as processes of the lab. The protocol itself is `chain-core/src/finality/pbft`, which nodes
//! run, too.

mod instance;

pub use chain_core::finality::pbft::{Message, Rules};
pub use instance::{Pbft, Traitor};

use crate::process::{Id, Outputs, Process, others};
use chain_core::finality::pbft::{Change, Effect, Number, Prepared, Replica};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

/// A request. Those that nobody asked for are the traitors' inventions.
pub type Request = u8;

/// A replica takes a checkpoint at every multiple of this number.
const INTERVAL: Number = 4;

/// A correct replica, or a traitor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A correct replica, the requests it was sent, and how often it may lose patience.
    Correct {
        /// The replica.
        replica: Box<Replica<Request>>,
        /// The requests.
        requests: Vec<Request>,
        /// How often its timer may expire.
        patience: u8,
        /// What it executed.
        log: BTreeMap<Number, Option<Request>>,
        /// Whether it takes what a new view begins with on trust: the protocol is broken then.
        credulous: bool,
    },
    /// A traitor, which sends all that it will ever send at its start: the network may deliver any of it at any time, or
    /// never.
    Traitor {
        /// What it sends.
        messages: Vec<(Id, Message<Request>)>,
    },
}

/// A replica's only timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Patience;

impl Process for Node {
    type Message = Message<Request>;
    type Timer = Patience;
    type Event = (Number, Option<Request>);

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        let requests = match self {
            Self::Correct { requests, .. } => requests.clone(),
            Self::Traitor { messages } => {
                messages.drain(..).for_each(|(to, message)| out.send(to, message));
                return;
            }
        };
        self.drive(out, |replica, effects| {
            requests.into_iter().for_each(|request| replica.on_request(request, effects))
        });
    }

    fn on_message(&mut self, from: Id, message: Message<Request>, out: &mut Outputs<Self>) {
        let message = if self.is_credulous() { believe(message) } else { message };
        self.drive(out, |replica, effects| replica.on_message(from, message, effects));
    }

    fn on_timer(&mut self, Patience: Patience, out: &mut Outputs<Self>) {
        if let Self::Correct { patience, .. } = self {
            *patience -= 1;
        }
        self.drive(out, Replica::on_timeout);
    }
}

impl Node {
    fn is_credulous(&self) -> bool {
        matches!(self, Self::Correct { credulous: true, .. })
    }

    fn drive(&mut self, out: &mut Outputs<Self>, act: impl FnOnce(&mut Replica<Request>, &mut Vec<Effect<Request>>)) {
        let Self::Correct { replica, patience, log, .. } = self else { return };
        let mut effects = Vec::new();
        act(replica.as_mut(), &mut effects);
        let (count, me) = (usize::from(replica.rules().replicas), replica.me());
        while !effects.is_empty() {
            for effect in std::mem::take(&mut effects) {
                match effect {
                    Effect::Broadcast(message) => out.send_all(others(count, me), &message),
                    Effect::Send(to, message) => out.send(to, message),
                    Effect::SetTimer(doubled) if *patience > 0 => out.set_timer(Patience, 12 << doubled),
                    Effect::SetTimer(_) => {}
                    Effect::StopTimer => out.stop_timer(Patience),
                    Effect::Execute(number, request) => {
                        log.insert(number, request);
                        out.emit((number, request));
                        if number.is_multiple_of(INTERVAL) {
                            replica.take_checkpoint(number, digest(log), &mut effects);
                        }
                    }
                }
            }
        }
    }
}

/// The digest of a state: of all that led to it.
fn digest(log: &BTreeMap<Number, Option<Request>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    log.hash(&mut hasher);
    hasher.finish()
}

/// What a replica would make of a message if it took what a new view begins with on trust: as if that were proven.
fn believe(message: Message<Request>) -> Message<Request> {
    let Message::NewView(view, changes, requests) = message else { return message };
    let signers: BTreeSet<Id> = changes.keys().copied().collect();
    let proven = |(&number, &request): (&Number, &Option<Request>)| {
        (number, Prepared { view: 0, request, signers: signers.clone() })
    };
    let change = Change { stable: 0, prepared: requests.iter().map(proven).collect() };
    let changes = changes.into_keys().map(|id| (id, change.clone())).collect();
    Message::NewView(view, changes, requests)
}
