//! One run of a protocol as a chart, by the protocol's name.

use crate::{
    chart::Chart,
    instance::Instance,
    network::Partition,
    process::{Id, everyone},
    protocols::{
        abd::Abd,
        epaxos::{EPaxos, Recovery, payments},
        failure_detector::FailureDetector,
        fast_paxos::FastPaxos,
        flood_set::FloodSet,
        lock_register::LockRegister,
        multi_paxos::MultiPaxos,
        paxos::Paxos,
        pbft::{Pbft, Rules, Traitor},
        sequence_numbers::SequenceNumbers,
        two_phase_commit::TwoPhaseCommit,
        zab::Zab,
    },
    runner::run,
    setting::{Network, Setting},
};

/// The circumstances that the command line can choose.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What is promised of delays.
    pub network: Network,
    /// How many processes crash.
    pub crash: usize,
    /// Probability that a message is lost.
    pub loss: f64,
    /// Probability that a message arrives twice.
    pub duplicate: f64,
    /// Processes that are cut off from the others.
    pub partition: Vec<Id>,
    /// When they are reached again, in ticks.
    pub heal: u64,
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
    pub run: fn(&Choice) -> Result<Seen, String>,
}

/// All of them.
pub const PROTOCOLS: &[Named] = &[
    Named {
        name: "failure-detector",
        run: |choice| show(&FailureDetector { questions: 8, timeout: 2, perfect: false }, choice),
    },
    Named { name: "flood-set", run: |choice| show(&FloodSet { processes: 3, rounds: 2 }, choice) },
    Named { name: "two-phase-commit", run: |choice| show(&TwoPhaseCommit { managers: 3 }, choice) },
    Named { name: "lock", run: |choice| show(&LockRegister { clients: 3, locks: true }, choice) },
    Named {
        name: "sequence-numbers",
        run: |choice| show(&SequenceNumbers { proposers: 3, atomic: true, retries: 9 }, choice),
    },
    Named { name: "abd", run: |choice| show(&Abd { servers: 3, clients: 2, regular: false, split: false }, choice) },
    Named { name: "paxos", run: |choice| show(&Paxos { servers: 3, clients: 2, quorum: 2, retries: 9 }, choice) },
    Named {
        name: "multi-paxos",
        run: |choice| show(&MultiPaxos { servers: 3, slots: 3, elections: 9, candidates: 7 }, choice),
    },
    Named { name: "fast-paxos", run: |choice| show(&fast_paxos(), choice) },
    Named { name: "epaxos", run: |choice| show(&epaxos(), choice) },
    Named { name: "zab", run: |choice| show(&Zab { servers: 3, leaders: 3, requests: 2, hole: None }, choice) },
    Named { name: "pbft", run: |choice| show(&pbft(Traitor::None), choice) },
    Named { name: "pbft-equivocation", run: |choice| show(&pbft(Traitor::Equivocates), choice) },
];

fn fast_paxos() -> FastPaxos {
    let (proposers, coordinated, recovers, informs) = (2, true, true, true);
    FastPaxos { acceptors: 4, faults: 1, fast_faults: 1, proposers, coordinated, recovers, informs }
}

/// Three transactions, two of which spend the same coin.
fn epaxos() -> EPaxos {
    let mut instance = EPaxos::ordering(3, &payments(&[vec![1], vec![1, 2], vec![3]]), Recovery::Star);
    (instance.recovered, instance.recoveries) = (7, [4; 8]);
    instance
}

fn pbft(traitor: Traitor) -> Pbft {
    Pbft { rules: Rules::for_faulty(1), requests: 2, patience: 20, traitor, credulous: false }
}

fn show<I: Instance>(instance: &I, choice: &Choice) -> Result<Seen, String> {
    let count = instance.processes().len();
    if choice.crash > count {
        return Err(format!("--crash {}: there are {count} processes", choice.crash));
    }
    let mut setting = Setting::new(choice.network, choice.seed).crash(choice.crash, count).in_order().drawn();
    (setting.faults.loss, setting.faults.duplication) = (choice.loss, choice.duplicate);
    if !choice.partition.is_empty() {
        setting.partition = Some((partition(&choice.partition, count)?, choice.heal));
    }
    let run = run(instance, setting);
    let end = match (&run.violation, run.done) {
        (Some(what), _) => format!("violated: {what}"),
        (None, Some(at)) => format!("done after {at} ticks"),
        (None, None) => "blocked: not done when the run ended".to_owned(),
    };
    // Some protocols have nothing to show, so there is nothing that could be late.
    let delays =
        if run.shown.is_empty() { String::new() } else { format!(", at most {} message delays", run.delays()) };
    let summary = format!("{end}; {} messages{delays}", run.messages);
    Ok(Seen { violated: run.violation.is_some(), chart: run.chart, summary })
}

/// Some processes in a group of their own.
fn partition(apart: &[Id], count: usize) -> Result<Partition, String> {
    if let Some(unknown) = apart.iter().find(|&&id| usize::from(id) >= count) {
        return Err(format!("no process {unknown} to cut off; the processes are 0 to {}", count - 1));
    }
    Ok(Partition(everyone(count).map(|id| u8::from(apart.contains(&id))).collect()))
}
