//! What commands write: text on the standard output, and the progress of long work.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;
use std::{
    env,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// Why the standard output could not be written, the first time.
static UNWRITTEN: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes to the standard output. A reader that closes its end (`| head`) is not an error; after any other one
/// [`all_was_written`] fails.
pub fn say(text: impl std::fmt::Display) {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            UNWRITTEN.lock().get_or_insert(error);
        }
        _ => {}
    }
}

/// # Errors
/// If anything that [`say`] was given could not be written.
pub fn all_was_written() -> io::Result<()> {
    UNWRITTEN.lock().take().map_or(Ok(()), Err)
}

/// Whether text for this stream may have colours: on a terminal, unless NO_COLOR is set (<https://no-color.org>) or the
/// terminal is dumb.
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    moves(stream) && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether the cursor may be moved on this stream, for bars and tables that stay in place.
pub fn moves(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && env::var_os("TERM").is_none_or(|name| name != "dumb")
}

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
        let bar = moves(&std::io::stderr()).then(|| {
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
