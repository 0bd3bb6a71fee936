//! Section 3.4: Fast Paxos.

use super::{UNRELIABLE, unreliable};
use crate::{
    explorer::{Limits, explore, explore_symmetric},
    protocols::fast_paxos::FastPaxos,
    runner::run,
    setting::{Network, Setting},
    table::{Row, Scale},
};

fn instance(acceptors: usize, fast_faults: usize, faults: usize) -> FastPaxos {
    let (proposers, coordinated, recovers, informs) = (2, true, false, false);
    FastPaxos { acceptors, faults, fast_faults, proposers, coordinated, recovers, informs }
}

/// Its rows.
pub fn rows(scale: Scale) -> Vec<Row> {
    let mut rows = vec![fast_path(), recovery(true, 2 + 2), recovery(false, 2 + 1)];
    // With e=0 a fast round needs all acceptors. Small enough to be searched to the end in a moment.
    let all = FastPaxos { coordinated: false, ..instance(3, 0, 1) };
    rows.push(Row::new("Fast Paxos, n=3, uncoordinated", "asynchronous").faults("e=0, f=1").counts(
        "agreement, validity",
        &explore_symmetric(&all, Limits::default(), &all.symmetry()),
        2_600,
    ));
    rows.extend(faulty_networks(scale));
    // Each with the least n that is enough, and with one acceptor fewer.
    // With (0, 1) it is 2f+1 that decides, with the others 2e+f+1 or both.
    let full: &[(usize, usize)] = &[(0, 1), (1, 1), (1, 2), (2, 1)];
    for &(e, f) in &full[..scale.pick(2, 4)] {
        let n = (2 * e + f + 1).max(2 * f + 1);
        for coordinated in [true, false] {
            let how = if coordinated { "coordinated" } else { "uncoordinated" };
            let enough = FastPaxos { coordinated, ..instance(n, e, f) };
            let limits = Limits { states: scale.pick(50_000, 1_500_000), ..Limits::default() };
            // Of more acceptors that are all alike there are too many renamings.
            let found = match coordinated || n == 4 {
                true => explore_symmetric(&enough, limits, &enough.symmetry()),
                false => explore(&enough, limits),
            };
            rows.push(
                Row::new(format!("Fast Paxos, n={n}, {how}"), "asynchronous")
                    .faults(format!("e={e}, f={f}"))
                    .searched("agreement, validity", &found),
            );
        }
        let few = FastPaxos { recovers: true, ..instance(n - 1, e, f) };
        rows.push(Row::new(format!("Fast Paxos, n={}", n - 1), "asynchronous").faults(format!("e={e}, f={f}")).fails(
            "one acceptor fewer: two values are chosen",
            &explore(&few, Limits::default()),
            "agreement",
        ));
    }
    let again = FastPaxos { recovers: true, ..instance(4, 1, 1) };
    let limits = Limits { states: scale.pick(100_000, 5_000_000), ..Limits::default() };
    rows.push(
        Row::new("Fast Paxos, n=4, round 3", "asynchronous")
            .faults("e=1, f=1")
            .searched("agreement, validity", &explore_symmetric(&again, limits, &again.symmetry())),
    );
    rows.push(collisions(scale));
    rows
}

/// A network that loses a message and delivers one twice.
fn faulty_networks(scale: Scale) -> Vec<Row> {
    let (three, four) = (instance(3, 0, 1), instance(4, 1, 1));
    let row = |name: &str, paxos: FastPaxos, states| {
        let found = explore_symmetric(&paxos, unreliable(), &paxos.symmetry());
        let row = Row::new(format!("Fast Paxos, {name}"), "asynchronous").faults(UNRELIABLE);
        row.counts("agreement, validity", &found, states)
    };
    let mut rows = vec![
        row("n=3, coordinated", three, 10_086),
        row("n=3, uncoordinated", FastPaxos { coordinated: false, ..three }, 221_503),
        row("n=4, coordinated", four, 90_823),
    ];
    if scale == Scale::Full {
        rows.push(row("n=3, round 3", FastPaxos { recovers: true, ..three }, 2_171_062));
    }
    rows
}

fn fast_path() -> Row {
    let alone = FastPaxos { proposers: 1, informs: true, ..instance(4, 1, 1) };
    let run = run(&alone, Setting::new(Network::LOCKSTEP, 0));
    let at_proposer = run.shown.iter().find(|shown| shown.who == 4);
    // The value to 4 acceptors; their votes to the proposer, and those of 3 to the coordinator.
    Row::new("Fast Paxos, n=4, 1 proposer", "fast round")
        .messages(run.messages, 4 + 4 + 3)
        .delays(at_proposer.map_or(0, |shown| shown.delays), 2)
}

/// How soon a value is learnt after a collision. The delays of a run are those of its longest chain of messages, so the
/// least of several runs counts.
fn recovery(coordinated: bool, published: u32) -> Row {
    let two = FastPaxos { coordinated, ..instance(4, 1, 1) };
    let delays = (0..100).filter_map(|seed| {
        let run = run(&two, Setting::new(Network::SYNCHRONOUS, seed));
        let collided = run.shown.iter().all(|shown| shown.event.0 == 2);
        run.shown.iter().map(|shown| shown.delays).min().filter(|_| collided)
    });
    let how = if coordinated { "coordinated" } else { "uncoordinated" };
    Row::new("Fast Paxos, n=4, a collision", how).delays(delays.min().unwrap_or(0), published)
}

/// How often a round of several proposers ends without a fast quorum.
fn collisions(scale: Scale) -> Row {
    let runs = scale.pick(500, 10_000);
    let rate = |proposers| {
        let instance = FastPaxos { proposers, recovers: true, ..instance(4, 1, 1) };
        let slow = |seed: &u64| {
            let run = run(&instance, Setting::new(Network::SYNCHRONOUS, *seed));
            !run.shown.iter().any(|shown| shown.event.0 == 1)
        };
        (0..runs).filter(slow).count() as f64 / runs as f64
    };
    let rates: Vec<f64> = (1..=5).map(rate).collect();
    let printed: Vec<String> = rates.iter().map(|rate| format!("{:.1} %", rate * 100.0)).collect();
    Row::new("Fast Paxos, n=4", "synchronous").claim("one proposer alone never collides", rates[0] == 0.0).claim(
        &format!("collisions of 1 to 5 proposers at once grow: {}", printed.join(", ")),
        rates.windows(2).all(|pair| pair[0] < pair[1]),
    )
}
