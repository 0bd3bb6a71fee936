//! Moments by both clocks.

use cairn_client::unix;
use std::time::Instant;

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
        Self { now: Instant::now(), clock: unix() }
    }
}
