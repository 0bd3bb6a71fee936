//! Proof of work: targets and work of a header, and how hard the next one has to be.

pub mod asert;
pub mod pow;
