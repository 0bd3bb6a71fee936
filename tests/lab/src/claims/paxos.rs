//! Paxos.

use super::{UNRELIABLE, unreliable};
use crate::{
    explorer::{Limits, Order, explore},
    linear::Event,
    protocols::{multi_paxos::MultiPaxos, paxos::Paxos},
    runner::run,
    setting::{Network, Setting},
    table::{Row, Scale},
};

/// Its rows.
pub fn rows(scale: Scale) -> Vec<Row> {
    let plain = Paxos { servers: 3, clients: 2, quorum: 2, retries: 0 };
    let found = explore(&plain, Limits::default());
    let narrow = explore(&Paxos { servers: 4, ..plain }, Limits::default());
    let alone = run(&Paxos { clients: 1, ..plain }, Setting::new(Network::LOCKSTEP, 0));
    let written = alone.shown.iter().find(|shown| shown.event == Event::Returned(None));
    let mut rows = vec![
        // Between a client's request and its answer, two round trips of the proposer.
        Row::new("Paxos, 3 servers, 2 clients", "asynchronous")
            .messages(alone.messages, 1 + 2 * 2 + 2 * 2 + 2 + 1 + 2)
            .delays(written.map_or(0, |shown| shown.delays), 1 + 2 + 2 + 1)
            .holds("agreement, validity, linearizable", &found)
            .states(found.states, Some(16_668)),
        Row::new("Paxos, 4 servers, quorums of 2", "asynchronous").fails("agreement fails", &narrow, "agreement"),
    ];
    rows.extend(faulty_networks(plain));
    rows.extend(logs(scale));
    if scale == Scale::Full {
        let three = explore(&Paxos { clients: 3, ..plain }, Limits::default());
        let speed = format!("{:.0} states a second on one core", three.states as f64 / three.seconds);
        let row = Row::new("Paxos, 3 servers, 3 clients", "asynchronous").note(speed);
        rows.push(row.holds("agreement, validity, linearizable", &three));
    }
    rows
}

/// A network that loses a message, delivers one twice, or both.
fn faulty_networks(two: Paxos) -> Vec<Row> {
    let again = Paxos { clients: 1, retries: 1, ..two };
    let row = |name, paxos: &Paxos, losses, duplicates, faults, states| {
        let found = explore(paxos, Limits { losses, duplicates, ..Limits::default() });
        Row::new(name, "asynchronous").faults(faults).counts("agreement, validity, linearizable", &found, states)
    };
    vec![
        row("Paxos, 3 servers, 2 clients", &two, 1, 0, "1 message lost", 100_699),
        row("Paxos, 3 servers, 2 clients", &two, 0, 1, "1 duplicated", 329_420),
        row("Paxos, 3 servers, 2 clients", &two, 1, 1, "1 lost, 1 duplicated", 1_995_027),
        row("Paxos, 3 servers, with a retry", &again, 1, 1, "1 lost, 1 duplicated", 955_928),
    ]
}

/// A log with a leader.
fn logs(scale: Scale) -> Vec<Row> {
    let stable =
        run(&MultiPaxos { servers: 3, slots: 4, elections: 0, candidates: 0 }, Setting::new(Network::LOCKSTEP, 0));
    let at_leader = stable.shown.iter().filter(|shown| shown.who == 0).map(|shown| shown.delays).max();
    let instance = MultiPaxos { servers: 3, slots: 1, elections: 1, candidates: 0b111 };
    let found = explore(&instance, Limits { crashes: 1, states: scale.pick(100_000, 3_000_000), ..Limits::default() });
    let calm =
        explore(&instance, Limits { order: Order::Fifo, states: scale.pick(100_000, 5_000_000), ..Limits::default() });
    // Server 0 leads at first. Those who may follow it are fewer than in the row above, so that the search ends.
    let followed = explore(&MultiPaxos { candidates: 0b110, ..instance }, Limits { crashes: 1, ..Limits::default() });
    let lossy = explore(&MultiPaxos { candidates: 0b010, ..instance }, unreliable());
    let runs = scale.pick(200, 5_000);
    let long = MultiPaxos { servers: 5, slots: 8, elections: 20, candidates: 0b11111 };
    let partial = Network::partially_synchronous(2_000);
    let good = (0..runs).filter(|&seed| run(&long, Setting::new(partial, seed).crash(2, 5)).is_good()).count() as u64;
    vec![
        Row::new("Multi-Paxos, 3 servers, 4 slots", "stable leader")
            .messages(stable.messages, 4 * (2 + 2 + 2))
            .delays(at_leader.unwrap_or(0), 2)
            .claim("all slots chosen", stable.shown.iter().filter(|shown| shown.who == 0).count() == 4),
        Row::new("Multi-Paxos, 3 servers", "asynchronous")
            .faults("1 crash of 3")
            .searched("agreement, as leaders change", &found),
        Row::new("Multi-Paxos, 2 candidates", "asynchronous").faults("1 crash of 3").counts(
            "agreement, as leaders change",
            &followed,
            756_368,
        ),
        Row::new("Multi-Paxos, 1 candidate", "asynchronous").faults(UNRELIABLE).counts(
            "agreement, as leaders change",
            &lossy,
            182_885,
        ),
        Row::new("Multi-Paxos, 3 servers", "asynchronous, FIFO").searched("agreement, as leaders change", &calm),
        Row::new("Multi-Paxos, 5 servers, 8 slots", partial)
            .faults("2 crash of 5")
            .claim(&format!("agreement, and it goes on, in {runs} runs"), good == runs),
    ]
}
