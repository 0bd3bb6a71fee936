//! Paxos.

use crate::{
    explorer::{Limits, explore},
    network::Model,
    protocols::paxos::Paxos,
    runner::{Setting, run},
    table::{Row, Scale},
};

/// Its rows.
pub fn rows(scale: Scale) -> Vec<Row> {
    let plain = Paxos { servers: 3, clients: 2, quorum: 2, retries: 0 };
    let found = explore(&plain, Limits::default());
    let narrow = explore(&Paxos { servers: 4, ..plain }, Limits::default());
    let alone = run(&Paxos { clients: 1, ..plain }, Setting::new(Model::Lockstep, 0));
    let mut rows = vec![
        Row::new("Paxos, 3 servers, 2 clients", "asynchronous")
            .messages(alone.messages, 2 + 4 + 4 + 2 + 2)
            .holds("agreement, validity, linearizable", &found)
            .states(found.states, Some(16_668)),
        Row::new("Paxos, 4 servers, quorums of 2", "asynchronous").fails("agreement fails", &narrow, "agreement"),
    ];
    if scale == Scale::Full {
        let three = explore(&Paxos { clients: 3, ..plain }, Limits::default());
        rows.push(
            Row::new("Paxos, 3 servers, 3 clients", "asynchronous").holds("agreement, validity, linearizable", &three),
        );
    }
    rows
}
