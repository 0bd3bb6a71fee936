//! Proof of work: targets, work, and the difficulty of the next header.

pub mod asert;
pub mod pow;
