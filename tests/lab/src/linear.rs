//! Histories of registers, and whether they are linearizable (Herlihy and Wing, 1990): whether each operation can be
//! given one moment between its start and its end so that reads return what was written last.
//!
//! Only the order counts in which operations end before others start, so that is all a history keeps. Linearizability is
//! local: a history is linearizable if its part on each key is.

use crate::{instance::Record, process::Id};
use std::collections::{BTreeMap, HashSet};

/// A value of a register. 0 is the first.
pub type Value = u8;

/// What a client asks of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Reads the register of a key.
    Read(u8),
    /// Writes the register of a key.
    Write(u8, Value),
}

/// What clients show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A client starts an operation.
    Invoked(Operation),
    /// Its operation ends; a read returned this value.
    Returned(Option<Value>),
}

/// For each other client how many of its operations had ended.
type Before = BTreeMap<Id, usize>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Client {
    ended: Vec<(Before, Operation, Option<Value>)>,
    open: Option<(Before, Operation)>,
}

/// A history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    clients: BTreeMap<Id, Client>,
}

impl Record<Event> for History {
    fn record(&mut self, who: Id, event: &Event) {
        match *event {
            Event::Invoked(operation) => {
                let others = self.clients.iter().filter(|&(&id, client)| id != who && !client.ended.is_empty());
                let before = others.map(|(&id, client)| (id, client.ended.len())).collect();
                self.clients.entry(who).or_default().open = Some((before, operation));
            }
            Event::Returned(value) => {
                let client = self.clients.entry(who).or_default();
                if let Some((before, operation)) = client.open.take() {
                    client.ended.push((before, operation, value));
                }
            }
        }
    }
}

/// One operation of a client: those that ended before it started, what it was, and its result if it ended.
type Step<'a> = (&'a Before, Operation, Option<Option<Value>>);

impl History {
    /// What cannot be put in order, if anything.
    pub fn violation(&self) -> Option<String> {
        let clients: Vec<(Id, Vec<Step<'_>>)> = self.clients.iter().map(|(&id, client)| (id, steps(client))).collect();
        let operations = clients.iter().flat_map(|(_, steps)| steps);
        let keys: HashSet<u8> = operations.map(|&(_, operation, _)| key(operation)).collect();
        let wrong = keys.into_iter().find(|&key| !linearizable(&clients, key))?;
        Some(format!("the history of register {wrong} is not linearizable"))
    }

    /// How many operations ended.
    pub fn ended(&self) -> usize {
        self.clients.values().map(|client| client.ended.len()).sum()
    }
}

fn steps(client: &Client) -> Vec<Step<'_>> {
    let ended = client.ended.iter().map(|(before, operation, result)| (before, *operation, Some(*result)));
    ended.chain(client.open.iter().map(|(before, operation)| (before, *operation, None))).collect()
}

fn key(operation: Operation) -> u8 {
    match operation {
        Operation::Read(key) | Operation::Write(key, _) => key,
    }
}

/// Depth first over the orders of operations, without trying twice to go on from the same place. Operations on other
/// keys are stepped over: they bind no value, but their clients' order holds.
fn linearizable(clients: &[(Id, Vec<Step<'_>>)], asked: u8) -> bool {
    let mut open = vec![(vec![0; clients.len()], 0)];
    let mut tried = HashSet::new();
    while let Some((done, value)) = open.pop() {
        if !tried.insert((done.clone(), value)) {
            continue;
        }
        let rest = clients.iter().zip(&done).flat_map(|((_, steps), &done)| &steps[done..]);
        if rest.into_iter().all(|(_, _, result)| result.is_none()) {
            return true;
        }
        for (index, (_, steps)) in clients.iter().enumerate() {
            let Some(&(before, operation, result)) = steps.get(done[index]) else { continue };
            let place = |id: &Id| clients.iter().position(|(other, _)| other == id);
            let free = before.iter().all(|(id, &ended)| place(id).is_some_and(|place| done[place] >= ended));
            let after = match operation {
                _ if key(operation) != asked => Some(value),
                Operation::Write(_, written) => Some(written),
                Operation::Read(_) => match result {
                    Some(Some(read)) if read != value => None,
                    _ => Some(value),
                },
            };
            if let (true, Some(value)) = (free, after) {
                let mut done = done.clone();
                done[index] += 1;
                open.push((done, value));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use Event::{Invoked, Returned};
    use Operation::{Read, Write};

    fn history(events: &[(Id, Event)]) -> History {
        let mut history = History::default();
        events.iter().for_each(|(who, event)| history.record(*who, event));
        history
    }

    #[test]
    fn a_read_that_overlaps_a_write_returns_either_value() {
        for read in [0, 1] {
            let events =
                [(0, Invoked(Write(0, 1))), (1, Invoked(Read(0))), (1, Returned(Some(read))), (0, Returned(None))];
            assert_eq!(history(&events).violation(), None);
        }
    }

    #[test]
    fn a_read_after_a_write_does_not_return_the_old_value() {
        let events = [(0, Invoked(Write(0, 1))), (0, Returned(None)), (1, Invoked(Read(0))), (1, Returned(Some(0)))];
        assert_eq!(history(&events).violation(), Some("the history of register 0 is not linearizable".to_owned()));
    }

    #[test]
    fn a_new_value_once_read_is_not_followed_by_the_old_one() {
        let events = [
            (0, Invoked(Write(0, 1))),
            (1, Invoked(Read(0))),
            (1, Returned(Some(1))),
            (2, Invoked(Read(0))),
            (2, Returned(Some(0))),
        ];
        assert!(history(&events).violation().is_some());
    }

    #[test]
    fn keys_are_judged_apart() {
        let events = [(0, Invoked(Write(1, 7))), (0, Returned(None)), (1, Invoked(Read(2))), (1, Returned(Some(0)))];
        assert_eq!(history(&events).violation(), None);
        let events = [(0, Invoked(Write(1, 7))), (0, Returned(None)), (1, Invoked(Read(1))), (1, Returned(Some(0)))];
        assert!(history(&events).violation().is_some());
    }

    #[test]
    fn a_write_that_never_ended_may_have_happened_or_not() {
        for (first, second, fine) in [(0, 1, true), (1, 1, true), (1, 0, false)] {
            let events = [
                (0, Invoked(Write(0, 1))),
                (1, Invoked(Read(0))),
                (1, Returned(Some(first))),
                (1, Invoked(Read(0))),
                (1, Returned(Some(second))),
            ];
            assert_eq!(history(&events).violation().is_none(), fine, "{first} {second}");
        }
    }
}
