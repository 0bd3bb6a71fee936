//! Searches all that can happen in a small instance: breadth first over the order in which messages arrive and timers
//! expire, over losses, duplicates and crashes. What it finds first is a shortest counter-example.
//!
//! A global state (`state`) is a list of numbers: the budgets and the set of the crashed, the history, each process's state,
//! and the messages in flight. Numbers are given by `intern`; `step` computes successors, `react` what a process does;
//! `search` keeps the states that it has `seen` by 128-bit digests; `symmetry` takes states that differ in names alone for
//! one.

mod intern;
mod limits;
mod react;
mod search;
mod seen;
mod state;
mod step;
mod symmetry;
mod trace;

pub use limits::{Limits, Order, Timing};
pub use search::{Explored, Verdict, explore, explore_symmetric};
pub use symmetry::{Symmetry, permutations};

pub(crate) use intern::{FastHasher, FastMap};
