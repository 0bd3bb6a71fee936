//! Section 2: how many processes it takes against how many faults, and what blocks.

use super::{UNRELIABLE, pbft, unreliable};
use crate::{
    explorer::{Limits, Timing, explore, explore_symmetric},
    protocols::{
        flood_set::FloodSet,
        paxos::Paxos,
        pbft::{Pbft, Rules},
        two_phase_commit::TwoPhaseCommit,
    },
    runner::run,
    setting::{Network, Setting},
    table::{Row, Scale},
};

/// Its rows.
pub fn rows(_scale: Scale) -> Vec<Row> {
    let mut rows = two_phase_commit();
    rows.extend(crashes_in_rounds());
    rows.extend(crashes_without_rounds());
    rows.extend(traitors());
    rows
}

fn two_phase_commit() -> Vec<Row> {
    let endless = Limits { endless_duplicates: true, ..Limits::default() };
    let name = |managers| format!("two-phase commit, {managers} managers");
    let three = explore(&TwoPhaseCommit { managers: 3 }, endless);
    let good = run(&TwoPhaseCommit { managers: 3 }, Setting::new(Network::LOCKSTEP, 0));
    let five = TwoPhaseCommit { managers: 5 };
    let plain = explore(&five, endless);
    let symmetric = explore_symmetric(&five, endless, &five.symmetry());
    let crash = Limits { crashes: 1, progress: true, ..Limits::default() };
    let blocked = explore(&TwoPhaseCommit { managers: 2 }, Limits { may_crash: 1 << 2, ..crash });
    vec![
        Row::new(name(3), "asynchronous")
            .faults("duplicates, any number")
            .messages(good.messages, 6)
            .delays(good.delays(), 2)
            .holds("no two decide differently", &three)
            .states(three.states, Some(288))
            .claim("all commit without failures", good.is_good()),
        Row::new(name(5), "asynchronous").holds("no two decide differently", &plain).states(plain.states, Some(8_832)),
        Row::new(format!("{}, symmetry", name(5)), "asynchronous")
            .holds("the same, searched up to names", &symmetric)
            .claim("fewer states than stateright's 665, whose sort is not canonical", symmetric.states < 665),
        Row::new(name(3), "asynchronous").faults(UNRELIABLE).counts(
            "no two decide differently",
            &explore(&TwoPhaseCommit { managers: 3 }, unreliable()),
            3_572,
        ),
        Row::new(name(2), "asynchronous").faults("coordinator crashes").fails(
            "a prepared manager waits for ever",
            &blocked,
            "blocked",
        ),
    ]
}

/// Synchronous: f crashes of f+1.
fn crashes_in_rounds() -> Vec<Row> {
    let limits = |crashes| Limits {
        crashes,
        torn_crashes: true,
        timing: Timing::Synchronous,
        progress: true,
        ..Limits::default()
    };
    let flood = |processes, rounds| FloodSet { processes, rounds };
    let lossy = Limits { timing: Timing::Synchronous, ..unreliable() };
    let row = |name, faults| Row::new(name, "synchronous").faults(faults);
    vec![
        row("FloodSet, 2 processes", "1 crash of f+1 = 2")
            .holds("agreement, validity, termination", &explore(&flood(2, 2), limits(1))),
        row("FloodSet, 3 processes", "2 crash of f+1 = 3")
            .holds("agreement, validity, termination", &explore(&flood(3, 3), limits(2))),
        row("FloodSet, 3 processes, 2 rounds", UNRELIABLE).counts(
            "what is lost in a round is sent again in the next",
            &explore(&flood(3, 2), lossy),
            2_195,
        ),
        row("FloodSet, 2 processes, 2 rounds", "1 message lost in each").fails(
            "agreement fails",
            &explore(&flood(2, 2), Limits { losses: 2, ..lossy }),
            "agreement",
        ),
        row("FloodSet, f rounds instead of f+1", "1 crash of 3").fails(
            "agreement fails; of f+1 processes none can be spared, for all of f would crash",
            &explore(&flood(3, 1), limits(1)),
            "agreement",
        ),
    ]
}

/// Asynchronous: f crashes of 2f+1, and of one fewer.
fn crashes_without_rounds() -> Vec<Row> {
    let instance = |servers, quorum| Paxos { servers, clients: 1, quorum, retries: 1 };
    let limits =
        |servers: u32| Limits { crashes: 1, may_crash: (1 << servers) - 2, progress: true, ..Limits::default() };
    vec![
        Row::new("Paxos, 3 servers, 1 client", "asynchronous")
            .faults("1 acceptor crashes of 2f+1 = 3")
            .holds("never blocked", &explore(&instance(3, 2), limits(3))),
        Row::new("Paxos, 2 servers, 1 client", "asynchronous").faults("1 acceptor crashes of 2").fails(
            "blocked with one process fewer",
            &explore(&instance(2, 2), limits(2)),
            "blocked",
        ),
    ]
}

/// f traitors of 3f+1, and of one fewer, where quorums of n-f have no correct process in common.
fn traitors() -> Vec<Row> {
    let four = pbft::equivocating();
    let three = Pbft { rules: Rules { replicas: 3, quorum: 2, ..four.rules }, ..four };
    vec![
        pbft::equivocation(),
        Row::new("PBFT, 3 replicas", "asynchronous").faults("1 traitor of 3").fails(
            "agreement fails with one process fewer",
            &explore(&three, Limits::default()),
            "agreement",
        ),
    ]
}
