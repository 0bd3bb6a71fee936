//! PBFT: its replicas and traitors as processes of the lab. The protocol itself is `chain-core/src/finality/pbft`, which nodes
//! run, too.

pub use chain_core::finality::pbft::{Message, Rules};

use chain_core::finality::pbft::{Change, Effect, Number, Prepared, Replica};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::{
    explorer::{Symmetry, permutations},
    instance::{Instance, View},
    process::{Id, Outputs, Process, others},
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

/// What the traitors of an instance do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Traitor {
    /// There is none.
    None,
    /// Replica 0, the first leader, gives number 1 to two requests, and votes for both.
    Equivocates,
    /// The same, and replica 1, the next leader, begins its view with a request that nobody prepared.
    AdoptsWrongly,
}

/// Replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pbft {
    /// Who agrees, and how.
    pub rules: Rules,
    /// How many requests there are: 1, 2, ...
    pub requests: Request,
    /// How often each replica may lose patience.
    pub patience: u8,
    /// What the traitors do.
    pub traitor: Traitor,
    /// Whether correct replicas take what a new view begins with on trust.
    pub credulous: bool,
}

impl Pbft {
    fn is_traitor(&self, id: Id) -> bool {
        match self.traitor {
            Traitor::None => false,
            Traitor::Equivocates => id == 0,
            Traitor::AdoptsWrongly => id == 1,
        }
    }

    /// Replicas are exchangeable that never lead.
    pub fn symmetry(&self) -> Symmetry<Node> {
        fn rename(node: &Node, map: &[Id]) -> Node {
            let mut node = node.clone();
            if let Node::Correct { replica, .. } = &mut node {
                replica.rename(map);
            }
            node
        }
        let count = usize::from(self.rules.replicas);
        let group = permutations(1..self.rules.replicas, count);
        Symmetry { group, process: rename, message: |message, _| message.clone() }
    }

    /// All that a traitor may ever send.
    fn arsenal(&self) -> Vec<(Id, Message<Request>)> {
        let correct = (0..self.rules.replicas).filter(|&id| !self.is_traitor(id));
        match self.traitor {
            Traitor::None => Vec::new(),
            Traitor::Equivocates => correct
                .flat_map(|to| [1, 2].map(|request| (to, Some(request))))
                .flat_map(|(to, request)| {
                    [(to, Message::PrePrepare(0, 1, request)), (to, Message::Commit(0, 1, request))]
                })
                .collect(),
            // It helps the first leader to execute 1 alone, and wins the others for 9.
            Traitor::AdoptsWrongly => {
                let empty = Change { stable: 0, prepared: BTreeMap::new() };
                let changes: BTreeMap<_, _> = (0..self.rules.replicas).map(|id| (id, empty.clone())).collect();
                let begin = Message::NewView(1, changes, BTreeMap::from([(1, Some(9))]));
                let others = correct.filter(|&id| id != 0).collect::<Vec<_>>();
                let mut all = vec![(0, Message::Prepare(0, 1, Some(1))), (0, Message::Commit(0, 1, Some(1)))];
                for to in others {
                    all.push((to, Message::Prepare(0, 1, Some(1))));
                    all.push((to, begin.clone()));
                    all.push((to, Message::Commit(1, 1, Some(9))));
                }
                all
            }
        }
    }
}

impl Instance for Pbft {
    type Process = Node;
    type History = ();

    fn processes(&self) -> Vec<Node> {
        let node = |me| {
            if self.is_traitor(me) {
                return Node::Traitor { messages: self.arsenal() };
            }
            let (requests, log) = ((1..=self.requests).collect(), BTreeMap::new());
            let (replica, patience, credulous) =
                (Box::new(Replica::new(me, self.rules)), self.patience, self.credulous);
            Node::Correct { replica, requests, patience, log, credulous }
        };
        (0..self.rules.replicas).map(node).collect()
    }

    fn violation(&self, view: &View<'_, Node>) -> Option<String> {
        let mut agreed = BTreeMap::new();
        for node in &view.processes {
            let Node::Correct { log, .. } = node else { continue };
            for (&number, &request) in log {
                let first = *agreed.entry(number).or_insert(request);
                if first != request {
                    return Some(format!("agreement: {first:?} and {request:?} were executed as number {number}"));
                }
            }
        }
        None
    }

    /// Every correct replica executed every request.
    fn done(&self, view: &View<'_, Node>) -> bool {
        view.alive().all(|(_, node)| match node {
            Node::Correct { log, .. } => {
                (1..=self.requests).all(|request| log.values().any(|done| *done == Some(request)))
            }
            Node::Traitor { .. } => true,
        })
    }

    fn name(&self, id: Id) -> String {
        if self.is_traitor(id) { format!("r{id}!") } else { format!("r{id}") }
    }
}
