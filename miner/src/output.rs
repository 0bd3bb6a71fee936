//! The output of a miner: lines of text with a status line that stays in place, or one JSON object a line.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

/// Interval between two status lines if they cannot be overwritten.
const STATUS_INTERVAL: Duration = Duration::from_secs(30);

/// Where lines go.
pub struct Output {
    lines: Box<dyn Write>,
    /// Whether standard error is a terminal, so that the status line can be overwritten.
    live: bool,
    /// The first error of a write.
    failure: Option<io::Error>,
    last_status: Option<Duration>,
}

impl Output {
    /// Writes to standard output, and the status line of text to standard error.
    pub fn new(json: bool) -> Self {
        Self { live: !json && io::stderr().is_terminal(), ..Self::to(Box::new(io::stdout())) }
    }

    /// Writes somewhere else, without a status line that stays in place.
    pub fn to(lines: Box<dyn Write>) -> Self {
        Self { lines, live: false, failure: None, last_status: None }
    }

    /// Why output could not be written, if so. A reader that closes its end, as `head` does, is not an error.
    pub fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Shows the state of the search where it can be overwritten. Whether it is to be written as a line instead: each 30 s.
    pub fn status(&mut self, elapsed: Duration, text: Option<&str>) -> bool {
        if self.live {
            if let Some(text) = text {
                let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
                // A line that wraps cannot be overwritten.
                let line: String = text.chars().take(width.saturating_sub(1)).collect();
                let _ = write!(io::stderr(), "\r\x1b[2K{line}");
            }
            return false;
        }
        let is_due = self.last_status.is_none_or(|last| elapsed >= last + STATUS_INTERVAL);
        if is_due {
            self.last_status = Some(elapsed);
        }
        is_due
    }

    /// Writes a line.
    pub fn line(&mut self, line: &str) {
        if self.live {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
        match writeln!(self.lines, "{line}").and_then(|()| self.lines.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => self.failure = Some(error),
            _ => {}
        }
    }
}
