//! An instance: which processes take part, and what must hold. The explorer and the runner take any instance.

use crate::process::{Id, Process};
use std::{fmt::Debug, hash::Hash};

/// A protocol with its parameters, and its claims.
pub trait Instance {
    /// The participants' code.
    type Process: Process;
    /// What is kept of the events. `()` if the claims need none.
    type History: Record<<Self::Process as Process>::Event>;

    /// The participants before their start.
    fn processes(&self) -> Vec<Self::Process>;

    /// What is wrong with a state, if anything: the safety claims.
    fn violation(&self, view: &View<'_, Self::Process>) -> Option<String>;

    /// What is wrong with a history, if anything. The explorer asks once for each history.
    fn violation_of(&self, _history: &Self::History) -> Option<String> {
        None
    }

    /// Whether the instance has done what it is for. A state from which no state is reachable that is done is blocked.
    fn done(&self, _view: &View<'_, Self::Process>) -> bool {
        true
    }

    /// Whether a process may crash in this state, where limits let it.
    fn may_crash(&self, _process: &Self::Process) -> bool {
        true
    }

    /// How charts name a process.
    fn name(&self, id: Id) -> String {
        format!("p{id}")
    }
}

/// Events, in the form that claims need. Equal values are one state to the explorer.
pub trait Record<E>: Clone + Eq + Hash + Debug + Default {
    /// Adds an event of a process.
    fn record(&mut self, who: Id, event: &E);
}

impl<E> Record<E> for () {
    fn record(&mut self, _who: Id, _event: &E) {}
}

/// All processes at one moment.
#[derive(Clone, Debug)]
pub struct View<'a, P> {
    /// The processes by id. Those that crashed have the state they crashed in.
    pub processes: Vec<&'a P>,
    /// Bit `i` is set if process `i` crashed.
    pub crashed: u32,
}

impl<P> View<'_, P> {
    /// Whether a process crashed.
    pub fn is_crashed(&self, id: Id) -> bool {
        self.crashed >> id & 1 == 1
    }

    /// The processes that did not crash, with their ids.
    pub fn alive(&self) -> impl Iterator<Item = (Id, &P)> {
        (0..).zip(self.processes.iter().copied()).filter(|&(id, _)| !self.is_crashed(id))
    }
}

/// The claim of agreement and validity: all values decided are one value, and one of those proposed.
pub fn agreement<V: Debug + PartialEq>(
    decided: impl IntoIterator<Item = V>,
    is_proposed: impl Fn(&V) -> bool,
) -> Option<String> {
    let mut first = None;
    for value in decided {
        if !is_proposed(&value) {
            return Some(format!("validity: {value:?} was decided and never proposed"));
        }
        match &first {
            None => first = Some(value),
            Some(first) if *first != value => return Some(format!("agreement: {first:?} and {value:?} were decided")),
            Some(_) => {}
        }
    }
    None
}
