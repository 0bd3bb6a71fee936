//! Registers that servers keep together.

use crate::{
    explorer::{Limits, explore},
    protocols::abd::Abd,
    runner::run,
    setting::{Network, Setting},
    table::{Row, Scale},
};

/// Their rows.
pub fn rows(scale: Scale) -> Vec<Row> {
    let regular = explore(&Abd { servers: 3, clients: 2, regular: true, split: true }, Limits::default());
    let five = Abd { servers: 5, clients: 3, regular: false, split: false };
    // A client that writes, and one that reads after that.
    let calm = |split| run(&Abd { servers: 3, clients: 1, split, ..five }, Setting::new(Network::LOCKSTEP, 0));
    let (write, both) = (calm(true), calm(false));
    let small = Abd { servers: 2, clients: 2, ..five };
    let two = explore(&small, Limits::default());
    let lost = explore(&small, Limits { losses: 1, ..Limits::default() });
    let twice = explore(&small, Limits { duplicates: 1, ..Limits::default() });
    let runs = scale.pick(100, 2_000);
    let good =
        (0..runs).filter(|&seed| run(&five, Setting::new(Network::ASYNCHRONOUS, seed).crash(2, 5)).violation.is_none());
    // A client's request, two round trips to the other servers, and the answer.
    let (messages, delays) = (1 + 4 * 2 + 1, 1 + 4 + 1);
    vec![
        Row::new("ABD, 3 servers, a write", "lockstep")
            .messages(write.messages, messages)
            .delays(write.delays(), delays),
        Row::new("ABD, 3 servers, a read", "lockstep")
            .messages(both.messages - write.messages, messages)
            .delays(both.delays() - write.delays(), delays),
        Row::new("ABD, 2 servers, 2 clients", "asynchronous").holds("linearizable", &two).states(two.states, Some(544)),
        Row::new("ABD, 2 servers, 2 clients", "asynchronous").faults("1 message lost").counts(
            "linearizable",
            &lost,
            1_059,
        ),
        Row::new("ABD, 2 servers, 2 clients", "asynchronous").faults("1 duplicated").fails(
            "not linearizable: a write that arrives twice is carried out twice",
            &twice,
            "not linearizable",
        ),
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
