//! Replicas and traitors, and what must hold.

use super::{Message, Node, Request, Rules};
use crate::{
    explorer::{Symmetry, permutations},
    instance::{Instance, View},
    process::Id,
};
use chain_core::finality::pbft::{Change, Replica};
use std::collections::BTreeMap;

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
