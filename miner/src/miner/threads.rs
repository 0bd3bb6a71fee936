//! How many threads search, where, and how much of the time.

use std::{io, time::Duration};

/// Settings of the mining threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Threads {
    /// Their number.
    pub count: usize,
    /// Percentage of the time that they search, 1 to 100.
    pub intensity: u8,
    /// Cores that they are bound to, in turn; empty if the system chooses.
    pub cores: Vec<usize>,
    /// Whether they yield to all that runs at normal priority.
    pub low_priority: bool,
}

/// Nice value of low priority: others get nine tenths of a core that they want as well.
const NICE: i32 = 10;

/// The longest rest, so that a low intensity does not mean long gaps.
const MAX_REST: Duration = Duration::from_millis(100);

impl Threads {
    /// This many, all the time, on any core, at low priority.
    pub fn new(count: usize) -> Self {
        Self { count, intensity: 100, cores: Vec::new(), low_priority: true }
    }

    /// The cores that this process may use.
    ///
    /// # Errors
    /// The system's.
    pub fn available_cores() -> io::Result<Vec<usize>> {
        system::cores()
    }

    /// Binds the calling thread to some cores.
    ///
    /// # Errors
    /// The system's: there is no such core, this process may not use it, or threads cannot be bound.
    pub fn bind(cores: &[usize]) -> io::Result<()> {
        system::bind(cores)
    }

    /// Sets the calling thread's core and priority. A search without them is better than none, so failures are ignored.
    pub(super) fn apply(&self, index: usize) {
        if let Some(at) = index.checked_rem(self.cores.len()) {
            let _ = Self::bind(&self.cores[at..=at]);
        }
        if self.low_priority {
            system::yield_to_others();
        }
    }

    /// How long to rest after this much work.
    pub(super) fn rest(&self, worked: Duration) -> Option<Duration> {
        let intensity = u32::from(self.intensity.clamp(1, 100));
        let rest = worked * (100 - intensity) / intensity;
        (!rest.is_zero()).then(|| rest.min(MAX_REST))
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;

    use rustix::{
        process::{getpriority_process, setpriority_process},
        thread::{CpuSet, sched_getaffinity, sched_setaffinity},
    };

    use super::NICE;

    pub(super) fn cores() -> io::Result<Vec<usize>> {
        let set = sched_getaffinity(None)?;
        Ok((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
    }

    pub(super) fn bind(cores: &[usize]) -> io::Result<()> {
        let mut set = CpuSet::new();
        for core in cores {
            if *core >= CpuSet::MAX_CPU {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            set.set(*core);
        }
        Ok(sched_setaffinity(None, &set)?)
    }

    /// On Linux this concerns the thread alone. One that is nice already stays so.
    pub(super) fn yield_to_others() {
        if getpriority_process(None).is_ok_and(|nice| nice < NICE) {
            let _ = setpriority_process(None, NICE);
        }
    }
}

/// Elsewhere the system alone places threads, and a priority would hold for the whole process.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::{io, num::NonZero, thread};

    pub(super) fn cores() -> io::Result<Vec<usize>> {
        Ok((0..thread::available_parallelism().map_or(1, NonZero::get)).collect())
    }

    pub(super) fn bind(_: &[usize]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn yield_to_others() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_for_the_rest_of_the_time() {
        let rest = |intensity| Threads { intensity, ..Threads::new(1) }.rest(Duration::from_millis(1));
        assert_eq!(rest(100), None);
        assert_eq!(rest(50), Some(Duration::from_millis(1)));
        assert_eq!(rest(10), Some(Duration::from_millis(9)));
        assert_eq!([rest(1), rest(0)], [Some(Duration::from_millis(99)); 2]);
        assert_eq!(Threads { intensity: 1, ..Threads::new(1) }.rest(Duration::from_secs(1)), Some(MAX_REST));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn threads_are_bound_in_turn_and_yield_to_others() {
        let cores = Threads::available_cores().unwrap();
        let last = *cores.last().unwrap();
        let settings = Threads { cores: vec![last], ..Threads::new(3) };
        let thread = std::thread::spawn(move || {
            settings.apply(2);
            (Threads::available_cores().unwrap(), rustix::process::getpriority_process(None).unwrap())
        });
        let (bound, nice) = thread.join().unwrap();
        assert_eq!(bound, [last]);
        assert!(nice >= NICE);
        // The others are as before.
        assert_eq!(Threads::available_cores().unwrap(), cores);
        assert!(Threads::bind(&[usize::MAX]).is_err());
    }
}
