//! Signals: the first asks the node to stop, a second ends it at once. The store survives both.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for SIGINT or SIGTERM; answers with its name.
pub async fn first() -> &'static str {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals cannot be received: stop the node with admin_stop");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

/// Ends the process on the next signal, however far the clean end has come.
pub fn force_on_second() {
    tokio::spawn(async {
        let name = first().await;
        eprintln!("{name} again: ending at once; the node will go on from its last flush");
        // SAFETY: ends the process and returns to nobody. `exit` would run C++ destructors under a working database.
        unsafe { libc::_exit(130) }
    });
}
