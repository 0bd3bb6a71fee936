//! The parts of a frame. Each is given its place, and shows what fits.

mod chain;
mod miners;
mod parts;
mod peers;
mod pool;

pub use chain::chain;
pub use miners::{height_of_miners, miners};
pub use parts::{panel, show, styled};
pub use peers::{height_of_peers, peers};
pub use pool::pool;
