//! What a part of a benchmark takes.

use std::time::{Duration, Instant};

/// Time that something took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// By the clock.
    pub wall: Duration,
    /// Of all threads of this process.
    pub cpu: Duration,
}

impl Cost {
    /// CPU time as a multiple of another.
    pub fn cpu_to(&self, other: &Self) -> f64 {
        self.cpu.as_secs_f64() / other.cpu.as_secs_f64()
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:8.1} ms CPU, {:8.1} ms", self.cpu.as_secs_f64() * 1e3, self.wall.as_secs_f64() * 1e3)
    }
}

/// Does something, and says what it took.
pub fn measure(work: impl FnOnce()) -> Cost {
    let (wall, cpu) = (Instant::now(), cpu_time());
    work();
    Cost { wall: wall.elapsed(), cpu: cpu_time() - cpu }
}

/// CPU time of all threads of this process.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
