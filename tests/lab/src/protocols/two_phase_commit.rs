//! Two-phase commit (Gray and Lamport, "Consensus on Transaction Commit", 2004).
//!
//! Resource managers 0 to n-1 each do a part of a transaction; all of them are to commit it or all to abort it. The
//! coordinator, process n, decides.
//!
//! 1. A resource manager that is working prepares and says so to the coordinator, or aborts on its own.
//! 2. Upon receiving Prepared from every resource manager, the coordinator may commit. Until then it may abort. It tells
//!    all resource managers.
//! 3. Upon receiving Commit or Abort, a resource manager does as told.
//!
//! No two resource managers ever decide differently. But a resource manager that is prepared can do nothing without the
//! coordinator: if that crashes, it is blocked for ever, holding its locks.

use crate::{
    explorer::{Symmetry, permutations},
    instance::{Instance, View},
    process::{Id, Outputs, Process, everyone},
};

/// Messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// A resource manager is prepared.
    Prepared,
    /// The transaction commits.
    Commit,
    /// The transaction aborts.
    Abort,
}

/// What a process may do on its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// A resource manager prepares.
    Prepare,
    /// A resource manager or the coordinator aborts.
    GiveUp,
    /// The coordinator commits.
    Decide,
}

/// Where a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nothing is decided.
    Working,
    /// A resource manager has promised to do as told.
    Prepared,
    /// Committed.
    Committed,
    /// Aborted.
    Aborted,
}

/// A resource manager, or the coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TwoPhase {
    /// A resource manager.
    Manager {
        /// The coordinator's id.
        coordinator: Id,
        /// Where it stands.
        phase: Phase,
    },
    /// The coordinator.
    Coordinator {
        /// How many resource managers there are.
        managers: usize,
        /// Which of them are prepared, as bits.
        prepared: u32,
        /// Where it stands.
        phase: Phase,
    },
}

impl Process for TwoPhase {
    type Message = Message;
    type Timer = Timer;
    type Event = Phase;

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        if matches!(self, Self::Manager { .. }) {
            out.set_timer(Timer::Prepare, 0);
            out.set_timer(Timer::GiveUp, 10);
        } else {
            out.set_timer(Timer::GiveUp, 3);
        }
    }

    fn on_message(&mut self, from: Id, message: Message, out: &mut Outputs<Self>) {
        match (self, message) {
            // Upon receiving Prepared from a resource manager while nothing is decided.
            (Self::Coordinator { managers, prepared, phase: Phase::Working }, Message::Prepared) => {
                *prepared |= 1 << from;
                if *prepared == (1 << *managers) - 1 {
                    out.set_timer(Timer::Decide, 0);
                }
            }
            // Upon receiving the decision.
            (Self::Manager { phase, .. }, Message::Commit) => settle(phase, Phase::Committed, out),
            (Self::Manager { phase, .. }, Message::Abort) => settle(phase, Phase::Aborted, out),
            (Self::Coordinator { .. } | Self::Manager { .. }, _) => {}
        }
    }

    fn on_timer(&mut self, timer: Timer, out: &mut Outputs<Self>) {
        match (self, timer) {
            (Self::Manager { coordinator, phase }, Timer::Prepare) => {
                *phase = Phase::Prepared;
                out.stop_timer(Timer::GiveUp);
                out.send(*coordinator, Message::Prepared);
            }
            (Self::Manager { phase, .. }, _) => settle(phase, Phase::Aborted, out),
            (Self::Coordinator { phase, managers, .. }, timer) => {
                let (decision, message) = match timer {
                    Timer::Decide => (Phase::Committed, Message::Commit),
                    Timer::Prepare | Timer::GiveUp => (Phase::Aborted, Message::Abort),
                };
                settle(phase, decision, out);
                out.stop_timer(Timer::Decide);
                out.send_all(everyone(*managers), &message);
            }
        }
    }
}

fn settle(phase: &mut Phase, decision: Phase, out: &mut Outputs<TwoPhase>) {
    if *phase != decision {
        *phase = decision;
        out.stop_timer(Timer::Prepare);
        out.stop_timer(Timer::GiveUp);
        out.emit(decision);
    }
}

/// Resource managers and a coordinator.
#[derive(Clone, Copy, Debug)]
pub struct TwoPhaseCommit {
    /// How many resource managers.
    pub managers: usize,
}

impl TwoPhaseCommit {
    /// The resource managers are exchangeable.
    pub fn symmetry(self) -> Symmetry<TwoPhase> {
        fn rename(process: &TwoPhase, map: &[Id]) -> TwoPhase {
            let mut process = process.clone();
            if let TwoPhase::Coordinator { managers, prepared, .. } = &mut process {
                *prepared = (0..*managers).fold(0, |mask, id| mask | (*prepared >> id & 1) << map[id]);
            }
            process
        }
        let managers = Id::try_from(self.managers).expect("few");
        Symmetry {
            group: permutations(0..managers, self.managers + 1),
            process: rename,
            message: |message, _| *message,
        }
    }
}

impl Instance for TwoPhaseCommit {
    type Process = TwoPhase;
    type History = ();

    fn processes(&self) -> Vec<TwoPhase> {
        let coordinator = Id::try_from(self.managers).expect("few");
        let manager = TwoPhase::Manager { coordinator, phase: Phase::Working };
        let mut processes = vec![manager; self.managers];
        processes.push(TwoPhase::Coordinator { managers: self.managers, prepared: 0, phase: Phase::Working });
        processes
    }

    fn violation(&self, view: &View<'_, TwoPhase>) -> Option<String> {
        let has = |wanted| view.processes.iter().any(|process| phase(process) == wanted);
        (has(Phase::Committed) && has(Phase::Aborted)).then(|| "one committed and one aborted".to_owned())
    }

    fn done(&self, view: &View<'_, TwoPhase>) -> bool {
        view.alive().all(|(_, process)| matches!(phase(process), Phase::Committed | Phase::Aborted))
    }

    fn name(&self, id: Id) -> String {
        if usize::from(id) == self.managers { "coord".to_owned() } else { format!("rm{id}") }
    }
}

fn phase(process: &TwoPhase) -> Phase {
    let (TwoPhase::Manager { phase, .. } | TwoPhase::Coordinator { phase, .. }) = process;
    *phase
}
