//! What each section of the notes claims, as rows of the table. A test asks that every claim holds.

mod epaxos;
mod fast_paxos;
mod faults;
mod generals;
mod memory;
mod models;
mod paxos;
mod pbft;
mod registers;
mod zab;

use crate::{
    explorer::Limits,
    table::{Row, Scale},
};

/// A section of the notes.
pub struct Section {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its number and title.
    pub title: &'static str,
    /// Computes its rows.
    pub rows: fn(Scale) -> Vec<Row>,
}

/// A network that loses a message and delivers one twice, whichever they are.
fn unreliable() -> Limits {
    Limits { losses: 1, duplicates: 1, ..Limits::default() }
}

/// How rows name it.
const UNRELIABLE: &str = "1 lost, 1 duplicated";

/// All sections in the order of the notes.
pub const SECTIONS: &[Section] = &[
    Section { name: "models", title: "1 System models", rows: models::rows },
    Section { name: "fault-tolerance", title: "2 Fault tolerance", rows: faults::rows },
    Section { name: "lock", title: "3.1 A register behind a lock", rows: memory::lock },
    Section { name: "registers", title: "3.1 Registers of servers", rows: registers::rows },
    Section { name: "herlihy", title: "3.2.1 CAS and Herlihy's table", rows: memory::herlihy },
    Section { name: "sequence-numbers", title: "3.2.2 Sequence numbers", rows: memory::sequence },
    Section { name: "paxos", title: "3.3 Paxos", rows: paxos::rows },
    Section { name: "fast-paxos", title: "3.4 Fast Paxos", rows: fast_paxos::rows },
    Section { name: "epaxos", title: "3.5 EPaxos", rows: epaxos::rows },
    Section { name: "zab", title: "3.6 Zab", rows: zab::rows },
    Section { name: "generals", title: "4 Byzantine generals", rows: generals::rows },
    Section { name: "pbft", title: "4.1-4.3 PBFT", rows: pbft::rows },
];
