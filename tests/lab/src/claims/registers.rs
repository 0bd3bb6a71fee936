//! Registers that servers keep together.

use crate::{
    explorer::{Limits, explore},
    network::Model,
    protocols::abd::Abd,
    runner::{Setting, run},
    table::{Row, Scale},
};

/// Their rows.
pub fn rows(scale: Scale) -> Vec<Row> {
    let two = explore(&Abd { servers: 2, clients: 2, regular: false, split: false }, Limits::default());
    let regular = explore(&Abd { servers: 3, clients: 2, regular: true, split: true }, Limits::default());
    let five = Abd { servers: 5, clients: 3, regular: false, split: false };
    let runs = scale.pick(100, 2_000);
    let good =
        (0..runs).filter(|&seed| run(&five, Setting::new(Model::Asynchronous, seed).crash(2, 5)).violation.is_none());
    vec![
        Row::new("ABD, 2 servers, 2 clients", "asynchronous").holds("linearizable", &two).states(two.states, Some(544)),
        Row::new("ABD, 5 servers, 3 clients", "asynchronous")
            .faults("2 crash of 5")
            .claim(&format!("linearizable in {runs} runs"), good.count() as u64 == runs),
        Row::new("ABD, reads in one round", "asynchronous").fails(
            "not linearizable: a later read returns an older value",
            &regular,
            "not linearizable",
        ),
    ]
}
