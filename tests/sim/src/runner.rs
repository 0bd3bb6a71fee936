//! Many histories, one a thread.

use std::{
    any::Any,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
};

use crate::{
    oracle::{Invariant, Violation},
    plan::{Overrides, Plan},
    pool::each,
    stats::Stats,
    world::{Outcome, World},
};

/// What became of a range of seeds.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Histories in which every invariant held.
    pub passed: u64,
    /// The others, by seed.
    pub failed: Vec<(u64, Violation)>,
    /// What all amount to.
    pub stats: Stats,
    /// Virtual milliseconds of all histories.
    pub virtual_time: u64,
}

/// Runs the history of a seed.
pub fn history(seed: u64, overrides: &Overrides, log: bool) -> Outcome {
    guarded(World::new(Plan::draw(seed, overrides), log))
}

/// Runs a history; a panic in it is a violation.
pub(crate) fn guarded(world: World) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| Outcome {
        violation: Some(Violation::new(Invariant::Sanity, format!("panic: {}", words(&*panic)))),
        ended: 0,
        digest: 0,
        stats: Stats::default(),
    })
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

/// Runs a range of seeds on so many threads. `done` is called after each, with its outcome.
pub fn run(seeds: Range<u64>, overrides: &Overrides, jobs: usize, done: impl Fn(u64, &Outcome) + Sync) -> Report {
    let report = Mutex::new(Report::default());
    each(jobs, seeds.end.saturating_sub(seeds.start), |number| {
        let seed = seeds.start + number;
        let outcome = history(seed, overrides, false);
        done(seed, &outcome);
        let mut report = report.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        report.stats.merge(&outcome.stats);
        report.virtual_time += outcome.ended;
        match outcome.violation {
            None => report.passed += 1,
            Some(violation) => report.failed.push((seed, violation)),
        }
    });
    let mut report = report.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    report.failed.sort_by_key(|(seed, _)| *seed);
    report
}
