//! Two-phase commit.

use crate::{
    explorer::{Limits, explore, explore_symmetric},
    network::Model,
    protocols::two_phase_commit::TwoPhaseCommit,
    runner::{Setting, run},
    table::{Row, Scale},
};

/// Its rows.
pub fn rows(_: Scale) -> Vec<Row> {
    let endless = Limits { endless_duplicates: true, ..Limits::default() };
    let name = |managers| format!("two-phase commit, {managers} managers");
    let three = explore(&TwoPhaseCommit { managers: 3 }, endless);
    let good = run(&TwoPhaseCommit { managers: 3 }, Setting::new(Model::Lockstep, 0));
    let five = TwoPhaseCommit { managers: 5 };
    let plain = explore(&five, endless);
    let symmetric = explore_symmetric(&five, endless, &five.symmetry());
    let crash = Limits { crashes: 1, progress: true, ..Limits::default() };
    let blocked = explore(&TwoPhaseCommit { managers: 2 }, Limits { may_crash: 1 << 2, ..crash });
    vec![
        Row::new(name(3), "asynchronous")
            .messages(good.messages, 6)
            .delays(good.delays(), 2)
            .holds("no two decide differently", &three)
            .states(three.states, Some(288))
            .claim("all commit without failures", good.is_good()),
        Row::new(name(5), "asynchronous").holds("no two decide differently", &plain).states(plain.states, Some(8_832)),
        Row::new(format!("{}, symmetry", name(5)), "asynchronous")
            .holds("the same, searched up to names", &symmetric)
            .claim("fewer states than stateright's 665, whose sort is not canonical", symmetric.states < 665),
        Row::new(name(2), "asynchronous").faults("coordinator crashes").fails(
            "a prepared manager waits for ever",
            &blocked,
            "blocked",
        ),
    ]
}
