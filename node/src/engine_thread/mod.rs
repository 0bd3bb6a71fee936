//! The engine's thread: the only part that gives the engine a clock, a queue and other threads.
//!
//! [`EngineHandle`] is what the rest of the node talks to; [`PeerLink`] is the network's way in.

mod handle;
mod inbox;
mod link;
#[cfg(test)]
mod tests;
mod thread;

pub use handle::EngineHandle;
pub use link::{PeerLink, Refused};
