//! Section 3.1 and 3.2: shared memory.

use crate::{
    explorer::{Limits, explore},
    protocols::{
        herlihy::{Object, Search},
        lock_register::LockRegister,
        sequence_numbers::SequenceNumbers,
    },
    table::{Row, Scale},
};

/// A register behind a lock.
pub fn lock(scale: Scale) -> Vec<Row> {
    let clients = scale.pick(3, 4);
    let locked = LockRegister { clients, locks: true };
    let free = LockRegister { locks: false, clients: 2 };
    let progress = Limits { progress: true, ..Limits::default() };
    let safe = explore(&locked, progress);
    let lost = explore(&free, progress);
    let dead = explore(&LockRegister { clients: 2, ..locked }, Limits { crashes: 1, ..progress });
    let lossy = explore(&LockRegister { clients: 2, ..locked }, Limits { losses: 1, ..progress });
    let twice = explore(&LockRegister { clients: 2, ..locked }, Limits { duplicates: 1, ..progress });
    vec![
        Row::new(format!("lock, {clients} clients"), "asynchronous").holds("no addition is lost, all end", &safe),
        Row::new("no lock, 2 clients", "asynchronous").fails("an addition is lost", &lost, "lost update"),
        Row::new("lock, 2 clients", "asynchronous").faults("the holder crashes").fails(
            "the others wait for ever",
            &dead,
            "blocked",
        ),
        Row::new("lock, 2 clients", "asynchronous").faults("1 message lost").fails(
            "a client waits for ever",
            &lossy,
            "blocked",
        ),
        Row::new("lock, 2 clients", "asynchronous").faults("1 duplicated").fails(
            "a write that arrives again, late, undoes an addition",
            &twice,
            "lost update",
        ),
    ]
}

/// Sequence numbers.
pub fn sequence(scale: Scale) -> Vec<Row> {
    let proposers = scale.pick(2, 3);
    let atomic = SequenceNumbers { proposers, atomic: true, retries: 2 };
    let limits = Limits { crashes: proposers - 1, may_crash: !1, progress: true, ..Limits::default() };
    let safe = explore(&atomic, limits);
    let split = explore(&SequenceNumbers { proposers: 2, atomic: false, retries: 0 }, Limits::default());
    vec![
        Row::new(format!("sequence numbers, {proposers}"), "asynchronous")
            .faults(format!("{} crash of {proposers}", proposers - 1))
            .holds("agreement, and nobody is blocked", &safe),
        Row::new("sequence numbers, split step", "asynchronous").fails(
            "agreement fails if the step on V is not atomic",
            &split,
            "agreement",
        ),
    ]
}

/// Herlihy's table: kinds of objects, and for how many processes and rounds a program is to be found or not.
type Cell = (Object, &'static str, &'static [(u8, u8, bool)], &'static [(u8, u8, bool)]);

const TABLE: [Cell; 5] = [
    (Object::Registers, "registers: 1", &[(1, 0, true), (2, 1, false)], &[(2, 2, false), (3, 1, false)]),
    (Object::TestAndSet, "test&set: 2", &[(2, 1, true), (3, 1, false)], &[]),
    (Object::Swap, "swap: 2", &[(2, 1, true), (3, 1, false)], &[]),
    (Object::FetchAndAdd, "fetch&add: 2", &[(2, 1, true), (3, 1, false)], &[]),
    (Object::CompareAndSwap, "compare&swap: no limit", &[(2, 1, true), (3, 1, true)], &[(4, 1, true), (5, 1, true)]),
];

/// Herlihy's table.
pub fn herlihy(scale: Scale) -> Vec<Row> {
    let row = |(object, name, small, full): Cell| {
        let mut row = Row::new(name, "wait-free");
        let more = if scale == Scale::Full { full } else { &[] };
        for &(processes, rounds, exists) in small.iter().chain(more) {
            let mut search = Search::new(object, processes, rounds);
            let found = search.finds();
            let finding = if exists { "a program" } else { "no program" };
            let claim =
                format!("{finding} for {processes} processes in {rounds} rounds ({} programs tried)", search.tried);
            row = row.claim(&claim, found == exists);
        }
        row
    };
    TABLE.map(row).into()
}
