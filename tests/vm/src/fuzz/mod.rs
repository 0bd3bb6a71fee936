//! Cases for differential tests, made from a seed: states, blocks, transactions and contracts that do something.

pub mod assembler;
pub mod blocks;
pub mod case;
mod expression;
mod generate;
pub mod inputs;
mod mutate;
pub mod opcodes;
mod program;
pub mod rng;
mod statement;
pub mod targets;
mod transaction;
pub mod world;

pub use case::{Case, Step};
pub use generate::generate;
