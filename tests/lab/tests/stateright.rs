//! The explorer against stateright, another model checker: on the same instances both find as many states, equally deep,
//! and equally short counter-examples.

#[path = "stateright/model.rs"]
mod model;

use cairn_lab::{
    explorer::{Limits, Order, Timing, explore},
    instance::Instance,
    process::Process,
    protocols::{
        abd::Abd,
        epaxos::{EPaxos, Recovery, payments},
        flood_set::FloodSet,
        lock_register::LockRegister,
        paxos::Paxos,
        pbft::{Pbft, Rules, Traitor},
        two_phase_commit::TwoPhaseCommit,
        zab::{Hole, Zab},
    },
};
use model::Checked;
use stateright::{Checker, Model};

const ANY: Limits = Limits::NONE;
const FIFO: Limits = Limits { order: Order::Fifo, ..ANY };
const ROUNDS: Limits = Limits { timing: Timing::Synchronous, ..ANY };

const PAXOS: Paxos = Paxos { servers: 3, clients: 2, quorum: 2, retries: 0 };
const ZAB: Zab = Zab { servers: 3, leaders: 1, requests: 1, hole: None };
const ABD: Abd = Abd { servers: 2, clients: 2, regular: false, split: false };

/// What a search finds.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// All states, none of them wrong.
    Holds { states: usize, depth: usize },
    /// A shortest counter-example.
    Fails { steps: usize },
}

impl Found {
    fn states(self) -> usize {
        match self {
            Self::Holds { states, .. } => states,
            Self::Fails { steps } => panic!("a violation after {steps} steps"),
        }
    }

    fn fails(self) {
        assert!(matches!(self, Self::Fails { .. }), "no violation: {self:?}");
    }
}

/// Has both search, and returns what both find.
fn both<I>(instance: I, limits: Limits) -> Found
where
    I: Instance + Copy + Send + Sync + 'static,
    I::Process: Process<Message: Send + Sync, Timer: Send + Sync> + Send + Sync,
    I::History: Send + Sync,
{
    let checker = Checked { instance, limits }.checker().spawn_bfs().join();
    let theirs = match checker.discovery("claims") {
        // It counts states along a path, not steps.
        None => Found::Holds { states: checker.unique_state_count(), depth: checker.max_depth() - 1 },
        Some(path) => Found::Fails { steps: path.into_actions().len() },
    };
    let explored = explore(&instance, limits);
    let ours = match explored.counter_example() {
        None => Found::Holds { states: explored.states, depth: explored.depth as usize },
        Some((_, chart)) => Found::Fails { steps: chart.rows.last().expect("the verdict is a row").at as usize },
    };
    assert_eq!(ours, theirs);
    ours
}

#[test]
fn published_counts_are_those_of_stateright_on_the_same_code() {
    let endless = Limits { endless_duplicates: true, ..ANY };
    assert_eq!(both(TwoPhaseCommit { managers: 3 }, endless).states(), 288);
    assert_eq!(both(TwoPhaseCommit { managers: 5 }, endless).states(), 8_832);
    assert_eq!(both(PAXOS, ANY).states(), 16_668);
    assert_eq!(both(ABD, ANY).states(), 544);
}

#[test]
fn losses_duplicates_and_crashes_count_the_same() {
    assert_eq!(both(ABD, Limits { losses: 1, ..ANY }).states(), 1_059);
    assert_eq!(both(PAXOS, Limits { losses: 1, ..ANY }).states(), 100_699);
    both(Paxos { clients: 1, ..PAXOS }, Limits { losses: 1, duplicates: 1, ..ANY }).states();
    both(Paxos { clients: 1, retries: 1, ..PAXOS }, Limits { crashes: 1, may_crash: 0b110, ..ANY }).states();
    both(TwoPhaseCommit { managers: 3 }, Limits { losses: 1, duplicates: 1, crashes: 1, ..ANY }).states();
    // Only the holder of the lock may crash.
    both(LockRegister { clients: 3, locks: true }, Limits { crashes: 1, ..ANY }).states();
}

#[test]
fn orders_timers_and_rounds_count_the_same() {
    both(ABD, FIFO).states();
    both(ZAB, FIFO).states();
    both(FloodSet { processes: 3, rounds: 2 }, Limits { losses: 1, duplicates: 1, ..ROUNDS }).states();
    both(FloodSet { processes: 3, rounds: 3 }, Limits { crashes: 2, ..ROUNDS }).states();
    let mut epaxos = EPaxos::ordering(3, &payments(&[vec![7], vec![7]]), Recovery::Star);
    both(epaxos, ANY).states();
    (epaxos.recovered, epaxos.recoveries[1]) = (1, 1);
    both(epaxos, FIFO).states();
}

#[test]
fn broken_protocols_fail_after_as_many_steps() {
    both(Paxos { servers: 4, ..PAXOS }, ANY).fails();
    both(Abd { servers: 3, regular: true, split: true, ..ABD }, ANY).fails();
    both(ABD, Limits { duplicates: 1, ..ANY }).fails();
    both(FloodSet { processes: 2, rounds: 2 }, ANY).fails();
    both(FloodSet { processes: 2, rounds: 2 }, Limits { losses: 2, ..ROUNDS }).fails();
    both(Zab { hole: Some(Hole::RefusesKnown), ..ZAB }, FIFO).fails();
    both(ZAB, Limits { losses: 1, ..FIFO }).fails();
    let rules = Rules { replicas: 3, quorum: 2, ..Rules::for_faulty(1) };
    both(Pbft { rules, requests: 0, patience: 0, traitor: Traitor::Equivocates, credulous: false }, ANY).fails();
}
