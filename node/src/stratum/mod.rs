//! Stratum v1: any SHA-256 miner mines on this node, each for its own address. `docs/mining.md` says what it answers.
//!
//! `server` accepts connections, and with `lines` and `announce` is the only part with sockets and a clock. A `session` is told
//! lines and says lines; `job` makes work of a template and a header of a share, `vardiff` sets the difficulty, `workers` counts.

mod announce;
mod job;
mod lines;
mod mdns;
mod message;
mod reject;
mod server;
mod session;
mod share;
mod target;
mod vardiff;
mod workers;

pub use job::Work;
pub use reject::Reject;
pub use server::{Stratum, bind_limit};
pub use session::{Now, Reaction, Session, Solved};
pub use target::difficulty;
pub use workers::{WorkerName, Workers};
