//! Acceptors with their quorums, and what must hold.

use super::{Acceptor, Learner, Part, Value};
use crate::{
    explorer::{Symmetry, permutations},
    instance::{Instance, View, agreement},
    process::{Id, everyone},
};
use std::collections::BTreeMap;

/// Acceptors and proposers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FastPaxos {
    /// n.
    pub acceptors: usize,
    /// f.
    pub faults: usize,
    /// e.
    pub fast_faults: usize,
    /// How many propose, all at once. Their ids follow the acceptors'.
    pub proposers: usize,
    /// Whether the coordinator, acceptor 0, recovers from collisions. If not, all acceptors do.
    pub coordinated: bool,
    /// Whether acceptor 1 may start round 3.
    pub recovers: bool,
    /// Whether proposers learn what is chosen.
    pub informs: bool,
}

impl FastPaxos {
    pub(super) fn classic(&self) -> usize {
        self.acceptors - self.faults
    }

    fn is_fast(&self, round: u8) -> bool {
        round == 1 || (round == 2 && !self.coordinated)
    }

    pub(super) fn quorum(&self, round: u8) -> usize {
        if self.is_fast(round) { self.acceptors - self.fast_faults } else { self.classic() }
    }

    pub(super) fn learners(&self) -> impl Iterator<Item = Id> {
        let acceptors = if self.coordinated { 1 } else { self.acceptors };
        let all = self.acceptors + if self.informs { self.proposers } else { 0 };
        let first = self.acceptors;
        everyone(all).filter(move |&id| usize::from(id) < acceptors || usize::from(id) >= first)
    }

    /// What to pick from the last votes of a classic quorum; nothing if none voted.
    pub(super) fn pick(&self, votes: &[Option<(u8, Value)>]) -> Option<Value> {
        let (highest, _) = votes.iter().flatten().max()?;
        let voted: Vec<Value> =
            votes.iter().flatten().filter(|(round, _)| round == highest).map(|&(_, value)| value).collect();
        let count = |value| voted.iter().filter(|&&other| other == value).count();
        let may_be_chosen = |&value: &Value| !self.is_fast(*highest) || votes.len() - count(value) <= self.fast_faults;
        let best = |values: &mut dyn Iterator<Item = Value>| values.max_by_key(|&value| (count(value), value));
        best(&mut voted.iter().copied().filter(may_be_chosen)).or_else(|| best(&mut voted.iter().copied()))
    }

    /// Acceptors are exchangeable, except those that coordinate.
    pub fn symmetry(&self) -> Symmetry<Part> {
        let first = if self.coordinated || self.recovers { 2 } else { 0 };
        let last = Id::try_from(self.acceptors).expect("few");
        Symmetry {
            group: permutations(first..last, self.acceptors + self.proposers),
            process: rename,
            message: |message, _| *message,
        }
    }
}

fn rename(part: &Part, map: &[Id]) -> Part {
    let new = |id: Id| map[usize::from(id)];
    let mut part = part.clone();
    if let Part::Acceptor(acceptor) = &mut part {
        acceptor.promises = acceptor.promises.iter().map(|(&id, &vote)| (new(id), vote)).collect();
    }
    let (Part::Proposer(learner) | Part::Acceptor(Acceptor { learner, .. })) = &mut part;
    learner.me = new(learner.me);
    for heard in learner.heard.values_mut() {
        *heard = heard.iter().map(|(&id, &value)| (new(id), value)).collect();
    }
    part
}

impl Instance for FastPaxos {
    type Process = Part;
    type History = ();

    fn processes(&self) -> Vec<Part> {
        let learner = |me| Learner { me, rules: *self, heard: BTreeMap::new(), decided: None };
        let part = |me: Id| {
            if usize::from(me) >= self.acceptors {
                return Part::Proposer(learner(me));
            }
            let (votes, promises) = (BTreeMap::new(), BTreeMap::new());
            Part::Acceptor(Acceptor { learner: learner(me), round: 1, votes, promises })
        };
        everyone(self.acceptors + self.proposers).map(part).collect()
    }

    /// What was chosen is seen from the votes, learnt or not.
    fn violation(&self, view: &View<'_, Part>) -> Option<String> {
        let mut votes = BTreeMap::<(u8, Value), usize>::new();
        for part in &view.processes {
            if let Part::Acceptor(acceptor) = part {
                acceptor.votes.iter().for_each(|(&round, &value)| *votes.entry((round, value)).or_default() += 1);
            }
        }
        let chosen = votes.iter().filter(|&(&(round, _), &count)| count >= self.quorum(round));
        agreement(chosen.map(|(&(_, value), _)| value), |&value| usize::from(value) >= self.acceptors)
    }

    fn done(&self, view: &View<'_, Part>) -> bool {
        view.processes.iter().any(|part| match part {
            Part::Proposer(learner) | Part::Acceptor(Acceptor { learner, .. }) => learner.decided.is_some(),
        })
    }

    fn name(&self, id: Id) -> String {
        if usize::from(id) < self.acceptors { format!("a{id}") } else { format!("p{id}") }
    }
}
