//! System models: what is promised of the time that messages take, and who fails.

use crate::{process::Id, random::Random};
use std::fmt;

/// Ticks of the greatest delay of a message, where there is one: Δ.
pub const DELTA: u64 = 100;

/// What is promised of delays (section 1 of the notes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Every message takes exactly Δ. Message delays are counted in it.
    Lockstep,
    /// Every message takes at most Δ.
    Synchronous,
    /// Every message arrives; nothing is promised of when.
    Asynchronous,
    /// Asynchronous before the global stabilisation time, which no process knows, and synchronous from then on.
    PartiallySynchronous {
        /// The global stabilisation time.
        gst: u64,
    },
}

impl Model {
    /// By the name that the command line uses.
    pub fn named(name: &str) -> Option<Self> {
        let known = [Self::Lockstep, Self::Synchronous, Self::Asynchronous, Self::PartiallySynchronous { gst: 2_000 }];
        known.into_iter().find(|model| model.to_string() == name)
    }

    /// When a message arrives that is sent now.
    pub(crate) fn arrival(self, now: u64, random: &mut Random) -> u64 {
        match self {
            Self::Lockstep => now + DELTA,
            Self::Synchronous => now + random.between(1, DELTA),
            Self::Asynchronous => now + unbounded(random),
            Self::PartiallySynchronous { gst } if now < gst => (now + unbounded(random)).min(gst + DELTA),
            Self::PartiallySynchronous { .. } => now + random.between(1, DELTA),
        }
    }
}

/// One message in eight takes far longer than the others.
fn unbounded(random: &mut Random) -> u64 {
    let mean = if random.chance(0.125) { 30.0 } else { 1.0 } * DELTA as f64;
    1 + random.exponential(mean) as u64
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lockstep => "lockstep",
            Self::Synchronous => "synchronous",
            Self::Asynchronous => "asynchronous",
            Self::PartiallySynchronous { .. } => "partially-synchronous",
        })
    }
}

/// A process that stops: at its first step at or after a time, in the midst of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Who.
    pub who: Id,
    /// When, in ticks.
    pub at: u64,
    /// How many of its last step's messages still leave.
    pub sends: usize,
}
