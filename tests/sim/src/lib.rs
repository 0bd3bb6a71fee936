//! A seeded simulator: whole engines, storage included, over a network of discrete events with virtual time.
//!
//! A seed stands for a [`Plan`] (how many nodes, what network, what goes wrong, who attacks), and a plan for exactly one
//! [`World`]'s history: run it twice, and every message is the same. Engines are driven by their own events and actions
//! and know nothing of it. The [`Oracle`] watches what must hold whatever happens; [`Stats`] say what it amounted to.

mod attack;
mod chain;
mod forks;
mod log;
mod node;
mod oracle;
mod past;
mod plan;
mod pool;
mod runner;
mod stats;
mod traffic;
mod world;

pub use attack::{Kept, Kind, Lab, Strategy};
pub use cairn_lab::{
    network::{Latency, MessageFaults, Model, Partition},
    random::Random,
};
pub use chain::{CHEATING, CHECKPOINTS, COIN, Chain, Rules, WINDOW};
pub use forks::Forks;
pub use oracle::{Facts, Find, Invariant, Oracle, Violation};
pub use past::{LONG, Late};
pub use plan::{BLOCKS, Fault, ModelName, NODES, Overrides, Plan, Slow, Topology};
pub use pool::{cores, each};
pub use runner::{Report, history, run};
pub use stats::{Histogram, Most, Revenue, Stats};
pub use traffic::{first_coin, pay_coin};
pub use world::{Context, Outcome, World};
