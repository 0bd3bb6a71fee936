//! Herlihy's hierarchy ("Wait-Free Synchronization", 1991) by exhaustive search over programs.
//!
//! An object has consensus number n if n processes, and not n+1, can agree with it and with registers so that each is
//! done after a bounded number of its own steps, whatever the others do. Agreement on a value and the election of one of
//! the processes are the same problem: a process first writes its value into a register, and then the elected one's value
//! is decided. So the search is for a program that elects.
//!
//! Programs know as much as any program could. Each process has a register that it alone writes, and a round of it is:
//! write all that it knows into that register, then do one operation, which is to read another's register or to apply the
//! object's operation. What a program chooses depends on what the process knows: the next operation, or whom to elect.
//! The search assigns choices only to knowledge that some schedule leads to, runs all schedules, and backtracks when two
//! elect differently or one elects a process that never took a step.
//!
//! "No program" therefore means: none with one object of the kind, single-writer registers of any size, and that many
//! rounds. Herlihy's proof has no such bound.

use crate::explorer::{FastHasher, FastMap};
use std::{collections::HashSet, hash::BuildHasherDefault};

/// Kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// Registers alone.
    Registers,
    /// Sets a bit and returns what it was.
    TestAndSet,
    /// Writes the process's id and returns what was there.
    Swap,
    /// Adds one and returns what it was.
    FetchAndAdd,
    /// Writes the process's id if nothing is there, and returns what was there.
    CompareAndSwap,
}

impl Object {
    /// Applies its operation: the new state and the result. State 0 is the first.
    fn apply(self, state: u8, me: u8) -> (u8, u8) {
        match self {
            Self::Registers => (state, 0),
            Self::TestAndSet => (1, state),
            Self::Swap => (me + 1, state),
            Self::FetchAndAdd => (state + 1, state),
            Self::CompareAndSwap if state == 0 => (me + 1, 0),
            Self::CompareAndSwap => (state, state),
        }
    }
}

/// What a program does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Read(u8),
    Apply,
    Elect(u8),
}

/// What a process knows, by number. 0 is nothing: the register of one that has not started.
type Knowledge = u32;

/// A process's knowledge grows by what one operation returned.
type Learnt = (u8, Knowledge, Option<u8>, u32);

/// The search copies states often, so they hold their lists in themselves.
const MOST: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct State {
    object: u8,
    knows: [Knowledge; MOST],
    registers: [Knowledge; MOST],
    rounds: [u8; MOST],
    writes_next: [bool; MOST],
    elected: [Option<u8>; MOST],
}

enum Outcome {
    Correct,
    Wrong,
    /// Some schedule leads a process to this knowledge after so many rounds, and the program says nothing of it.
    Undefined(u8, Knowledge, u8),
}

/// A search for a program.
pub struct Search {
    object: Object,
    processes: u8,
    rounds: u8,
    numbers: FastMap<Learnt, Knowledge>,
    program: FastMap<Knowledge, Choice>,
    /// How many programs were tried, as far as each was defined.
    pub tried: u64,
}

impl Search {
    /// For programs of that many rounds.
    pub fn new(object: Object, processes: u8, rounds: u8) -> Self {
        let (numbers, program) = (FastMap::default(), FastMap::default());
        Self { object, processes, rounds, numbers, program, tried: 0 }
    }

    /// Whether a program exists.
    pub fn finds(&mut self) -> bool {
        self.tried += 1;
        let (me, knowledge, round) = match self.check() {
            Outcome::Correct => return true,
            Outcome::Wrong => return false,
            Outcome::Undefined(me, knowledge, round) => (me, knowledge, round),
        };
        let elections = (0..self.processes).map(Choice::Elect);
        let reads = (0..self.processes).filter(|&other| other != me).map(Choice::Read);
        let apply = (self.object != Object::Registers).then_some(Choice::Apply);
        let operations = apply.into_iter().chain(reads).filter(|_| round < self.rounds);
        for choice in operations.chain(elections).collect::<Vec<_>>() {
            self.program.insert(knowledge, choice);
            if self.finds() {
                return true;
            }
        }
        self.program.remove(&knowledge);
        false
    }

    fn learn(&mut self, learnt: Learnt) -> Knowledge {
        let next = self.numbers.len() as Knowledge + 1;
        *self.numbers.entry(learnt).or_insert(next)
    }

    /// Runs all schedules.
    fn check(&mut self) -> Outcome {
        let mut knows = [0; MOST];
        for me in 0..self.processes {
            knows[usize::from(me)] = self.learn((me, 0, None, 0));
        }
        let (registers, rounds, writes_next, elected) = ([0; MOST], [0; MOST], [true; MOST], [None; MOST]);
        let start = State { object: 0, knows, registers, rounds, writes_next, elected };
        let (mut open, mut seen) = (vec![start], HashSet::<_, BuildHasherDefault<FastHasher>>::default());
        seen.insert(start);
        while let Some(state) = open.pop() {
            for me in 0..self.processes {
                if state.elected[usize::from(me)].is_some() {
                    continue;
                }
                let mut next = state;
                if let Some(undefined) = self.step(&mut next, me) {
                    return undefined;
                }
                if !is_right(&next) {
                    return Outcome::Wrong;
                }
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        Outcome::Correct
    }

    /// One step of a process.
    fn step(&mut self, state: &mut State, me: u8) -> Option<Outcome> {
        let at = usize::from(me);
        if std::mem::replace(&mut state.writes_next[at], false) {
            state.registers[at] = state.knows[at];
            return None;
        }
        let known = state.knows[at];
        let (operation, result) = match self.program.get(&known) {
            None => return Some(Outcome::Undefined(me, known, state.rounds[at])),
            Some(Choice::Elect(whom)) => {
                state.elected[at] = Some(*whom);
                return None;
            }
            Some(Choice::Read(other)) => (Some(*other), state.registers[usize::from(*other)]),
            Some(Choice::Apply) => {
                let (object, result) = self.object.apply(state.object, me);
                state.object = object;
                (None, u32::from(result))
            }
        };
        state.knows[at] = self.learn((me, known, operation, result));
        state.rounds[at] += 1;
        state.writes_next[at] = true;
        None
    }
}

/// Whether all that elected elect the same, one that has taken a step.
fn is_right(state: &State) -> bool {
    let mut elected = state.elected.iter().flatten();
    let Some(&first) = elected.next() else { return true };
    elected.all(|&other| other == first) && state.registers[usize::from(first)] != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_and_not_found_where_they_exist_and_do_not() {
        assert!(Search::new(Object::Registers, 1, 0).finds());
        assert!(!Search::new(Object::Registers, 2, 2).finds());
        assert!(Search::new(Object::TestAndSet, 2, 1).finds());
        assert!(Search::new(Object::CompareAndSwap, 3, 1).finds());
    }
}
