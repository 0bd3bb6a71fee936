//! Whether a signal or `quit` asked the devnet to stop, for what takes long.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::error::CommandError;

/// A flag that is raised once.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Goes on unless it was asked to stop.
    ///
    /// # Errors
    /// [`CommandError::Interrupted`].
    pub fn check(&self) -> Result<(), CommandError> {
        if self.0.load(Ordering::Relaxed) { Err(CommandError::Interrupted) } else { Ok(()) }
    }
}
