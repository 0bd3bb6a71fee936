//! Processes that run the same code are exchangeable: of all states that differ in their names alone one is searched.

use super::{
    intern::FastMap,
    state::{BUDGET, Envelope, LOCALS, Local},
    step::Stepper,
};
use crate::{
    instance::Instance,
    process::{Id, Process},
};

/// How to rename processes. `map[old]` is the new name.
#[derive(Debug)]
pub struct Symmetry<P: Process> {
    /// All ways to rename, closed under composition.
    pub group: Vec<Vec<Id>>,
    /// Renames what a process knows of others.
    pub process: fn(&P, &[Id]) -> P,
    /// Renames what a message says of others.
    pub message: fn(&P::Message, &[Id]) -> P::Message,
}

/// All ways to permute the processes of a range, the others fixed.
pub fn permutations(range: std::ops::Range<Id>, count: usize) -> Vec<Vec<Id>> {
    let identity: Vec<Id> = crate::process::everyone(count).collect();
    let mut all = vec![identity];
    for place in range.clone() {
        let grown = all.iter().flat_map(|map| {
            (place..range.end).map(|with| {
                let mut map = map.clone();
                map.swap(usize::from(place), usize::from(with));
                map
            })
        });
        all = grown.collect();
    }
    all
}

/// Finds the least of the states that are the same.
pub(super) struct Canon<'a, P: Process> {
    symmetry: &'a Symmetry<P>,
    count: usize,
    locals: FastMap<u64, u32>,
    envelopes: FastMap<u64, u32>,
    best: Vec<u32>,
    other: Vec<u32>,
}

impl<'a, P: Process> Canon<'a, P> {
    pub fn new(symmetry: &'a Symmetry<P>, count: usize) -> Self {
        let (locals, envelopes) = (FastMap::default(), FastMap::default());
        Self { symmetry, count, locals, envelopes, best: Vec::new(), other: Vec::new() }
    }

    /// Of the states that `state` can be renamed to, the least.
    pub fn least<I: Instance<Process = P>>(&mut self, stepper: &mut Stepper<'_, I>, state: &[u32]) -> &[u32] {
        self.best.clear();
        self.best.extend_from_slice(state);
        for number in 0..self.symmetry.group.len() {
            self.rename(stepper, state, number);
            if self.other < self.best {
                std::mem::swap(&mut self.other, &mut self.best);
            }
        }
        &self.best
    }

    fn rename<I: Instance<Process = P>>(&mut self, stepper: &mut Stepper<'_, I>, state: &[u32], number: usize) {
        let map = &self.symmetry.group[number];
        self.other.clear();
        self.other.extend_from_slice(state);
        let crashed = state[BUDGET] >> 16;
        let renamed = (0..self.count).fold(0, |mask, id| mask | (crashed >> id & 1) << (16 + map[id]));
        self.other[BUDGET] = state[BUDGET] & 0xffff | renamed;
        for id in 0..self.count {
            let local = state[LOCALS + id];
            let key = u64::from(local) << 32 | number as u64;
            let renamed = *self.locals.entry(key).or_insert_with(|| {
                let Local { process, timers, .. } = stepper.locals.value(local).clone();
                let process = (self.symmetry.process)(&process, map);
                stepper.locals.number(Local { id: map[id], process, timers })
            });
            self.other[LOCALS + usize::from(map[id])] = renamed;
        }
        for (at, &envelope) in state.iter().enumerate().skip(LOCALS + self.count) {
            let key = u64::from(envelope) << 32 | number as u64;
            self.other[at] = *self.envelopes.entry(key).or_insert_with(|| {
                let Envelope { to, from, message } = stepper.envelopes.value(envelope);
                let message = (self.symmetry.message)(message, map);
                let (to, from) = (map[usize::from(*to)], map[usize::from(*from)]);
                stepper.envelopes.number(Envelope { to, from, message })
            });
        }
        stepper.sort(&mut self.other);
    }
}
