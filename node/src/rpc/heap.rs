//! Memory that a long call leaves behind.
//!
//! The allocator of glibc keeps what a thread has freed for that thread. A call that held 200 MB on each of many threads in
//! turn would so have the process keep that many times as much as the calls that run hold.

use std::time::{Duration, Instant};

/// Calls that were shorter cannot have held much, and are not worth the search for free pages.
const LONG: Duration = Duration::from_millis(20);

/// Gives what a call that began at this time has freed back to the system.
pub fn give_back(began: Instant) {
    if began.elapsed() >= LONG {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        // SAFETY: it takes no pointers, and may be called by any thread at any time.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}
