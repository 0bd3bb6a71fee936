//! One run of a protocol as a chart, by the protocol's name.

use crate::{
    chart::Chart,
    instance::Instance,
    network::Model,
    protocols::{abd::Abd, paxos::Paxos, two_phase_commit::TwoPhaseCommit},
    runner::{Setting, run},
};

/// The circumstances that the command line can choose.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// What is promised of delays.
    pub model: Model,
    /// How many processes crash.
    pub crash: usize,
    /// What else is left to chance is drawn from this.
    pub seed: u64,
}

/// A run and a sentence on it.
pub struct Seen {
    /// The run.
    pub chart: Chart,
    /// What came of it.
    pub summary: String,
    /// Whether a claim was violated.
    pub violated: bool,
}

/// A protocol that can be run by name.
pub struct Named {
    /// The name.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(Choice) -> Seen,
}

/// All of them.
pub const PROTOCOLS: &[Named] = &[
    Named { name: "two-phase-commit", run: |choice| show(&TwoPhaseCommit { managers: 3 }, choice) },
    Named { name: "abd", run: |choice| show(&Abd { servers: 3, clients: 2, regular: false, split: false }, choice) },
    Named { name: "paxos", run: |choice| show(&Paxos { servers: 3, clients: 2, quorum: 2, retries: 9 }, choice) },
];

fn show<I: Instance>(instance: &I, choice: Choice) -> Seen {
    let count = instance.processes().len();
    let setting = Setting::new(choice.model, choice.seed).crash(choice.crash, count).drawn();
    let run = run(instance, setting);
    let end = match (&run.violation, run.done) {
        (Some(what), _) => format!("violated: {what}"),
        (None, Some(at)) => format!("done after {at} ticks"),
        (None, None) => "blocked: not done when the run ended".to_owned(),
    };
    let summary = format!("{end}; {} messages, at most {} message delays", run.messages, run.delays());
    Seen { violated: run.violation.is_some(), chart: run.chart, summary }
}
