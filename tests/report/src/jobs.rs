//! Many histories on a few threads, with progress.

use std::{
    io::{IsTerminal, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

/// How experiments run.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Few and short histories.
    pub quick: bool,
    /// What all seeds are drawn from.
    pub seed: u64,
    /// Threads.
    pub jobs: usize,
}

impl Setting {
    /// One number for the report, another for its quick form.
    pub fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// The seed of a history of an experiment.
    pub fn seed(&self, experiment: u64, cell: usize, history: usize) -> u64 {
        let mut random = cairn_sim::Random::new(self.seed).fork(experiment);
        let base = random.word();
        cairn_sim::Random::new(base).fork((cell as u64) << 32 | history as u64).word()
    }

    /// Does each of a list, several at a time; answers in the order of the list, which is that of the results.
    ///
    /// # Errors
    /// The first error in that order.
    pub fn run<I: Sync, T: Send>(
        &self,
        name: &str,
        items: &[I],
        work: impl Fn(&I) -> Result<T, String> + Sync,
    ) -> Result<Vec<T>, String> {
        let (started, done) = (Instant::now(), AtomicUsize::new(0));
        let results: Mutex<Vec<Option<Result<T, String>>>> = Mutex::new(items.iter().map(|_| None).collect());
        cairn_sim::each(self.jobs, items.len() as u64, |index| {
            let index = index as usize;
            let result = work(&items[index]);
            results.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(result);
            progress(name, done.fetch_add(1, Ordering::Relaxed) + 1, items.len(), started);
        });
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(format!("{name}: a thread ended")))).collect()
    }
}

fn progress(name: &str, done: usize, total: usize, started: Instant) {
    let line = format!("{name}: {done} of {total} histories, {:.0} s", started.elapsed().as_secs_f64());
    if std::io::stderr().is_terminal() {
        eprint!("\r{line} {}", if done == total { "\n" } else { "" });
        let _ = std::io::stderr().flush();
    } else if done == total || done.is_multiple_of(total.div_ceil(4)) {
        eprintln!("{line}");
    }
}
