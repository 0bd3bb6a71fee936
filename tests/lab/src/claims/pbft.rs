//! Section 4.1 to 4.3: PBFT.

use crate::{
    explorer::{Limits, explore, explore_symmetric},
    process::Id,
    protocols::pbft::{Message, Node, Pbft, Rules, Traitor},
    runner::run,
    setting::{DELTA, Network, Setting},
    table::{Row, Scale},
};

const PARTIAL: Network = Network::partially_synchronous(30 * DELTA);

/// Its rows.
pub fn rows(scale: Scale) -> Vec<Row> {
    let mut rows = vec![quorums(), normal(), checkpoints(), equivocation()];
    rows.extend(explored(scale));
    if scale == Scale::Full {
        rows.extend(faulty_networks());
    }
    rows.extend(faulty(scale));
    rows
}

/// Any two quorums share a correct replica, since they share more than there are traitors: f+1.
fn quorums() -> Row {
    let rules = [1, 2, 3].map(Rules::for_faulty);
    let shared = rules.map(|rules| least_shared(rules.replicas, rules.quorum));
    let enough = rules.iter().zip(shared).all(|(rules, shared)| shared == u32::from(rules.faulty) + 1);
    // One replica fewer, and a quorum still has to do without f.
    let few = rules.map(|rules| least_shared(rules.replicas - 1, rules.quorum - 1));
    let short = rules.iter().zip(few).all(|(rules, shared)| shared == u32::from(rules.faulty));
    Row::new("PBFT, quorums", "all pairs")
        .faults("f of 3f+1, and of 3f")
        .claim(&format!("of 4, 7, 10 replicas any two quorums of 2f+1 share f+1: {shared:?}"), enough)
        .claim(&format!("of 3, 6, 9 replicas some two quorums of 2f share f, who may all be traitors: {few:?}"), short)
}

/// How many members those two quorums share that share the fewest.
fn least_shared(replicas: u8, quorum: usize) -> u32 {
    let quorums: Vec<u32> = (0..1 << replicas).filter(|set: &u32| set.count_ones() as usize == quorum).collect();
    let shared = quorums.iter().flat_map(|one| quorums.iter().map(move |two| (one & two).count_ones()));
    shared.min().unwrap_or(0)
}

fn normal() -> Row {
    let instance =
        Pbft { rules: Rules::for_faulty(1), requests: 1, patience: 0, traitor: Traitor::None, credulous: false };
    let good = run(&instance, Setting::new(Network::LOCKSTEP, 0));
    // PrePrepare to 3, Prepare of 3 to 3, Commit of 4 to 3.
    Row::new("PBFT, 4 replicas", "normal case")
        .messages(good.messages, 3 + 9 + 12)
        .delays(good.delays(), 3)
        .claim("executed by all", good.is_good())
}

/// Forty requests through a window of eight.
fn checkpoints() -> Row {
    let instance =
        Pbft { rules: Rules::for_faulty(1), requests: 40, patience: 20, traitor: Traitor::None, credulous: false };
    let good = run(&instance, Setting::new(Network::SYNCHRONOUS, 1));
    let kept = good.processes.iter().filter_map(|node| match node {
        Node::Correct { replica, .. } => Some(replica.kept()),
        Node::Traitor { .. } => None,
    });
    Row::new("PBFT, 40 requests", "synchronous")
        .claim("executed by all", good.is_good())
        .claim("checkpoints keep each log within its window of 8", kept.max().is_some_and(|kept| kept <= 8))
}

/// The first leader gives one number to two requests, and votes for both.
pub(super) fn equivocating() -> Pbft {
    let rules = Rules::for_faulty(1);
    Pbft { rules, requests: 0, patience: 0, traitor: Traitor::Equivocates, credulous: false }
}

pub(super) fn equivocation() -> Row {
    let four = equivocating();
    let found = explore_symmetric(&four, Limits::default(), &four.symmetry());
    Row::new("PBFT, 4 replicas", "asynchronous")
        .faults("1 traitor of 3f+1 = 4")
        .holds("the leader equivocates: agreement", &found)
}

/// The same where the network loses a message, or delivers one twice.
fn faulty_networks() -> Vec<Row> {
    let four = equivocating();
    let row = |losses, duplicates, faults, states| {
        let found = explore_symmetric(&four, Limits { losses, duplicates, ..Limits::default() }, &four.symmetry());
        Row::new("PBFT, 4 replicas, 1 traitor", "asynchronous").faults(faults).counts(
            "the leader equivocates: agreement",
            &found,
            states,
        )
    };
    vec![row(1, 0, "1 message lost", 1_606_052), row(0, 1, "1 duplicated", 1_156_532)]
}

fn explored(scale: Scale) -> Vec<Row> {
    let adoption = Pbft { requests: 1, traitor: Traitor::AdoptsWrongly, ..equivocating() };
    let bound = Limits { states: scale.pick(2_000_000, 5_000_000), ..Limits::default() };
    let adopts = explore(&adoption, bound);
    vec![
        Row::new("PBFT, 4 replicas", "asynchronous")
            .faults("new leader adopts wrongly")
            .searched("no value but the prepared one", &adopts),
        Row::new("PBFT, NewView unchecked", "asynchronous").faults("new leader adopts wrongly").fails(
            "agreement fails",
            &explore(&Pbft { credulous: true, ..adoption }, bound),
            "agreement",
        ),
    ]
}

/// What a faulty replica does to its messages.
type Fault = fn(Id, &Message<u8>) -> Vec<Message<u8>>;

const FAULTS: [(&str, Fault); 3] = [
    ("is silent", |_, _| vec![]),
    ("equivocates", equivocate),
    ("is silent to one half", |to, message| if to % 2 == 0 { vec![message.clone()] } else { vec![] }),
];

fn equivocate(to: Id, message: &Message<u8>) -> Vec<Message<u8>> {
    let other =
        |request: &Option<u8>| request.map(|request| if to.is_multiple_of(2) { request } else { request + 100 });
    vec![match message {
        Message::PrePrepare(view, number, request) => Message::PrePrepare(*view, *number, other(request)),
        Message::Prepare(view, number, request) => Message::Prepare(*view, *number, other(request)),
        Message::Commit(view, number, request) => Message::Commit(*view, *number, other(request)),
        _ => message.clone(),
    }]
}

fn faulty(scale: Scale) -> Vec<Row> {
    let runs = scale.pick(100, 2_000);
    let mut rows = Vec::new();
    for f in [1, 2] {
        let instance =
            Pbft { rules: Rules::for_faulty(f), requests: 6, patience: 20, traitor: Traitor::None, credulous: false };
        let crashed = (0..runs).filter(|&seed| {
            run(&instance, Setting::new(PARTIAL, seed).crash(usize::from(f), usize::from(instance.rules.replicas)))
                .is_good()
        });
        let crashed = crashed.count() as u64;
        let n = instance.rules.replicas;
        let row = Row::new(format!("PBFT, {n} replicas"), PARTIAL).faults(format!("{f} of {n}"));
        rows.push(row.claim(&format!("crashes: agreement, all executed, in {runs} runs"), crashed == runs));
        for (name, fault) in FAULTS {
            let good = (0..runs).filter(|&seed| {
                let mut setting = Setting::new(PARTIAL, seed);
                (0..f).for_each(|who| _ = setting.traitors.insert(who, Box::new(fault)));
                let run = run(&instance, setting);
                // What a traitor itself executes proves nothing; the instance asks the correct ones.
                run.violation.is_none() && executed_by_correct(&run.processes, f, instance.requests)
            });
            let claim = format!("the first {f} leaders: each {name}: agreement, all executed, in {runs} runs");
            let count = good.count() as u64;
            let last = rows.len() - 1;
            rows[last] = rows[last].clone().claim(&claim, count == runs);
        }
    }
    rows
}

fn executed_by_correct(nodes: &[Node], traitors: u8, requests: u8) -> bool {
    nodes.iter().skip(usize::from(traitors)).all(|node| match node {
        Node::Correct { log, .. } => {
            (1..=requests).all(|request| log.values().any(|&executed| executed == Some(request)))
        }
        Node::Traitor { .. } => true,
    })
}
