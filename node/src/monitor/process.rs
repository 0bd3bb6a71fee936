//! What the system says of this process (Linux; elsewhere the numbers stay 0).

use std::fs;

/// Numbers of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// Whole seconds of CPU time.
    pub cpu_seconds: u64,
    /// Bytes in RAM.
    pub resident: u64,
    /// Bytes of address space.
    pub virtual_memory: u64,
    /// Threads.
    pub threads: u64,
    /// Open files and sockets.
    pub open_fds: u64,
    /// How many may be open.
    pub max_fds: u64,
}

impl Process {
    /// As it is now.
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            cpu_seconds: cpu_seconds(),
            resident: field(&status, "VmRSS:") << 10,
            virtual_memory: field(&status, "VmSize:") << 10,
            threads: field(&status, "Threads:"),
            open_fds: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
            max_fds: max_fds(),
        }
    }
}

/// The number after a name of `/proc/self/status`.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

fn cpu_seconds() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to the struct that it is given.
    let told = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) } == 0;
    u64::try_from(time.tv_sec).ok().filter(|_| told).unwrap_or_default()
}

fn max_fds() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it writes to the struct that it is given.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => limit.rlim_cur,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_of_this_process() {
        let process = Process::now();
        assert!(process.resident > 1 << 20 && process.resident < process.virtual_memory, "{process:?}");
        assert!(process.threads > 0 && process.open_fds > 2 && process.open_fds <= process.max_fds, "{process:?}");
    }

    #[test]
    fn a_field_that_is_missing_or_odd_is_zero() {
        let status = "Name:\tx\nVmRSS:\t   1234 kB\nThreads:\tmany\n";
        assert_eq!(["VmRSS:", "Threads:", "VmSize:"].map(|name| field(status, name)), [1_234, 0, 0]);
    }
}
