//! Signals: the first asks the node to stop, a second ends it at once. The store survives both.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{error::CommandError, logging};

/// SIGINT, SIGTERM and SIGHUP (a terminal that closes), which no longer end the process by themselves once this exists.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes the signals over.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Has a thread take the signals over, which ends with the process.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn in_thread(act: impl AsyncFnOnce(Self) + Send + 'static) -> Result<(), CommandError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(CommandError::io("start threads"))?;
        let signals = runtime.block_on(async { Self::install() }).map_err(CommandError::io("receive signals"))?;
        std::thread::spawn(move || runtime.block_on(act(signals)));
        Ok(())
    }

    /// Waits for the next; returns its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hang_up.recv() => "SIGHUP",
        }
    }

    /// Waits for another and ends the process, however far the clean end has come.
    pub async fn force(mut self) {
        let name = self.next().await;
        logging::say(&format!("{name} again: ending at once; the node will go on from its last flush"));
        logging::flush();
        // SAFETY: ends the process and returns to nobody. `exit` would run C++ destructors under a working database.
        unsafe { libc::_exit(130) }
    }
}
