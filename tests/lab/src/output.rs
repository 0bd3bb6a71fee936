//! Standard output, which a reader such as `head` may close before all is said.

use std::{
    fmt::Display,
    io::{ErrorKind, Write, stdout},
    process::exit,
};

/// Prints a text. If nobody reads any more, the program ends; if it cannot be written, it says why and fails.
pub fn say(text: impl Display) {
    let mut out = stdout().lock();
    let Err(error) = write!(out, "{text}").and_then(|()| out.flush()) else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        exit(0);
    }
    eprintln!("standard output: {error}");
    exit(1);
}
