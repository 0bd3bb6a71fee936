//! Section 3.6: Zab.

use crate::{
    explorer::{Limits, Order, explore},
    protocols::zab::{Hole, Zab, epoch},
    runner::run,
    setting::{DELTA, Network, Setting},
    table::{Row, Scale},
};

/// Its rows.
pub fn rows(scale: Scale) -> Vec<Row> {
    let right = Zab { servers: 3, leaders: 1, requests: 2, hole: None };
    let limits = |states| Limits { order: Order::Fifo, states, ..Limits::default() };
    let one = explore(&right, limits(scale.pick(100_000, 3_000_000)));
    let two = explore(&Zab { leaders: 3, requests: 1, ..right }, limits(scale.pick(100_000, 5_000_000)));
    let mut rows = vec![
        broadcast(),
        Row::new("Zab, 3 servers, 1 leader", "asynchronous, FIFO").searched("total order, primary order", &one),
        Row::new("Zab, 3 servers, 2 leaders", "asynchronous, FIFO")
            .faults("leaders change")
            .searched("total order, primary order, across a recovery", &two),
        runs(scale),
    ];
    rows.extend(channels(right, scale));
    let holes = [
        (Hole::ProposesToSynchronised, "issue 1: Propose to AckLeader alone", "not in the log", 1),
        (Hole::RefusesKnown, "issue 2: a second Propose is an error", "that is in the log", 1),
        (Hole::CommitsAcknowledged, "issue 3: CommitLeader with AckLeader's zxid", "before an earlier one", 2),
    ];
    for (hole, name, expected, requests) in holes {
        let found = explore(&Zab { hole: Some(hole), requests, ..right }, limits(3_000_000));
        rows.push(Row::new("Zab, published text", "asynchronous, FIFO").fails(name, &found, expected));
    }
    rows
}

/// Channels as over TCP deliver everything, in order. A duplicate does no harm; a loss that nobody notices does.
fn channels(right: Zab, scale: Scale) -> Vec<Row> {
    let fifo = Limits { order: Order::Fifo, ..Limits::default() };
    let twice = Limits { duplicates: 1, ..fifo };
    let row = |name, faults| Row::new(format!("Zab, 3 servers, {name}"), "asynchronous, FIFO").faults(faults);
    let mut rows = vec![
        row("1 leader", "1 duplicated").counts("total order, primary order", &explore(&right, twice), 21_554),
        row("1 leader", "1 message lost").fails(
            "it needs reliable channels",
            &explore(&Zab { requests: 1, ..right }, Limits { losses: 1, ..fifo }),
            "not in the log",
        ),
    ];
    if scale == Scale::Full {
        let leaders = explore(&Zab { leaders: 3, requests: 1, ..right }, twice);
        rows.push(row("2 leaders", "1 duplicated").counts("the same across a recovery", &leaders, 3_473_044));
    }
    rows
}

fn broadcast() -> Row {
    let zab = Zab { servers: 3, leaders: 1, requests: 1, hole: None };
    let none = run(&Zab { requests: 0, ..zab }, Setting::new(Network::LOCKSTEP, 0).in_order());
    let one = run(&zab, Setting::new(Network::LOCKSTEP, 0).in_order());
    let leader = one.shown.iter().find(|shown| shown.who == 0);
    // What led to the leader's AckLeader came before the transaction.
    let before = 6;
    Row::new("Zab, 3 servers", "broadcast")
        .messages(one.messages - none.messages, 2 + 2 + 2)
        .delays(leader.map_or(0, |shown| shown.delays) - before, 2)
        .claim("zxid = epoch * 2^32 + counter", leader.is_some_and(|shown| shown.event == (1 << 32) + 1))
        .claim("delivered by all", one.is_good())
}

fn runs(scale: Scale) -> Row {
    let count = scale.pick(300, 5_000);
    let zab = Zab { servers: 5, leaders: 0b111, requests: 3, hole: None };
    let model = Network::partially_synchronous(10 * DELTA);
    let runs: Vec<_> = (0..count).map(|seed| run(&zab, Setting::new(model, seed).in_order().crash(2, 5))).collect();
    let later = runs.iter().filter(|run| run.shown.iter().any(|shown| epoch(shown.event) > 1)).count();
    let safe = runs.iter().all(|run| run.violation.is_none());
    Row::new("Zab, 5 servers, 3 leaders", model)
        .faults("2 crash of 5")
        .claim(&format!("total order, primary order in {count} runs"), safe)
        .claim(&format!("a later leader delivered in {later} of them"), later * 4 > runs.len())
}
