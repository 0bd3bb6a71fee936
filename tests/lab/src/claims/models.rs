//! Section 1: the same protocols in each system model, and failure detectors.

use crate::{
    explorer::{Limits, Timing, explore},
    protocols::{
        failure_detector::{FailureDetector, Opinion},
        flood_set::FloodSet,
        paxos::Paxos,
    },
    runner::{Run, run},
    setting::{Crash, DELTA, Network, Setting},
    table::{Row, Scale},
};

const MODELS: [Network; 3] = [Network::SYNCHRONOUS, Network::ASYNCHRONOUS, Network::partially_synchronous(20 * DELTA)];

/// Its rows.
pub fn rows(scale: Scale) -> Vec<Row> {
    let mut rows = detectors(scale);
    rows.extend(flooding(scale));
    rows.extend(MODELS.map(|model| paxos(model, scale)));
    rows
}

fn detectors(scale: Scale) -> Vec<Row> {
    let perfect = FailureDetector { questions: 4, timeout: 2, perfect: true };
    let synchronous =
        Limits { crashes: 1, may_crash: 2, timing: Timing::Synchronous, progress: true, ..Limits::default() };
    let asynchronous = Limits { timing: Timing::Asynchronous, progress: false, ..synchronous };
    let bounded = explore(&perfect, synchronous);
    let unbounded = explore(&perfect, asynchronous);
    let runs = scale.pick(200, 5_000);
    let learns = (0..runs).filter(|&seed| is_eventually_perfect(seed)).count() as u64;
    vec![
        Row::new("failure detector", "synchronous")
            .faults("1 crash")
            .holds("perfect: suspects who crashed, and nobody else", &bounded),
        Row::new("failure detector", "asynchronous").fails("no timeout is long enough", &unbounded, "accuracy"),
        Row::new("failure detector", "partially synchronous")
            .faults("1 crash after GST")
            .claim("suspects who has not crashed, before GST", (0..runs).any(suspects_early))
            .claim(&format!("eventually perfect in {runs} runs"), learns == runs),
    ]
}

/// Whether somebody is suspected before GST, and nobody crashes until long after.
fn suspects_early(seed: u64) -> bool {
    let (run, gst, _) = watched(seed);
    run.shown.iter().any(|shown| shown.at < gst && shown.event == Opinion::Suspects)
}

/// A run of a detector that learns, when the network becomes good, and when one crashes.
fn watched(seed: u64) -> (Run<FailureDetector>, u64, u64) {
    let detector = FailureDetector { questions: 200, timeout: 1, perfect: false };
    let (gst, crash) = (20 * DELTA, 200 * DELTA);
    let mut setting = Setting::new(Network::partially_synchronous(gst), seed);
    setting.crashes = vec![Crash { who: 1, at: crash, sends: 0 }];
    (run(&detector, setting), gst, crash)
}

/// Whether false suspicions end after GST, and the crash at the end is noticed.
fn is_eventually_perfect(seed: u64) -> bool {
    let (run, gst, crash) = watched(seed);
    // A timeout of 2Δ is long enough after GST, so one false suspicion more at most is due to a timeout of Δ.
    let settled = |at| at > gst + 10 * DELTA && at < crash;
    let quiet = !run.shown.iter().any(|shown| settled(shown.at) && shown.event == Opinion::Suspects);
    quiet && run.shown.last().is_some_and(|shown| shown.event == Opinion::Suspects && shown.at >= crash)
}

fn flooding(scale: Scale) -> Vec<Row> {
    let asynchronous = explore(&FloodSet { processes: 2, rounds: 2 }, Limits::default());
    let good = run(&FloodSet { processes: 3, rounds: 2 }, Setting::new(Network::LOCKSTEP, 0));
    let runs = scale.pick(200, 5_000);
    let flood = FloodSet { processes: 5, rounds: 3 };
    let agree = (0..runs).filter(|&seed| run(&flood, Setting::new(Network::SYNCHRONOUS, seed).crash(2, 5)).is_good());
    vec![
        Row::new("FloodSet, 3 processes", "synchronous")
            .messages(good.messages, 2 * 3 * 2)
            .delays(good.delays(), 2)
            .claim("agreement and termination", good.is_good()),
        Row::new("FloodSet, 5 processes", "synchronous")
            .faults("2 crash of 5")
            .claim(&format!("agreement and termination in {runs} runs"), agree.count() as u64 == runs),
        Row::new("FloodSet, 2 processes", "asynchronous").fails(
            "without a bound on delays there are no rounds",
            &asynchronous,
            "agreement",
        ),
    ]
}

fn paxos(model: Network, scale: Scale) -> Row {
    let runs = scale.pick(200, 5_000);
    let instance = Paxos { servers: 3, clients: 2, quorum: 2, retries: 40 };
    let all: Vec<_> = (0..runs).map(|seed| run(&instance, Setting::new(model, seed).crash(1, 3))).collect();
    let safe = all.iter().all(|run| run.violation.is_none());
    let row = Row::new("Paxos, 3 servers", model).faults("1 crash of 3").claim(&format!("safe in {runs} runs"), safe);
    // Nothing promises that an asynchronous run ends.
    if model == Network::ASYNCHRONOUS {
        return row;
    }
    row.claim(&format!("ends in {runs} runs"), all.iter().all(|run| run.done.is_some()))
}
