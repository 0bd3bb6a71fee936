//! Standard output, which a reader such as `head` may close before all is said.

use std::{
    fmt::Display,
    io::{ErrorKind, Write, stdout},
    process::exit,
};

/// What a shell shows of a program that SIGPIPE ended: 128 and the number of the signal.
const NOBODY_READS: i32 = 141;

/// Prints a text. If nobody reads any more, the program ends as other programs do then; if it cannot be written, it says why
/// and fails.
pub fn say(text: impl Display) {
    let mut out = stdout().lock();
    let Err(error) = write!(out, "{text}").and_then(|()| out.flush()) else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        exit(NOBODY_READS);
    }
    eprintln!("standard output: {error}");
    exit(1);
}
