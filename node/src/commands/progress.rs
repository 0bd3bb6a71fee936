//! Progress of long work: a bar on a terminal, else a log line now and then.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

use crate::terminal;

/// How often a line is logged without a terminal.
const EVERY: Duration = Duration::from_secs(10);

/// Shows how far a piece of work is.
pub struct Progress {
    bar: Option<ProgressBar>,
    what: &'static str,
    total: u64,
    started: Instant,
    logged: Instant,
}

impl Progress {
    /// Starts at nothing of `total` blocks.
    pub fn new(what: &'static str, total: u64) -> Self {
        Self::with(what, total, "{msg} {wide_bar} {human_pos}/{human_len} blocks, {per_sec}, {eta} left")
    }

    /// Starts at nothing of `total` bytes.
    pub fn bytes(what: &'static str, total: u64) -> Self {
        Self::with(what, total, "{msg} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left")
    }

    fn with(what: &'static str, total: u64, template: &str) -> Self {
        let bar = terminal::moves(&std::io::stderr()).then(|| {
            let style = ProgressStyle::with_template(template);
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.with_message(what)
        });
        let now = Instant::now();
        Self { bar, what, total, started: now, logged: now }
    }

    /// So much is done.
    pub fn at(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.logged.elapsed() >= EVERY {
            self.logged = Instant::now();
            let rate = done as f64 / self.started.elapsed().as_secs_f64();
            let left = Duration::from_secs_f64((self.total.saturating_sub(done)) as f64 / rate.max(0.001));
            let seconds_left = left.as_secs();
            tracing::info!(done, of = self.total, per_second = rate as u64, seconds_left, "{}", self.what);
        }
    }

    /// Takes the bar away; answers with the time that it took.
    pub fn finish(self) -> Duration {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.started.elapsed()
    }
}
