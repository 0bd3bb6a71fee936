//! The time of day, and moments by both clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Seconds since the Unix epoch.
pub fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// One moment, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The clock that only goes on.
    pub now: Instant,
    /// The time of day, in seconds since the Unix epoch.
    pub clock: u64,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self { now: Instant::now(), clock: clock() }
    }
}
