//! Consensus protocols as state machines: explored exhaustively, run in simulated networks, drawn as charts.

pub mod chart;
pub mod claims;
pub mod explorer;
pub mod instance;
pub mod linear;
pub mod network;
pub mod output;
pub mod process;
pub mod protocols;
pub mod queue;
pub mod random;
pub mod runner;
pub mod setting;
pub mod show;
pub mod table;
