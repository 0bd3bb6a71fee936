//! Interleaved runs and their medians, in time of this process on processors: other work on the computer counts
//! less, and work that is given to other threads counts in full.

use rustix::time::{ClockId, clock_gettime};
use std::{hint::black_box, time::Duration};

/// Least time of a sample: shorter work is repeated within it.
const SAMPLE: Duration = Duration::from_micros(500);
const FEWEST_ROUNDS: usize = 5;
const MOST_ROUNDS: usize = 201;

fn now() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32) // less than a second of nanoseconds
}

fn elapsed(start: Duration) -> Duration {
    now() - start
}

/// How long a piece of work takes.
pub fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = now();
    black_box(work());
    elapsed(start)
}

/// Median times of one run of each of two pieces of work, measured in turn for about `budget`. The first run of each is
/// not counted.
pub fn both<A, B>(budget: Duration, mut one: impl FnMut() -> A, mut other: impl FnMut() -> B) -> (Duration, Duration) {
    let repeats = repeats(&mut one).max(repeats(&mut other));
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    let start = now();
    while ones.len() < FEWEST_ROUNDS || elapsed(start) < budget && ones.len() < MOST_ROUNDS {
        // Whoever is first in a round is not always the same.
        if ones.len() % 2 == 0 {
            ones.push(sample(repeats, &mut one));
            others.push(sample(repeats, &mut other));
        } else {
            others.push(sample(repeats, &mut other));
            ones.push(sample(repeats, &mut one));
        }
    }
    (median(ones), median(others))
}

fn repeats<T>(work: &mut impl FnMut() -> T) -> u32 {
    black_box(work());
    let start = now();
    black_box(work());
    let once = elapsed(start).max(Duration::from_nanos(50));
    (SAMPLE.as_nanos() / once.as_nanos()).clamp(1, 10_000) as u32 // at most 10,000
}

fn sample<T>(repeats: u32, work: &mut impl FnMut() -> T) -> Duration {
    let start = now();
    for _ in 0..repeats {
        black_box(work());
    }
    elapsed(start) / repeats
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// Milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
