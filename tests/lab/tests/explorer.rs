//! What the explorer and the runner promise.

use cairn_lab::{
    chart::What,
    explorer::{Limits, Order, explore, permutations},
    instance::{Instance, View},
    network::Partition,
    process::{Id, Outputs, Process},
    protocols::{abd::Abd, lock_register::LockRegister, paxos::Paxos, two_phase_commit::TwoPhaseCommit},
    runner::run,
    setting::{DELTA, Network, Setting},
    show::{Choice, PROTOCOLS},
};

const LOCKED: LockRegister = LockRegister { clients: 2, locks: true };

#[test]
fn a_lost_message_blocks_a_protocol_that_sends_nothing_twice() {
    let limits = Limits { progress: true, ..Limits::default() };
    assert!(explore(&LOCKED, limits).holds());
    let found = explore(&LOCKED, Limits { losses: 1, ..limits });
    let (what, chart) = found.counter_example().expect("an Acquire is lost");
    assert!(what.contains("blocked"), "{what}");
    assert!(chart.text().contains('x'), "{}", chart.text());
}

/// Process 0 says "first" and "second"; process 1 wants both in this order, and drops a "second" that comes too early.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Impatient(u8);

impl Process for Impatient {
    type Message = u8;
    type Timer = ();
    type Event = ();

    fn on_start(&mut self, out: &mut Outputs<Self>) {
        if self.0 == u8::MAX {
            out.send(1, 0);
            out.send(1, 1);
        }
    }

    fn on_message(&mut self, _: Id, message: u8, _: &mut Outputs<Self>) {
        self.0 += u8::from(message == self.0);
    }
}

struct Pair;

impl Instance for Pair {
    type Process = Impatient;
    type History = ();

    fn processes(&self) -> Vec<Impatient> {
        vec![Impatient(u8::MAX), Impatient(0)]
    }

    fn violation(&self, _: &View<'_, Impatient>) -> Option<String> {
        None
    }

    fn done(&self, view: &View<'_, Impatient>) -> bool {
        view.processes[1].0 == 2
    }
}

#[test]
fn a_message_that_came_too_early_does_not_come_again() {
    let found = explore(&Pair, Limits { progress: true, ..Limits::default() });
    let (what, _) = found.counter_example().expect("the second is dropped when it comes first");
    assert!(what.contains("blocked"), "{what}");
    assert!(explore(&Pair, Limits { progress: true, order: Order::Fifo, ..Limits::default() }).holds());
}

#[test]
fn duplicates_and_orders_change_what_can_happen() {
    let paxos = Paxos { servers: 2, clients: 1, quorum: 2, retries: 0 };
    let states = |limits| explore(&paxos, limits).states;
    let plain = states(Limits::default());
    assert!(states(Limits { duplicates: 1, ..Limits::default() }) > plain);
    let abd = Abd { servers: 2, clients: 2, regular: false, split: false };
    let ordered = explore(&abd, Limits { order: Order::Fifo, ..Limits::default() });
    assert!(ordered.holds());
}

#[test]
fn a_bound_on_states_is_kept_and_told() {
    let found = explore(&TwoPhaseCommit { managers: 5 }, Limits { states: 100, ..Limits::default() });
    assert!(!found.holds() && found.counter_example().is_none());
    assert!(found.states <= 200, "{}", found.states);
}

#[test]
fn permutations_are_all_of_them_and_leave_the_others_alone() {
    let all = permutations(1..4, 5);
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (6, 6));
    assert!(all.iter().all(|map| map[0] == 0 && map[4] == 4));
}

#[test]
fn a_seed_gives_one_run() {
    let paxos = Paxos { servers: 3, clients: 2, quorum: 2, retries: 9 };
    let chart = |seed| run(&paxos, Setting::new(Network::ASYNCHRONOUS, seed).crash(1, 3).drawn()).chart.text();
    assert_eq!(chart(7), chart(7));
    assert_ne!(chart(7), chart(8));
}

#[test]
fn no_message_of_a_synchronous_run_takes_longer_than_delta() {
    let run = run(&TwoPhaseCommit { managers: 3 }, Setting::new(Network::SYNCHRONOUS, 3));
    let last = run.shown.iter().map(|shown| shown.at).max().expect("all decide");
    assert!(last <= 2 * DELTA + 10, "{last}");
}

#[test]
fn messages_are_lost_or_arrive_twice_as_often_as_asked_for() {
    let run = |loss, duplication| {
        let mut setting = Setting::new(Network::SYNCHRONOUS, 5).drawn();
        (setting.faults.loss, setting.faults.duplication) = (loss, duplication);
        let run = run(&TwoPhaseCommit { managers: 3 }, setting);
        let arrived = run.chart.rows.iter().filter(|row| matches!(row.what, What::Arrives { .. })).count();
        let lost = run.chart.rows.iter().filter(|row| matches!(row.what, What::Lost { .. })).count();
        (run.messages, arrived, lost)
    };
    assert_eq!(run(0.0, 0.0), (6, 6, 0));
    assert_eq!(run(1.0, 0.0), (6, 0, 6));
    assert_eq!(run(0.0, 1.0), (6, 12, 0));
}

#[test]
fn nothing_passes_a_partition_before_it_heals() {
    let paxos = Paxos { servers: 3, clients: 1, quorum: 2, retries: 40 };
    let run = |heals| {
        let mut setting = Setting::new(Network::SYNCHRONOUS, 5);
        // The client and the server that it asks have no majority on their side.
        setting.partition = Some((Partition(vec![0, 1, 1, 0]), heals));
        run(&paxos, setting)
    };
    assert_eq!(run(u64::MAX).done, None);
    let healed = run(50 * DELTA);
    assert!(healed.is_good() && healed.done.is_some_and(|done| done > 50 * DELTA));
}

#[test]
fn a_process_that_does_not_exist_cannot_be_cut_off() {
    let choice = Choice {
        network: Network::SYNCHRONOUS,
        crash: 0,
        loss: 0.0,
        duplicate: 0.0,
        partition: vec![0, 9],
        heal: 500,
        seed: 7,
    };
    let paxos = PROTOCOLS.iter().find(|named| named.name == "paxos").expect("it is known");
    let error = (paxos.run)(&choice).err();
    assert_eq!(error.as_deref(), Some("no process 9 to cut off; the processes are 0 to 4"));
}
