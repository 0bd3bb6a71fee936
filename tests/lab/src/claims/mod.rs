//! What each section of the notes claims, as rows of the table. A test asks that every claim holds.

mod commit;
mod paxos;
mod registers;

use crate::table::{Row, Scale};

/// A section of the notes.
pub struct Section {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its number and title.
    pub title: &'static str,
    /// Computes its rows.
    pub rows: fn(Scale) -> Vec<Row>,
}

/// All sections in the order of the notes.
pub const SECTIONS: &[Section] = &[
    Section { name: "two-phase-commit", title: "2 Fault tolerance: two-phase commit", rows: commit::rows },
    Section { name: "registers", title: "3.1 Registers", rows: registers::rows },
    Section { name: "paxos", title: "3.3 Paxos", rows: paxos::rows },
];
