//! Section 3.5: EPaxos with both recoveries.

use super::{UNRELIABLE, unreliable};
use crate::{
    explorer::{Limits, Order, explore},
    protocols::epaxos::{EPaxos, Recovery, payments},
    random::Random,
    runner::run,
    setting::{DELTA, Network, Setting},
    table::{Row, Scale},
};

/// Its rows.
pub fn rows(scale: Scale) -> Vec<Row> {
    let mut rows = vec![fast_path(), slow_path()];
    rows.extend(recoveries(scale));
    rows.extend(whole(scale));
    rows.push(coins(scale));
    rows
}

fn fast_path() -> Row {
    let one = EPaxos::ordering(3, &payments(&[vec![1], vec![2], vec![3]]), Recovery::Star);
    let run = run(&one, Setting::new(Network::LOCKSTEP, 0));
    let own = run.shown.iter().filter(|shown| shown.who == one.owners[usize::from(shown.event.0)]);
    Row::new("EPaxos*, 3 replicas, 3 commands", "they commute")
        .messages(run.messages, 3 * (2 + 2 + 2))
        .delays(own.map(|shown| shown.delays).max().unwrap_or(0), 2)
        .claim("committed by all", run.is_good())
}

fn slow_path() -> Row {
    let two = EPaxos::ordering(3, &payments(&[vec![7], vec![7]]), Recovery::Star);
    let run = run(&two, Setting::new(Network::LOCKSTEP, 0));
    let own = run.shown.iter().filter(|shown| shown.who == two.owners[usize::from(shown.event.0)]);
    Row::new("EPaxos*, 3 replicas, 2 commands", "they conflict")
        .messages(run.messages, 2 * (2 + 2 + 2 + 2 + 2))
        .delays(own.map(|shown| shown.delays).max().unwrap_or(0), 4)
        .claim("committed by all, one after the other", run.is_good())
}

/// Command 0 of replica 0 conflicts with command 1 of replica 2, of which nobody else ever hears. Replica 2 recovers
/// command 0, then replica 1, then replica 0 twice: the schedule of arXiv 1906.10917 is among what can happen.
fn recoveries(scale: Scale) -> Vec<Row> {
    let mut known = EPaxos::ordering(3, &payments(&[vec![7], vec![7]]), Recovery::Published);
    known.owners[1] = 2;
    (known.silent, known.recovered) = (2, 1);
    known.recoveries[..3].copy_from_slice(&[2, 1, 1]);
    let limits = |states| Limits { states, ..Limits::default() };
    let published = explore(&known, limits(scale.pick(3_000_000, 12_000_000)));
    let repaired =
        explore(&EPaxos { recovery: Recovery::TwoBallots, ..known }, limits(scale.pick(3_000_000, 12_000_000)));
    let star = explore(&EPaxos { recovery: Recovery::Star, ..known }, limits(scale.pick(100_000, 14_000_000)));
    let mut both = EPaxos::ordering(3, &payments(&[vec![7], vec![7]]), Recovery::Star);
    both.recovered = 3;
    both.recoveries[..3].copy_from_slice(&[0, 1, 1]);
    let two = explore(&both, limits(scale.pick(100_000, 4_000_000)));
    vec![
        Row::new("EPaxos, recovery as published", "asynchronous").fails(
            "two replicas commit different dependencies",
            &published,
            "agreement",
        ),
        Row::new("EPaxos, a ballot for votes alone", "asynchronous")
            .searched("without the fault the same instance agrees", &repaired),
        Row::new("EPaxos*, the same instance", "asynchronous").searched("agreement, conflicts are ordered", &star),
        Row::new("EPaxos*, 2 commands recovered", "asynchronous").searched("agreement, conflicts are ordered", &two),
    ]
}

/// Smaller instances, which are searched to the end.
fn whole(scale: Scale) -> Vec<Row> {
    let two = EPaxos::ordering(3, &payments(&[vec![7], vec![7]]), Recovery::Star);
    let mut silent = EPaxos { silent: 2, ..two };
    silent.owners[1] = 2;
    let row = |name, of: EPaxos, recovered, recoveries: [u8; 3], limits: Limits, states| {
        let mut small = EPaxos { recovered, ..of };
        small.recoveries[..3].copy_from_slice(&recoveries);
        let model = if limits.order == Order::Fifo { "asynchronous, FIFO" } else { "asynchronous" };
        let row = Row::new(format!("EPaxos*, {name}"), model);
        let row = if limits.losses > 0 { row.faults(UNRELIABLE) } else { row };
        row.counts("agreement, conflicts are ordered", &explore(&small, limits), states)
    };
    let any = Limits { states: 10_000_000, ..Limits::default() };
    let fifo = Limits { order: Order::Fifo, ..any };
    let mut rows = vec![
        row("2 commands", two, 0, [0; 3], unreliable(), 479_959),
        row("recovered once", two, 1, [0, 1, 0], any, 247_768),
        row("recovered twice", two, 1, [0, 1, 1], fifo, 1_678_852),
        row("other command silent", silent, 1, [0, 1, 1], any, 66_948),
    ];
    if scale == Scale::Full {
        rows.extend([
            row("recovered once", two, 1, [0, 1, 0], Limits { order: Order::Fifo, ..unreliable() }, 2_894_460),
            row("recovered by each, silent", silent, 1, [1, 1, 1], any, 3_416_136),
            row("2 commands recovered", two, 3, [0, 0, 1], fifo, 2_899_442),
            row("2 commands recovered", two, 3, [0, 1, 0], any, 5_160_360),
        ]);
    }
    rows
}

/// Twelve coin transactions, each of which spends one or two of some coins, over five replicas of which two crash.
fn coins(scale: Scale) -> Row {
    let runs = scale.pick(200, 5_000);
    let workload = |seed, coins: u64| -> Vec<Vec<u32>> {
        let mut random = Random::new(seed).fork(9);
        let spend = |random: &mut Random| (0..=random.below(2)).map(|_| random.below(coins) as u32).collect();
        (0..12).map(|_| spend(&mut random)).collect()
    };
    let (mut safe, mut ends) = (true, true);
    let mut shares = Vec::new();
    for coins in [1_000, 20, 4] {
        let (mut fast, mut all) = (0, 0);
        for seed in 0..runs / 2 {
            let mut instance = EPaxos::ordering(5, &payments(&workload(seed, coins)), Recovery::Star);
            let calm = run(&instance, Setting::new(Network::SYNCHRONOUS, seed));
            let own = calm.shown.iter().filter(|shown| shown.who == instance.owners[usize::from(shown.event.0)]);
            let own: Vec<bool> = own.map(|shown| !instance.is_slow(&calm.processes, shown.event.0)).collect();
            (fast, all) = (fast + own.iter().filter(|&&fast| fast).count(), all + own.len());
            (instance.recovered, instance.recoveries) = (0xfff, [6; 8]);
            let partial = Network::partially_synchronous(20 * DELTA);
            let rough = run(&instance, Setting::new(partial, seed).crash(2, 5));
            safe &= calm.is_good() && rough.violation.is_none();
            ends &= rough.done.is_some();
        }
        shares.push(100.0 * fast as f64 / all.max(1) as f64);
    }
    let printed = format!("{:.1}, {:.1}, {:.1} %", shares[0], shares[1], shares[2]);
    Row::new("EPaxos*, 12 coin transactions", "partially synchronous")
        .faults("2 replicas crash of 5")
        .claim(&format!("agreement, and spends of a coin are ordered, in {} runs", runs / 2 * 3), safe)
        .claim("every transaction known to the living is committed", ends)
        .claim(
            &format!("the fewer spend the same coin, the more are fast: of 1000, 20, 4 coins {printed}"),
            shares[0] > shares[1] && shares[1] > shares[2],
        )
}
